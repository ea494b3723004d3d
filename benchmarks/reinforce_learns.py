"""Does the controller learn? Mean reward over the run, against random search at equal queries.

REINFORCE searches two spaces within a limit: whole networks of 22 units with 13 candidates whose score is a sum (a
table of ``exact_gap.py``, limit at the 30th percentile of cost), and the cells of NAS-Bench-201 by their validation
accuracy after 12 epochs, latency on one device at most its 30th percentile. The reward of a query is the score of the
network that was asked for. A strategy that learns asks for better networks the longer it runs; uniform draws stay where
they are, or fall when the best have been drawn, as no network is asked for twice. From the root of the repository:

    python benchmarks/reinforce_learns.py --data ../shared/data/nasbench201.npz

Without --data there are only the networks. This takes seconds:

    python benchmarks/reinforce_learns.py --seeds 2 --queries 100
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.exact_gap import Knapsack
from devices import PacelineError, WrongUse, unknown_name
from paceline.screen import progress_bar
from search.strategies import FeasibleSet, ListedFeasible, ReinforceController, Strategy, Trial, UniformStrategy
from search.tabular_benchmark import TabularBenchmark

Array: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = Callable[[tuple[int, ...]], float]

STRATEGIES: Mapping[str, Callable[[FeasibleSet, int], Strategy]] = {
    "random": UniformStrategy,
    "REINFORCE": ReinforceController,
}

_PERCENTILE = 30
_BLOCKS = 10
"""Parts of a run that are told one by one."""


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """A space with a limit and a score.

    Attributes:
        name: for the heading.
        feasible: the networks within the limit.
        score: of one of them.
    """

    name: str
    feasible: FeasibleSet
    score: Score

    def rewards(self, strategy: Strategy, queries: int) -> Array:
        """The score of every network that was asked for, in order, shape (queries,).

        Raises:
            WrongUse: the set has fewer networks, or the strategy proposes one above the limit.
        """
        found = list[float]()
        while len(found) < queries:
            asked = strategy.ask(queries - len(found))
            if not asked or not self.feasible.contains(np.array(asked, dtype=np.intp)).all():
                raise WrongUse(f"{type(strategy).__name__} must propose {queries} networks within the limit.")
            scores = [self.score(picks) for picks in asked]
            strategy.tell([Trial(picks, None, True, score) for picks, score in zip(asked, scores, strict=True)])
            found += scores
        return np.array(found)


def networks() -> Problem:
    """Whole networks whose score is a sum."""
    knapsack = Knapsack.drawn(0, _PERCENTILE)
    return Problem(
        "networks of 22 units x 13 candidates, score a sum",
        knapsack.feasible,
        lambda picks: float(knapsack.score(np.array([picks]))[0]),
    )


def cells(file: Path, device: str, images: str) -> Problem:
    """The cells of NAS-Bench-201 within a latency.

    Raises:
        WrongUse: the file cannot be read, or has no such device or data set.
    """
    benchmark = TabularBenchmark.read(file)
    column = f"accuracy_12ep_val/{images}"
    if device not in benchmark.latency_s or column not in benchmark.scores:
        name, known = (device, benchmark.latency_s) if device not in benchmark.latency_s else (column, benchmark.scores)
        raise unknown_name(f"array of {file}", name, known)
    latency_s, scores = benchmark.latency_s[device], benchmark.scores[column]
    limit_s = float(np.nanpercentile(latency_s, _PERCENTILE))
    rows = {tuple(picks): row for row, picks in enumerate(benchmark.networks.picks.tolist())}
    return Problem(
        f"cells of NAS-Bench-201 within {limit_s * 1e3:.4g} ms on {device}, {images}, validation accuracy in %",
        ListedFeasible(benchmark.networks.picks, latency_s, limit_s),
        lambda picks: float(scores[rows[picks]]),
    )


def blocks(rewards: Array) -> Array:
    """Mean reward of each part of each run: from shape (seeds, queries) to (seeds, parts)."""
    return np.stack([part.mean(axis=1) for part in np.array_split(rewards, _BLOCKS, axis=1)], axis=1)


def main() -> None:
    """Search, print."""
    arguments = _arguments()
    if arguments.seeds < 2 or arguments.queries < _BLOCKS:
        raise WrongUse(f"At least 2 seeds and {_BLOCKS} queries are needed.")
    problems = [networks()]
    if arguments.data is not None:
        problems.append(cells(arguments.data, arguments.device, arguments.dataset))
    results = [_searched(problem, arguments.seeds, arguments.queries) for problem in problems]
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    print(f"Mean reward of each tenth of {arguments.queries} queries, +- its standard deviation over {arguments.seeds}")
    print("seeds; gain of REINFORCE over random at the same queries and seed, +- its standard error.")
    for result in results:
        _print(result)


def _searched(problem: Problem, seeds: int, queries: int) -> dict[str, Any]:
    found = dict[str, list[Array]]((name, []) for name in STRATEGIES)
    with progress_bar("seeds") as bar:
        for seed in range(seeds):
            bar(seed, seeds, problem.name)
            for name, make in STRATEGIES.items():
                found[name].append(problem.rewards(make(problem.feasible, seed), queries))
        bar(seeds, seeds)
    parts = {name: blocks(np.stack(rewards)) for name, rewards in found.items()}
    gain = parts["REINFORCE"] - parts["random"]
    best = {name: np.stack(rewards).max(axis=1) for name, rewards in found.items()}
    return {
        "problem": problem.name,
        **{name: {"mean": of.mean(axis=0).tolist(), "spread": of.std(axis=0).tolist()} for name, of in parts.items()},
        "gain": {"mean": gain.mean(axis=0).tolist(), "error": (gain.std(axis=0, ddof=1) / seeds**0.5).tolist()},
        "best": {name: {"mean": float(of.mean()), "spread": float(of.std())} for name, of in best.items()},
    }


def _print(result: Mapping[str, Any]) -> None:
    print(f"\n{result['problem']}\n{'tenth':>6}{'random':>20}{'REINFORCE':>20}{'gain':>20}")
    gain = result["gain"]
    for part in range(_BLOCKS):
        columns = [f"{result[name]['mean'][part]:.3f} +- {result[name]['spread'][part]:.3f}" for name in STRATEGIES]
        columns.append(f"{gain['mean'][part]:.3f} +- {gain['error'][part]:.3f}")
        print(f"{part + 1:6}" + "".join(f"{column:>20}" for column in columns))
    columns = [f"{result['best'][name]['mean']:.3f} +- {result['best'][name]['spread']:.3f}" for name in STRATEGIES]
    print(f"{'best':>6}" + "".join(f"{column:>20}" for column in columns))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="file of the layout of nasbench201.npz; without, no cells")
    parser.add_argument("--device", default="raspi4", help="of the file, whose latency is limited")
    parser.add_argument("--dataset", default="cifar100", help="cifar10, cifar100 or imagenet16")
    parser.add_argument("--queries", type=int, default=1000, help="networks that are scored in a run")
    parser.add_argument("--seeds", type=int, default=10, help="runs, from seed 0 on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
