"""Draw from a learned policy within the limit: the last step of a differentiable search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from search.strategies.strategy import Strategy, Trial
from search.strategies.within import Array, WithinLimit

_DRAWS_PER_NETWORK = 50
"""Draws made for each network asked for; a policy that has converged repeats itself and yields fewer."""


@final
class PolicyStrategy(Strategy):
    """Proposes the most probable network within the limit, then networks drawn from the policy.

    SqueezeNAS samples candidate networks by the Gumbel-Softmax trick after the search has converged and keeps the best
    on the validation set; a Gumbel arg-max is a draw from the softmax, and here the draw is conditioned on the limit.

    Args:
        policy: probability of each candidate, shape (units, candidates), rows sum to 1.
        costs: cost of each candidate, same shape; NaN for one that cannot be picked.
        budget: limit minus the cost of what all networks share.
        seed: of the draws.
        least: cost, without that of what all networks share, from which on networks are proposed. It counts for nothing
            where the policy has none between it and the budget.

    Attributes:
        least: the cost from which on networks are proposed; 0 where ``least`` counts for nothing.
    """

    def __init__(self, policy: Array, costs: Array, budget: float, seed: int, least: float = 0.0) -> None:
        self._policy = policy
        self._within = WithinLimit(costs, budget, least)
        self.least = max(0.0, least) if self._within.has_any(policy) else 0.0
        if self.least < least:
            self._within = WithinLimit(costs, budget)
        self._seed = seed
        self._told = set[tuple[int, ...]]()

    def ask(self, count: int) -> list[tuple[int, ...]]:
        """Networks that were not told of yet, the most probable first."""
        # Always the same draws from the beginning on, so that a resumed search proposes what it would have proposed.
        drawn = (count + len(self._told)) * _DRAWS_PER_NETWORK
        draws = self._within.draw(self._policy, drawn, np.random.default_rng(self._seed))
        rows = np.concatenate([self._within.most_probable(self._policy)[None], draws])
        networks = dict.fromkeys(tuple(int(pick) for pick in row) for row in rows)
        return [network for network in networks if network not in self._told][:count]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember what has been evaluated."""
        self._told.update(trial.picks for trial in trials)
