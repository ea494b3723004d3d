"""Which search finds the most accurate cells of NAS-Bench-201 within a latency, given 200 queries?

Every device of the file, limits at the 10th, 30th and 60th percentile of its latencies. A query is the validation
accuracy of a cell after 12 epochs; a search returns the best of its 200, and what counts is the test accuracy of that
cell after 200 epochs: its regret is what it lacks to the best cell within the limit. Ours against Optuna's TPE and
NSGA-II and pymoo's GA, in one run, from the same seeds. From the root of the repository:

    python benchmarks/nasbench201_limit.py --data ../shared/data/nasbench201.npz --processes 2 --out runs/limit.jsonl

That takes hours, most of them TPE's, and goes on where it was when it is run again. This takes a minute:

    python benchmarks/nasbench201_limit.py --seeds 1 --devices raspi4 --limits 30 --queries 100

The floor is the cell of highest 12-epoch accuracy: no search can be expected to return better ones in the long run than
the score it is given knows; a search that leaves out lucky cells sometimes does.

What is fair to the others: proposals above the limit and repeated ones cost them nothing, as a look at the table tells
(see search_peers.py), and pymoo's GA may end the generation in which its queries run out. Their populations are the
best of several on cifar10, and what we chose ourselves was chosen on cifar10 and every other device, too. So cifar10 is
not what to report.

Differences are paired: same device, limit and seed. Their standard errors are told twice. Over seeds, as if other seeds
were drawn for these devices and limits: devices share their seeds, so that a seed's mean over them is one observation.
Over problems: as if other devices and limits were drawn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.nasbench201_limit_shown import Array, Found, Outcome, Results, Task
from benchmarks.search_peers import PEERS, Queries
from devices import PacelineError, WrongUse
from paceline.screen import progress_bar
from search import (
    FeasibleSet,
    Goal,
    ListedCost,
    Nsga2,
    RegularizedEvolution,
    ReinforceController,
    Strategy,
    SurrogateSearch,
    TabularBenchmark,
    UniformStrategy,
    feasible_set,
    run,
)

OURS: Mapping[str, Callable[[FeasibleSet, int], Strategy]] = {
    "random": UniformStrategy,
    "evolution": RegularizedEvolution,
    "REINFORCE": ReinforceController,
    "NSGA-II": Nsga2,
    "surrogate": SurrogateSearch,
}
SEARCHES = (*OURS, *PEERS)


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """A device with a limit.

    Attributes:
        cost: latency of every cell.
        limit_s: what a cell may take at most.
        scores: what a query gives, shape (cells,), in percent.
        truth: what counts, shape (cells,), in percent.
    """

    cost: ListedCost
    limit_s: float
    scores: Array
    truth: Array

    @staticmethod
    def of(benchmark: TabularBenchmark, dataset: str, device: str, percentile: float) -> Problem:
        """One device of a file with its limit at a percentile of its latencies."""
        cost = benchmark.cost("latency", device)
        scores, truth = (benchmark.scores[column.format(dataset)] for column in _COLUMNS)
        return Problem(cost, float(np.nanpercentile(cost.costs, percentile)), scores, truth)

    @cached_property
    def feasible(self) -> FeasibleSet:
        """The cells within the limit."""
        return feasible_set([Goal(self.cost, self.limit_s)])

    @cached_property
    def floor(self) -> float:
        """Regret of the cell of highest score within the limit."""
        within = np.flatnonzero(self.cost.costs <= self.limit_s)
        return self._regrets(within[self.scores[within].argmax()])[0]

    def score(self, picks: tuple[int, ...]) -> float:
        """What a query gives."""
        return float(self.scores[self._row(picks)])

    def violation(self, picks: tuple[int, ...]) -> float:
        """Share by which a cell is above the limit; NaN for one that is not listed or failed."""
        return self.cost.cost_of(picks) / self.limit_s - 1

    def outcome(self, name: str, seed: int, queries: int) -> Outcome:
        """Search and look at what comes back."""
        begun = time.perf_counter()
        asked = Queries(self.score, self.violation, queries)
        over = 0
        if name in OURS:
            strategy = OURS[name](self.feasible, seed)
            trials = run(strategy, lambda picks: asked.ask(picks)[0], self.cost, self.limit_s, queries)
            over = sum(not trial.feasible for trial in trials)
        else:
            PEERS[name](asked, self.feasible.sizes, seed)
        best = max(asked.scores, key=lambda picks: (asked.scores[picks], -self.cost.cost_of(picks)))
        regret, gap = self._regrets(self._row(best))
        return Outcome(regret, gap, len(asked.scores), asked.proposals, over, time.perf_counter() - begun)

    def _regrets(self, row: int) -> tuple[float, float]:
        """What a cell lacks to the best within the limit, by what counts and by score."""
        within = self.cost.costs <= self.limit_s
        regret, gap = (float(values[within].max() - values[row]) for values in (self.truth, self.scores))
        return regret, gap

    def _row(self, picks: tuple[int, ...]) -> int:
        row = self.cost.networks.row(picks)
        if row is None:
            raise WrongUse(f"The file has no cell {picks}.")
        return row


_COLUMNS = ("accuracy_12ep_val/{}", "accuracy_200ep_test/{}")


def main() -> None:
    """Search, print."""
    arguments = _arguments()
    benchmark = _read(arguments.data)
    devices = arguments.devices or list(benchmark.latency_s)
    for device in devices:
        benchmark.cost("latency", device)  # Says which there are.
    if any(column.format(arguments.dataset) not in benchmark.scores for column in _COLUMNS):
        raise WrongUse(
            f"{arguments.data} has no accuracies on {arguments.dataset}; it has {', '.join(benchmark.scores)}."
        )
    if min(arguments.seeds, arguments.queries, arguments.processes) < 1:
        raise WrongUse("Seeds, queries and processes must be 1 or more.")
    if unknown := set(arguments.searches) - set(SEARCHES):
        raise WrongUse(f"There is no search {', '.join(sorted(unknown))}; there are {', '.join(SEARCHES)}.")
    tasks = [
        (arguments.dataset, device, percentile, seed)
        for seed in range(arguments.seeds)
        for device in devices
        for percentile in arguments.limits
    ]
    results = _results(tasks, arguments)
    problems = list(dict.fromkeys(task[:3] for task in tasks))
    floor = np.array([Problem.of(benchmark, *problem).floor for problem in problems])
    found = Found.of(results, floor, tasks, arguments.searches, arguments.queries)
    print(json.dumps(found.to_json(), indent=1) if arguments.json else found.text())


def _results(tasks: Sequence[Task], arguments: argparse.Namespace) -> Results:
    """Every search of every task: those of an earlier run from its file, the others made."""
    wanted = (arguments.data, arguments.queries, tuple(arguments.searches))
    known = _earlier(arguments.out, arguments.queries)
    results: Results = {task: dict(known.get(task, {})) for task in tasks}
    missing = [task for task in tasks if set(arguments.searches) - set(results[task])]
    with progress_bar("searches") as bar:
        for done, (task, outcomes) in enumerate(_searched(missing, wanted, results, arguments.processes)):
            bar(done, len(missing), f"{task[1]}, seed {task[3]}")
            results[task].update(outcomes)
            _append(arguments.out, task, arguments.queries, outcomes)
        bar(len(missing), len(missing))
    return results


def _searched(
    missing: Sequence[Task], wanted: tuple[Path, int, tuple[str, ...]], known: Results, processes: int
) -> Iterator[tuple[Task, dict[str, Outcome]]]:
    """Tasks as they are done, with the outcomes that were missing."""
    data, queries, names = wanted
    left = {task: tuple(name for name in names if name not in known[task]) for task in missing}
    if processes == 1:
        yield from ((task, _task(data, task, queries, left[task])) for task in missing)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        running = {pool.submit(_task, data, task, queries, left[task]): task for task in missing}
        for done in as_completed(running):
            yield running[done], done.result()


def _task(data: Path, task: Task, queries: int, names: Sequence[str]) -> dict[str, Outcome]:
    dataset, device, percentile, seed = task
    problem = Problem.of(_read(data), dataset, device, percentile)
    return {name: problem.outcome(name, seed, queries) for name in names}


@cache
def _read(data: Path) -> TabularBenchmark:
    """The file, once for each process.

    Raises:
        WrongUse: it is missing or of another layout.
    """
    if not data.exists():
        raise WrongUse(f"{data} is missing. Name a file of the layout of nasbench201.npz with --data.")
    return TabularBenchmark.read(data)


def _earlier(out: Path | None, queries: int) -> Results:
    """What an earlier run wrote; a line that it was killed in the middle of is left out."""
    results: Results = {}
    lines = out.read_text(encoding="utf-8").split("\n")[:-1] if out is not None and out.exists() else []
    for line in lines:
        try:
            row = json.loads(line)
            if row["queries"] == queries:
                outcomes = {name: Outcome(**values) for name, values in row["outcomes"].items()}
                results.setdefault(tuple(row["task"]), {}).update(outcomes)
        except (ValueError, KeyError, TypeError) as error:
            raise WrongUse(f"{out} is no file of this benchmark ({error}). Name another with --out.") from error
    return results


def _append(out: Path | None, task: Task, queries: int, outcomes: Mapping[str, Outcome]) -> None:
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    row = {"task": task, "queries": queries, "outcomes": {name: asdict(outcome) for name, outcome in outcomes.items()}}
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/nasbench201.npz"), help="the benchmark")
    parser.add_argument("--dataset", default="cifar100", help="cifar10, cifar100 or imagenet16")
    parser.add_argument("--devices", nargs="+", help="only these; all of the file without")
    parser.add_argument("--limits", nargs="+", type=float, default=[10.0, 30.0, 60.0], help="percentiles of latency")
    parser.add_argument("--queries", type=int, default=200, help="cells that may be scored")
    parser.add_argument("--seeds", type=int, default=20, help="from 0 on")
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), metavar="NAME", help="only these")
    parser.add_argument("--processes", type=int, default=1, help="how many search side by side")
    parser.add_argument("--out", type=Path, help="file of JSON lines to keep outcomes in and to go on from")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
