"""Search strategies by the name that a user types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from devices import unknown_name
from search.strategies import (
    FeasibleSet,
    Nsga2,
    OptunaStrategy,
    RegularizedEvolution,
    ReinforceController,
    Strategy,
    SurrogateSearch,
    UniformStrategy,
)

Make = Callable[[FeasibleSet, int], Strategy]

STRATEGIES: Mapping[str, Make] = {
    "surrogate": SurrogateSearch,
    "random": UniformStrategy,
    "evolution": RegularizedEvolution,
    "nsga2": Nsga2,
    "reinforce": ReinforceController,
    "optuna-tpe": partial(OptunaStrategy, sampler="TPE"),
    "optuna-nsga2": partial(OptunaStrategy, sampler="NSGAII"),
}
"""From the networks within the limits and a seed to a strategy. The first is the default."""

DEFAULT_STRATEGY = next(iter(STRATEGIES))


def open_strategy(name: str, feasible: FeasibleSet, seed: int) -> Strategy:
    """The strategy of that name.

    Args:
        name: one of ``STRATEGIES``.
        feasible: the networks that it may propose.
        seed: of everything that it draws.

    Raises:
        WrongUse: there is none of that name.
        NotAvailable: it needs a package that is not installed.
    """
    if name not in STRATEGIES:
        raise unknown_name("strategy", name, STRATEGIES)
    return STRATEGIES[name](feasible, seed)
