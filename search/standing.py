"""How a search stands: what is best so far, and how much of what was proposed was within the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from search.cost import Cost
from search.loop import best_so_far
from search.strategies import Trial


@final
@dataclass(frozen=True)
class Standing:
    """A search after some trials.

    Attributes:
        tried: networks proposed so far.
        feasible: how many of them are within the limits.
        best: the one of highest score; None where none was scored yet.
    """

    tried: int
    feasible: int
    best: Trial | None

    @staticmethod
    def of(trials: Sequence[Trial]) -> Standing:
        """After these trials."""
        return Standing(0, 0, None).then(trials)

    def then(self, trials: Sequence[Trial]) -> Standing:
        """After further trials: a search that is watched trial by trial does not go through all of them each time."""
        known = [] if self.best is None else [self.best]
        feasible = self.feasible + sum(trial.feasible for trial in trials)
        return Standing(self.tried + len(trials), feasible, best_so_far([*known, *trials]))

    @property
    def feasible_share(self) -> float:
        """Share of the proposed networks that are within the limits, 0 to 1; 1 before the first."""
        return self.feasible / self.tried if self.tried else 1.0

    def words(self, objective: Cost, score_words: Callable[[float], str] = "{:.4g}".format) -> str:
        """For a progress bar: ``best 0.531 at 12.3 ms, 98 % within the limit``; empty before the first trial.

        Args:
            objective: what the first limit is on.
            score_words: how a score is written.
        """
        if not self.tried:
            return ""
        share = f"{100 * self.feasible_share:.0f} % within the limit"
        if self.best is None or self.best.score is None or self.best.cost is None:
            return f"nothing scored yet, {share}"
        return f"best {score_words(self.best.score)} at {objective.format(self.best.cost)}, {share}"
