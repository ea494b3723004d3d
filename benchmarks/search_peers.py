"""Other people's searches under a limit, each told of it in its own way: what nasbench201_limit.py compares with.

They propose networks above the limit and networks that they proposed before; our strategies do neither. Both are free
here, because a look at a table says so before anything is trained: only a network within the limit that was not asked
for yet is a query. A search that has none left to propose is ended after 20 proposals for each query it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, final

from devices import NotAvailable

Picks: TypeAlias = tuple[int, ...]

_PROPOSALS = 20
"""For each query."""

_UNKNOWN = 9.0
"""By how many times its limit a network is said to be too slow that failed on the device."""


@final
class Queries:
    """What a search may ask for, and what it has asked for.

    Args:
        score: of a network within the limit.
        violation: of any network: its latency as a share of the limit, less 1; above 0 for one above the limit, NaN
            for one that failed.
        count: how many different networks within the limit may be scored.
    """

    def __init__(self, score: Callable[[Picks], float], violation: Callable[[Picks], float], count: int) -> None:
        self._score, self._violation, self._count = score, violation, count
        self.scores = dict[Picks, float]()
        self.proposals = 0

    @property
    def is_over(self) -> bool:
        """Whether all queries are made, or so many proposals that no more are expected."""
        return len(self.scores) >= self._count or self.proposals >= _PROPOSALS * self._count

    def ask(self, picks: Picks) -> tuple[float, float]:
        """Score and violation of a network; a score of 0 for one above the limit, which is not evaluated."""
        self.proposals += 1
        violation = self._violation(picks)
        if math.isnan(violation) or violation > 0:
            return 0.0, _UNKNOWN if math.isnan(violation) else violation
        if picks not in self.scores:
            self.scores[picks] = self._score(picks)
        return self.scores[picks], violation


Peer: TypeAlias = Callable[[Queries, Sequence[int], int], None]
"""Searches until the queries are over, given the candidates of each unit and a seed."""


def optuna_tpe(queries: Queries, sizes: Sequence[int], seed: int) -> None:
    """Optuna's tree-structured Parzen estimator, as it comes."""
    with _optuna() as optuna:
        _ask_and_tell(optuna, optuna.samplers.TPESampler(seed=seed), queries, sizes)


def optuna_nsga2(queries: Queries, sizes: Sequence[int], seed: int, population: int = 50) -> None:
    """Optuna's NSGA-II, as it comes; its own 50 was the best population on cifar10 (beside 10, 20, 30)."""
    with _optuna() as optuna:
        sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
        _ask_and_tell(optuna, sampler, queries, sizes)


def pymoo_ga(queries: Queries, sizes: Sequence[int], seed: int, population: int = 20) -> None:
    """Pymoo's GA with the operators that its manual shows for whole numbers.

    It ends the generation that it is in, so it may make some queries more than allowed, fewer than a population. 20 was
    the best population on cifar10 (beside 10, 30, 50 and its own 100), and better than ``MixedVariableGA``.
    """
    try:
        from pymoo.algorithms.soo.nonconvex.ga import GA
        from pymoo.core.evaluator import Evaluator
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
        from pymoo.problems.static import StaticProblem
    except ImportError as error:
        raise NotAvailable(f"pymoo's GA needs pymoo ({error}). `pip install pymoo`, or leave it out.") from error
    problem = Problem(n_var=len(sizes), n_obj=1, n_ieq_constr=1, xl=0, xu=[size - 1 for size in sizes], vtype=int)
    algorithm = GA(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, termination=("n_gen", math.inf), seed=seed, verbose=False)
    while not queries.is_over:
        proposed = algorithm.ask()
        if proposed is None or not len(proposed):
            return  # It has nothing new to propose.
        answers = [queries.ask(tuple(int(pick) for pick in row)) for row in proposed.get("X")]
        values = {"F": [[-score] for score, _ in answers], "G": [[violation] for _, violation in answers]}
        Evaluator().eval(_static(StaticProblem, problem, values), proposed)
        algorithm.tell(infills=proposed)


PEERS: Mapping[str, Peer] = {"Optuna TPE": optuna_tpe, "Optuna NSGA-II": optuna_nsga2, "pymoo GA": pymoo_ga}


def _ask_and_tell(optuna: Any, sampler: Any, queries: Queries, sizes: Sequence[int]) -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    spread = {
        f"unit {unit}": optuna.distributions.CategoricalDistribution(range(size)) for unit, size in enumerate(sizes)
    }
    while not queries.is_over:
        trial = study.ask(spread)
        score, violation = queries.ask(tuple(int(trial.params[name]) for name in spread))
        trial.set_constraint("latency", violation)
        study.tell(trial, score)


@contextmanager
def _optuna() -> Iterator[Any]:
    """Optuna without its log line for each trial.

    Raises:
        NotAvailable: it is not installed, or too old to be told of constraints by ``Trial.set_constraint``.
    """
    try:
        import optuna
    except ImportError as error:
        raise NotAvailable(f"Optuna's searches need Optuna ({error}). `pip install optuna`.") from error
    if not hasattr(optuna.Trial, "set_constraint"):
        raise NotAvailable(f"Optuna must be 5 or newer; it is {optuna.__version__}. `pip install -U optuna`.")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _static(kind: Any, problem: Any, values: Mapping[str, list[list[float]]]) -> Any:
    """A problem of pymoo whose values are known, which is how its manual hands over what was computed elsewhere."""
    import numpy as np

    return kind(problem, **{name: np.array(rows) for name, rows in values.items()})
