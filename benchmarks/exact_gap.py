"""How far from the exact optimum is each strategy, where the optimum is known?

Tables of 22 units with 13 candidates, as large as the space of SqueezeNAS: what a candidate costs and what it adds to
the score are drawn, the score half from the cost (dearer candidates are better) and half by chance, in units of
different weight. Limits are the 10th, 30th and 60th percentile of the cost of random networks. The best network within
a limit is found exactly by ``best_additive``; every strategy gets the same number of queries, sees nothing of the table
but the scores of what it asks for, and may ask for networks within the limit only. From the root of the repository:

    python benchmarks/exact_gap.py

This takes seconds:

    python benchmarks/exact_gap.py --tables 1 --queries 60

The gap is a share: 0 is the optimum, 1 is what a network within the limit scores on average.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import PacelineError, WrongUse, read_device, unknown_name
from paceline.screen import progress_bar
from search import (
    AdditiveFeasible,
    FeasibleSet,
    Nsga2,
    OptunaStrategy,
    RegularizedEvolution,
    ReinforceController,
    Strategy,
    SurrogateSearch,
    Trial,
    UniformStrategy,
    best_additive,
)

Array: TypeAlias = npt.NDArray[np.float64]

STRATEGIES: Mapping[str, Callable[[FeasibleSet, int], Strategy]] = {
    "random": UniformStrategy,
    "evolution": RegularizedEvolution,
    "NSGA-II": Nsga2,
    "REINFORCE": ReinforceController,
    "surrogate": SurrogateSearch,
    "optuna-nsga2": partial(OptunaStrategy, sampler="NSGAII"),
    "optuna-tpe": partial(OptunaStrategy, sampler="TPE"),
}
DEFAULT = tuple(name for name in STRATEGIES if not name.startswith("optuna"))
"""Optuna need not be installed."""


_SHAPE = (22, 13)
_PERCENTILES = (10, 30, 60)
_SEED = 2206
"""Of the tables; strategies get the number of the table as theirs."""

_DRAWN = 4000
"""Networks by whose costs a limit is a percentile, and, within the limit, by whose mean the gap is measured."""


@final
@dataclass(frozen=True, eq=False)
class Knapsack:
    """A table with a limit.

    Attributes:
        scores: shape (units, candidates).
        costs: same shape.
        limit: on the sum of costs.
    """

    scores: Array
    costs: Array
    limit: float

    @staticmethod
    def drawn(number: int, percentile: float, shape: tuple[int, int] = _SHAPE) -> Knapsack:
        """The table of that number with its limit at a percentile."""
        rng = np.random.default_rng([_SEED, number])
        costs = rng.lognormal(sigma=0.8, size=shape)
        dearer = (np.log(costs) - np.log(costs).mean()) / np.log(costs).std()
        scores = rng.lognormal(sigma=0.5, size=(shape[0], 1)) * (dearer + rng.standard_normal(shape))
        picks = rng.integers(shape[1], size=(_DRAWN, shape[0]))
        limit = float(np.percentile(costs[np.arange(shape[0]), picks].sum(axis=1), percentile))
        return Knapsack(scores, costs, limit)

    def score(self, picks: npt.NDArray[np.intp]) -> Array:
        """Of networks, shape (n,)."""
        return np.asarray(self.scores[np.arange(len(self.scores)), picks].sum(axis=1))

    @cached_property
    def feasible(self) -> AdditiveFeasible:
        """The networks within the limit."""
        return AdditiveFeasible(self.costs, self.limit)

    @cached_property
    def optimum(self) -> float:
        """The highest score within the limit."""
        return float(self.score(np.array([best_additive(self.scores, self.costs, self.limit)]))[0])

    @cached_property
    def average(self) -> float:
        """Mean score of networks within the limit."""
        return float(self.score(self.feasible.draw(_DRAWN, np.random.default_rng(_SEED))).mean())

    def gap(self, strategy: Strategy, queries: int) -> float:
        """What the best of so many queries lacks to the optimum, as a share of what the average lacks.

        Raises:
            WrongUse: the strategy proposes a network above the limit.
        """
        best, asked = -np.inf, 0
        while asked < queries and (proposed := strategy.ask(queries - asked)):
            rows = np.array(proposed, dtype=np.intp)
            if not self.feasible.contains(rows).all():
                raise WrongUse(f"{type(strategy).__name__} must propose networks within the limit only.")
            found = self.score(rows).tolist()
            strategy.tell([Trial(p, self.limit, True, score) for p, score in zip(proposed, found, strict=True)])
            best, asked = max(best, *found), asked + len(found)
        return (self.optimum - best) / (self.optimum - self.average)


def main() -> None:
    """Search all tables under all limits, print."""
    arguments = _arguments()
    if min(arguments.tables, arguments.queries) < 1:
        raise WrongUse("At least one table and one query are needed.")
    for name in arguments.strategies:
        if name not in STRATEGIES:
            raise unknown_name("strategy", name, STRATEGIES)
    gaps: dict[str, list[list[float]]] = {name: [] for name in arguments.strategies}
    exact_s, spent_s = list[float](), dict.fromkeys(gaps, 0.0)
    with progress_bar("tables") as bar:
        for number in range(arguments.tables):
            bar(number, arguments.tables)
            knapsacks = [Knapsack.drawn(number, percentile) for percentile in _PERCENTILES]
            begun = time.process_time()
            optima = [knapsack.optimum for knapsack in knapsacks]
            exact_s.append((time.process_time() - begun) / len(optima))
            for name, found in gaps.items():
                begun = time.process_time()
                found.append([one.gap(STRATEGIES[name](one.feasible, number), arguments.queries) for one in knapsacks])
                spent_s[name] += time.process_time() - begun
        bar(arguments.tables, arguments.tables)
    rows = {name: _row(np.array(found), spent_s[name]) for name, found in gaps.items()}
    if arguments.json:
        print(json.dumps({"exact_s": float(np.mean(exact_s)), "strategies": rows}, indent=1))
    else:
        _print(rows, float(np.mean(exact_s)), arguments)


def _row(gaps: Array, spent_s: float) -> dict[str, float]:
    """Of gaps of shape (tables, limits)."""
    return {
        **{f"p{percentile}": float(gaps[:, column].mean()) for column, percentile in enumerate(_PERCENTILES)},
        "mean": float(gaps.mean()),
        "spread": float(gaps.std()),
        # Limits of one table are no independent searches: the error of the mean is that over tables.
        "error": float(gaps.mean(axis=1).std(ddof=min(1, len(gaps) - 1)) / len(gaps) ** 0.5),
        "optimal": float((gaps < 1e-9).mean()),
        "search_s": spent_s / gaps.size,
    }


def _print(rows: Mapping[str, Mapping[str, float]], exact_s: float, arguments: argparse.Namespace) -> None:
    units, candidates = _SHAPE
    print(f"machine: {read_device().describe()}")
    print(
        f"{arguments.tables} tables of {units} x {candidates}, limits at the 10th, 30th and 60th percentile of cost, "
        f"{arguments.queries} queries.\n"
        "Gap to the exact optimum, 0 is the optimum, 1 an average network within the limit: mean at each limit, mean\n"
        "over all with its standard error over tables, standard deviation over searches, share of searches that found\n"
        f"the optimum, processor time. The optimum itself takes {exact_s:.2f} s."
    )
    print(f"{'':12}{'10th':>8}{'30th':>8}{'60th':>8}{'mean':>17}{'spread':>9}{'optimal':>9}{'s a search':>12}")
    for name, row in rows.items():
        print(
            f"{name:12}{row['p10']:8.3f}{row['p30']:8.3f}{row['p60']:8.3f}{row['mean']:9.3f} +- {row['error']:.3f}"
            f"{row['spread']:9.3f}{row['optimal']:9.0%}{row['search_s']:12.1f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=20, help="how many, from number 0 on")
    parser.add_argument("--queries", type=int, default=200, help="networks that a strategy may score")
    parser.add_argument("--strategies", nargs="+", default=list(DEFAULT), help=f"of {', '.join(STRATEGIES)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
