"""Scores that a function of the user gives."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, final

from devices import WrongUse, unknown_name
from latency import RAISED_BY_CODE, load_plug_in
from search.cost import Picks
from search.evaluators.evaluator import Evaluator, network_digest, space_identity
from search.spaces import Architecture, Space


@final
class UserFunction(Evaluator):
    """Asks ``function(space, architecture)`` of a Python file, which returns a number, larger for better networks.

    ``space.names(architecture)`` are the candidates' names, ``space.network(architecture)`` is the whole network as a
    workload, and ``latency.build_module`` of that is a torch module. A function without randomness of its own keeps a
    search reproducible. Scores are kept for the file as it is: after a change networks are scored anew.

    Args:
        space: whose networks are scored.
        file: the Python file.
        function: name of the function in it.

    Raises:
        WrongUse: the file cannot be run, or has no such function.
    """

    def __init__(self, space: Space, file: Path, function: str) -> None:
        module = load_plug_in(file)
        known = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
        if function not in known:
            raise unknown_name(f"function in {file}", function, known)
        self.name = f"{file.name}:{function}"
        self.meaning = _first_line(known[function]) or f"what {self.name} returns"
        self._function: Callable[[Space, Architecture], Any] = known[function]
        self._space, self._file = space, module.__file__
        self._source = hashlib.sha256(file.read_bytes()).hexdigest()[:16]

    def score(self, picks: Picks) -> float:
        """What the function returns.

        Raises:
            WrongUse: that is no number, or it raises an error, with the line.
        """
        architecture = Architecture(self._space.name, picks)
        try:
            value = self._function(self._space, architecture)
        except (*RAISED_BY_CODE, MemoryError) as error:  # A network may be too large for this machine.
            names = " ".join(self._space.names(architecture))
            raise WrongUse(
                f"{self.name} raised {type(error).__name__}: {error}{self._line(error)}, asked about {names}. Mend it, "
                "or let it return NaN for a network that cannot be scored."
            ) from error
        if not isinstance(value, Real):
            raise WrongUse(
                f"{self.name} must return a number, larger for better networks (NaN for one that cannot be scored); "
                f"got {value!r}."
            )
        return float(value)

    def _line(self, error: BaseException) -> str:
        """Where in the file an error came from; empty for one that was raised before its first line ran."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self._file]
        return f" (line {frames[-1].lineno})" if frames else ""

    def identity(self) -> Mapping[str, object]:
        """Space, and the text of the file."""
        return {**space_identity(self._space), "source": self._source}

    def digest(self, picks: Picks) -> str:
        """Of all that the network computes."""
        return network_digest(self._space, picks)


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
