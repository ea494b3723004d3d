"""The network that a search returned, as a file that other commands read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from devices import WrongUse
from search.spaces import Architecture, Space, open_space

SCHEMA = 2
"""Schema 1 knew differentiable searches with one limit only."""

_READ = (1, 2)


@dataclass(frozen=True)
class FrontPoint:
    """A network that no other of a search beats in score and in every cost.

    Attributes:
        architecture: the candidate picked in each unit.
        score: what the evaluator said.
        costs: by the title of each cost (``macs``, ``latency on xavier``), in MACs, seconds, parameters or bytes.
    """

    architecture: tuple[str, ...]
    score: float
    costs: Mapping[str, float]


@dataclass(frozen=True)
class SearchResult:
    """What a search found, and under which conditions.

    Attributes:
        name: what the network is called on the screen.
        space: name of its space.
        input_size: height and width of the input, in pixels.
        classes: number of classes.
        architecture: the candidate picked in each unit.
        objective: ``latency``, ``macs``, ``parameters`` or ``memory``; the first where there were several.
        limit: in seconds, MACs, parameters or bytes; None where there was none.
        cost: of the network, in the same unit; with a confidence, the upper bound that was held against the limit.
        score: what the evaluator said of the network.
        seed: of the search.
        data: what it was searched on, in words.
        recipe: lengths and rates of the search.
        command: the command line that searched it; empty when it was not searched from one.
        confidence: how sure it is that the latency is within the limit, 0.5 to 1; None where the best single number is.
        note: what must be said wherever its latency is shown, as that nothing was measured; empty where there is none.
        strategy: how networks were chosen.
        evaluator: how they were scored.
        meaning: what a score is, in words.
        costs: all costs of the network by title, where there were several or one on a device that was named.
        limits: the limits of those that had one, by title.
        front: networks that no other beats in score and in every cost, where a front was searched for.
        listed: whether the space is the list of a benchmark, which nobody here can build networks of.
    """

    name: str
    space: str
    input_size: tuple[int, int]
    classes: int
    architecture: tuple[str, ...]
    objective: str
    limit: float | None
    cost: float
    score: float
    seed: int
    data: str
    recipe: Mapping[str, Any]
    command: str = ""
    confidence: float | None = None
    note: str = ""
    strategy: str = "differentiable"
    evaluator: str = "supernet"
    meaning: str = "mIoU with inherited weights on validation images, 0 to 1"
    costs: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    front: tuple[FrontPoint, ...] = ()
    listed: bool = False

    def open(self, precision: str = "fp32") -> tuple[Space, Architecture]:
        """The space, and the network in it.

        Args:
            precision: number format of the workloads, which is no part of a network.

        Raises:
            WrongUse: nobody here can build its networks, or there is no such space or network.
        """
        if self.listed:
            raise WrongUse(
                f"{self.name} is a network of {self.space}, whose scores {self.evaluator} knows and which nobody here "
                "knows how to build. Search a space that can be built (`paceline show` lists them)."
            )
        space = open_space(self.space, self.input_size, self.classes, precision)
        return space, space.architecture(self.architecture)

    def to_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return {"schema": SCHEMA, **asdict(self)}

    def write(self, path: Path) -> None:
        """Write the result as JSON, making the folder if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n")

    @staticmethod
    def read(path: Path) -> SearchResult:
        """Read what ``write`` wrote.

        Raises:
            WrongUse: the file is missing or is no result of a search.
        """
        try:
            values = json.loads(path.read_text())
            schema = values.pop("schema")
            if schema not in _READ:
                raise WrongUse(f"{path} has schema {schema}, this paceline reads {SCHEMA}. Search again.")
            values["input_size"] = tuple(values["input_size"])
            values["architecture"] = tuple(values["architecture"])
            values["front"] = tuple(
                FrontPoint(tuple(point["architecture"]), float(point["score"]), point["costs"])
                for point in values.get("front", ())
            )
            if Path(values["name"]).name != values["name"]:
                raise WrongUse(f"{path} names a network {values['name']!r}, which is no plain file name. Search again.")
            return SearchResult(**values)
        except OSError as error:
            raise WrongUse(f"{path} cannot be read ({error.strerror}). `paceline search --out` writes one.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongUse(f"{path} is no result of a search ({error}). `paceline search --out` writes one.") from error
