"""The contract of a search strategy: ask for networks, tell how they did. Strategies see numbers only."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One network and how it did.

    Attributes:
        picks: candidate index for each unit.
        cost: in the unit of the limit; None when a candidate it has failed on the device.
        feasible: whether it is within the limit.
        score: accuracy, larger is better; None when it was not evaluated because it is over the limit.
        objectives: further values, each to be minimised, for searches of a Pareto front.
    """

    picks: tuple[int, ...]
    cost: float | None
    feasible: bool
    score: float | None = None
    objectives: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The trial as plain values."""
        values = {"picks": list(self.picks), "cost": self.cost, "feasible": self.feasible, "score": self.score}
        return {**values, "objectives": list(self.objectives)} if self.objectives else values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Trial:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError: something is missing.
            TypeError: picks are no whole numbers, or another value is no number.
            ValueError: it is text that is no number.
        """
        cost, score = (None if values[name] is None else float(values[name]) for name in ("cost", "score"))
        objectives = tuple(map(float, values.get("objectives", ())))  # Searches for one objective have none.
        return Trial(tuple(map(index, values["picks"])), cost, bool(values["feasible"]), score, objectives)


class Strategy(abc.ABC):
    """Chooses which networks to evaluate next.

    ``ask`` does not learn and ``tell`` does not choose. A strategy knows neither tables nor devices nor files: it gets
    its numbers when it is made and its random numbers from a seed, and the same calls give the same answers.
    """

    @abc.abstractmethod
    def ask(self, count: int) -> list[tuple[int, ...]]:
        """Up to ``count`` networks to evaluate next, different from each other; none when there is nothing left."""

    @abc.abstractmethod
    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn how networks did; also those of an earlier run that is being resumed."""
