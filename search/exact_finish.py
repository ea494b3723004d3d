"""The end of a differentiable search: the most probable network within the limit, exactly, before any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from devices import NoAnswer
from search.cost import Array, Picks
from search.strategies import PolicyStrategy, Strategy, Trial, best_additive


@final
class ExactFinish(Strategy):
    """Proposes the most probable network within the limit, then networks drawn from the policy within it.

    The most probable one is a knapsack: logarithms of probabilities add up as costs do, and it is solved without bins.
    Where it costs less than is asked for, the most probable of those that do not comes first, up to bins.

    Args:
        policy: probability of each candidate, shape (units, candidates), rows sum to 1.
        costs: cost of each candidate, same shape; NaN for one that cannot be picked.
        budget: limit on the sum.
        seed: of the draws.
        fixed: cost of what all networks share, where the budget is to pay for that, too. It is added first, so that a
            network that costs exactly the limit is within it here as it is for ``run``.
        least: cost, with what all networks share, from which on networks are proposed, as far as the policy draws any.
    """

    def __init__(
        self, policy: Array, costs: Array, budget: float, seed: int, fixed: float = 0.0, least: float = 0.0
    ) -> None:
        self._draws = PolicyStrategy(policy, costs, budget - fixed, seed, least - fixed)
        first = _most_probable(policy, costs, budget, fixed)
        units, least = np.arange(len(costs)), self._draws.least
        self._first = [picks for picks in first if costs[units, picks].sum() >= least]
        self._told = set[Picks]()

    def ask(self, count: int) -> list[Picks]:
        """Networks that were not told of yet, the most probable first."""
        if count < 1:
            return []
        networks = dict.fromkeys([*self._first, *self._draws.ask(count)])
        return [network for network in networks if network not in self._told][:count]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember what has been evaluated."""
        self._told.update(trial.picks for trial in trials)
        self._draws.tell(trials)


def _most_probable(policy: Array, costs: Array, budget: float, fixed: float) -> list[Picks]:
    """That network; none where only the cheapest one is within the limit and rounding says that it is not."""
    # A probability that vanished is the last choice, and a choice still: it may be all that is within the limit.
    scores = np.log(np.maximum(policy, np.finfo(np.float64).tiny))
    try:
        return [best_additive(np.where(np.isnan(costs), -np.inf, scores), costs, budget, fixed)]
    except NoAnswer:
        return []
