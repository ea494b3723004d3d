"""A strategy of one's own: the best network so far, changed in one unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search import FeasibleSet, Strategy, Trial

Picks = tuple[int, ...]


class HillClimbing(Strategy):
    def __init__(self, feasible: FeasibleSet, seed: int) -> None:
        self._feasible, self._seed = feasible, seed
        self._told: dict[Picks, Trial] = {}

    def ask(self, count: int) -> list[Picks]:
        # From the seed and what was told alone, so that a search that was killed goes on as it would have gone.
        rng = np.random.default_rng([self._seed, len(self._told)])
        around = self._feasible.neighbours(self._best()) if self._best() else np.empty((0, len(self._feasible.sizes)))
        for rows in (rng.permutation(around), self._feasible.draw(64, rng)):
            for row in rows.tolist():
                picks = tuple(int(pick) for pick in row)
                if picks not in self._told:
                    return [picks][:count]
        return []

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.update((trial.picks, trial) for trial in trials)

    def _best(self) -> Picks:
        scored = [trial for trial in self._told.values() if trial.feasible and trial.score is not None]
        return max(scored, key=lambda trial: trial.score or 0.0).picks if scored else ()
