"""Does the controller learn? Mean reward over the run, against random search at equal queries.

REINFORCE searches two spaces within a limit: whole networks of 22 units with 13 candidates whose score is a sum (a
table of ``exact_gap.py``, limit at the 30th percentile of cost), and the cells of NAS-Bench-201 by their validation
accuracy after 12 epochs, latency on one device at most its 30th percentile. What is told of a query is the score of the
network that was asked for. A strategy that learns asks for better networks the longer it runs; uniform draws stay where
they are, or fall when the best have been drawn, as no network is asked for twice. The controller runs twice: as it
comes, and by rewards alone: without imitating the best of its networks, at half the rate. It was tuned on cifar10 and
on other tables. From the root of the repository:

    python benchmarks/reinforce_learns.py --data ../shared/data/nasbench201.npz --out runs/reinforce_learns

Without --data there are only the networks, without --out no plot. This takes seconds:

    python benchmarks/reinforce_learns.py --seeds 2 --queries 100
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any, TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.exact_gap import Knapsack
from devices import NotAvailable, PacelineError, WrongUse, unknown_name
from paceline.screen import progress_bar
from search import (
    FeasibleSet,
    ListedFeasible,
    ReinforceController,
    Strategy,
    TabularBenchmark,
    Trial,
    UniformStrategy,
)

Array: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = Callable[[tuple[int, ...]], float]

STRATEGIES: Mapping[str, Callable[[FeasibleSet, int], Strategy]] = {
    "random": UniformStrategy,
    "rewards alone": partial(ReinforceController, imitation=0.0, rate=0.05),
    "REINFORCE": ReinforceController,
}

_LOOKS = (("#5b6370", ":"), ("#0072b2", "--"), ("#d55e00", "-"))
"""Colours of Okabe and Ito and lines of the strategies, in order: told apart without colours, too."""

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
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        _draw(results, arguments.queries, arguments.out / "reinforce_learns.png")
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    print(f"Mean score of each tenth of {arguments.queries} queries, +- its standard deviation over {arguments.seeds}")
    print("seeds; gain over random at the same queries and seed, +- its standard error; the best of all queries.")
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
    gains = {name: of - parts["random"] for name, of in parts.items() if name != "random"}
    best = {name: np.stack(rewards).max(axis=1) for name, rewards in found.items()}
    return {
        "problem": problem.name,
        "scores": {name: {"mean": of.mean(axis=0).tolist(), "spread": _spread(of)} for name, of in parts.items()},
        "gains": {
            name: {"mean": of.mean(axis=0).tolist(), "error": (np.array(_spread(of)) / seeds**0.5).tolist()}
            for name, of in gains.items()
        },
        "best": {name: {"mean": float(of.mean()), "spread": float(of.std(ddof=1))} for name, of in best.items()},
    }


def _spread(parts: Array) -> list[float]:
    return [float(spread) for spread in parts.std(axis=0, ddof=1)]


def _print(result: Mapping[str, Any]) -> None:
    scores, gains, best = result["scores"], result["gains"], result["best"]
    headings = [*scores, *(f"gain, {name}" for name in gains)]
    print(f"\n{result['problem']}\n{'tenth':>6}" + "".join(f"{heading:>21}" for heading in headings))
    for part in range(_BLOCKS):
        cells = [f"{of['mean'][part]:.3f} +- {of['spread'][part]:.3f}" for of in scores.values()]
        cells += [f"{of['mean'][part]:.3f} +- {of['error'][part]:.3f}" for of in gains.values()]
        print(f"{part + 1:6}" + "".join(f"{cell:>21}" for cell in cells))
    print(f"{'best':>6}" + "".join(f"{of['mean']:>12.3f} +- {of['spread']:.3f}" for of in best.values()))


def _draw(results: Sequence[Mapping[str, Any]], queries: int, file: Path) -> None:
    """Mean scores over the run, with a band of a standard deviation, one panel for each problem.

    Raises:
        NotAvailable: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotAvailable("The plot needs matplotlib. pip install 'paceline[report]', or leave out --out.") from error
    figure = Figure(figsize=(6 * len(results), 4), layout="constrained")
    middles = (np.arange(_BLOCKS) + 0.5) * queries / _BLOCKS
    for axis, result in zip(np.ravel(figure.subplots(1, len(results))), results, strict=True):
        for (name, of), (colour, dashes) in zip(result["scores"].items(), _LOOKS, strict=True):
            mean, spread = np.array(of["mean"]), np.array(of["spread"])
            axis.plot(middles, mean, dashes, color=colour, label=name)
            axis.fill_between(middles, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        axis.set_title("\n".join(wrap(result["problem"], 60)), fontsize="small")
        axis.set_xlabel("queries")
        axis.set_ylabel("mean score of a tenth of the run")
        axis.legend(frameon=False)
    figure.savefig(file, dpi=150)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="file of the layout of nasbench201.npz; without, no cells")
    parser.add_argument("--device", default="raspi4", help="of the file, whose latency is limited")
    parser.add_argument("--dataset", default="cifar100", help="cifar10, cifar100 or imagenet16")
    parser.add_argument("--queries", type=int, default=1000, help="networks that are scored in a run")
    parser.add_argument("--seeds", type=int, default=10, help="runs, from seed 0 on")
    parser.add_argument("--out", type=Path, help="folder for the plot; without, there is none")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
