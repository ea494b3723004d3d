"""Search strategies by the name that a user types. Third parties register theirs by an entry point.

The entry-point group is ``paceline.strategies``; an entry point names a class or function that takes the networks that
may be proposed (``search.FeasibleSet``) and a seed, and gives a ``search.Strategy``. It is imported when it is asked
for by name, and not before: one that is broken troubles nobody else. The names of what is shipped are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata

from devices import NotAvailable, WrongUse, unknown_name
from latency import RAISED_BY_LOADING
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

PARETO_STRATEGIES = ("nsga2", "random")
"""Those that ship and search a Pareto front: the others look at the score alone. Chance favours nothing."""

GROUP = "paceline.strategies"


def known_strategies() -> tuple[str, ...]:
    """Names of all strategies, those of third parties included, which are not imported for that."""
    return tuple(dict.fromkeys([*STRATEGIES, *metadata.entry_points(group=GROUP).names]))


def open_strategy(name: str, feasible: FeasibleSet, seed: int) -> Strategy:
    """The strategy of that name.

    Args:
        name: one of ``known_strategies``.
        feasible: the networks that it may propose.
        seed: of everything that it draws.

    Raises:
        WrongUse: there is none of that name, or what a third party registered is broken.
        NotAvailable: it needs a package that is not installed.
    """
    make = STRATEGIES[name] if name in STRATEGIES else _third_party(name)
    strategy = make(feasible, seed)
    if not isinstance(strategy, Strategy):
        raise WrongUse(f"The strategy {name} must be a search.Strategy; got a {type(strategy).__name__}.")
    return strategy


def _third_party(name: str) -> Make:
    registered = tuple(metadata.entry_points(group=GROUP, name=name))
    if not registered:
        raise unknown_name("strategy", name, known_strategies())
    (entry, *_) = registered
    told = f"The strategy {name} is registered as {entry.value}"
    try:
        loaded = entry.load()
    except ImportError as error:
        raise NotAvailable(
            f"{told}, which cannot be imported ({error}). Install what it needs, or choose another."
        ) from error
    except RAISED_BY_LOADING as error:
        raise WrongUse(f"{told}, which is broken ({type(error).__name__}: {error}). Choose another.") from error
    if not callable(loaded):
        raise WrongUse(f"{told}, which must take the feasible networks and a seed; got {loaded!r}.")
    make: Make = loaded
    return make
