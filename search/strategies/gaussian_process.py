"""A Gaussian process over networks: what is believed of the scores of those that were not tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from search.strategies.feasible import Array, Indices

_JITTER = 1e-8
_FURTHEST = 4.0
"""Logarithms of parameters stay within so many of the prior's standard deviations, where no kernel overflows."""

_STEPS = 20
"""Iterations of L-BFGS; the posterior of so few parameters is flat where it is not reached by then."""


@final
@dataclass(frozen=True, eq=False)
class Networks:
    """Networks as the kernel sees them.

    Attributes:
        one_hot: 1 at each unit's pick, shape (n, candidates of all units).
        counts: how many units pick each index, shape (n, candidates).
        cost: standardised, shape (n,).
    """

    one_hot: Array
    counts: Array
    cost: Array

    def __getitem__(self, rows: Indices | slice) -> Networks:
        """Some of them."""
        return Networks(self.one_hot[rows], self.counts[rows], self.cost[rows])


@final
class NetworkProcess:
    """Gaussian process regression (Rasmussen and Williams, Gaussian processes for machine learning, 2006, chapter 2).

    The kernel is a sum of four, each with a strength that is learned:

    - ``exp(-sum of w_u over the units in which two networks differ)``, a product over units: interactions;
    - the share of units in which they agree: a sum over units, which is what an additive score is;
    - a Gaussian of the distance between how often each index is picked, where all units have equally many candidates,
      so that an index means the same everywhere: that two 3x3 convolutions are two, wherever they are;
    - a Gaussian of the difference in cost: what costs more tends to score more.

    Parameters are those of highest posterior density (equation 5.8 with a normal prior on their logarithms). Nothing is
    kept from an earlier fit, so that the same observations always give the same beliefs.

    Args:
        sizes: candidates of each unit.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = tuple(sizes)
        self._unit = np.repeat(np.arange(len(sizes)), sizes)
        self._counted = len(set(sizes)) == 1 and sizes[0] > 1
        units = len(sizes)
        prior = {
            "interaction": 1.0,
            "per unit": 3.0 / units,
            "additive": 1.0,
            "counts": 1.0,
            "counts width": units / 3.0,
            "cost": 1.0,
            "cost width": 1.0,
            "noise": 0.1,
        }
        self._names = tuple(prior)
        self._prior = np.log(np.array([*prior.values()]))
