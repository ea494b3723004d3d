"""Random search: uniform over the networks within the limit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from search.strategies.batches import BatchStrategy, Picks
from search.strategies.feasible import FeasibleSet
from search.strategies.strategy import Trial

_BATCH = 64
"""Draws cost little beside evaluations; a batch only saves calls."""


@final
class UniformStrategy(BatchStrategy):
    """Proposes every network within the limit with the same probability, none twice.

    The reference that every search has to beat (Li and Talwalkar, Random search and reproducibility for neural
    architecture search, UAI 2019).

    Args:
        feasible: the networks that may be proposed.
        seed: of the draws.
    """

    def __init__(self, feasible: FeasibleSet, seed: int) -> None:
        super().__init__(feasible, seed, _BATCH)

    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        return []  # The whole batch is drawn from what was not seen.
