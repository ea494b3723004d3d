"""Scores that are kept by network, in a file that survives."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import final

from devices import WrongUse
from search.cost import Picks
from search.evaluators.evaluator import Evaluator
from search.history import append_lines


@final
class CachedEvaluator(Evaluator):
    """Asks another evaluator once for each network, ever.

    The file holds a line of JSON for each score, with the key of the evaluator and the digest of the network. So it
    may be shared by evaluators and by searches, also by ones that run side by side: a line is appended by one write,
    and where two come to the same network at the same time both lines say the same.

    Args:
        evaluator: whom to ask.
        path: the file.

    Raises:
        WrongUse: the file cannot be read.
    """

    def __init__(self, evaluator: Evaluator, path: Path) -> None:
        self.name, self.meaning = evaluator.name, evaluator.meaning
        self.asked = 0
        self._evaluator, self._path, self._key = evaluator, path, evaluator.key
        self._scores = self._read()

    def score(self, picks: Picks) -> float:
        """The score that is kept, or else the evaluator's, kept from now on. ``asked`` counts the latter."""
        digest = self._evaluator.digest(picks)
        if digest not in self._scores:
            self.asked += 1
            score = float(self._evaluator.score(picks))
            self._scores[digest] = score
            value = score if math.isfinite(score) else None
            append_lines(
                self._path,
                [{"evaluator": self._key, "name": self.name, "network": digest, "picks": list(picks), "score": value}],
            )
        return self._scores[digest]

    def identity(self) -> Mapping[str, object]:
        """The evaluator's."""
        return self._evaluator.identity()

    def digest(self, picks: Picks) -> str:
        """The evaluator's."""
        return self._evaluator.digest(picks)

    def words(self, score: float) -> str:
        """The evaluator's."""
        return self._evaluator.words(score)

    def _read(self) -> dict[str, float]:
        try:
            data = self._path.read_bytes() if self._path.exists() else b""
            if data and not data.endswith(b"\n"):
                with self._path.open("ab") as file:  # A torn line must not swallow the next one.
                    file.write(b"\n")
        except OSError as error:
            raise WrongUse(f"The cache {self._path} cannot be read ({error.strerror}). Choose another.") from error
        found = dict[str, float]()
        for line in data.splitlines():
            row = _row(line)
            if row is not None and row[0] == self._key:
                found[row[1]] = row[2]
        return found


def _row(line: bytes) -> tuple[str, str, float] | None:
    """Evaluator, network and score; None for a line that says none, which costs an evaluation and no more."""
    try:
        values = json.loads(line)
        score = math.nan if values["score"] is None else float(values["score"])
        return str(values["evaluator"]), str(values["network"]), score
    except (ValueError, KeyError, TypeError):
        return None
