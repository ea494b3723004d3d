"""What does it cost to measure only a part of a table and to predict the rest?

Measures all blocks of a space once, into a table. Then that table is filled anew from its own rows, 10, 20 and 50 % of
them: chosen as ``profile-device --fraction`` chooses, and, for comparison, at random with 20 seeds and predicted by the
same cost model. What was predicted is held against what was measured, block by block and as sums over random networks.
Everything is measured in fresh processes, and the script resumes where it was. From the root of the repository:

    python benchmarks/gap_filling.py --out runs/gap_filling

The full form takes a quarter of an hour on two quiet cores. This takes a minute:

    python benchmarks/gap_filling.py --space demo --input 64x128 --rounds 2 --seeds 3
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import PacelineError, WrongUse, find_target
from latency import (
    ChosenByCrossValidation,
    Environment,
    Estimate,
    Measurement,
    Outcome,
    SamplingPlan,
    Timings,
    Workload,
)
from lut import (
    Lookup,
    Progress,
    Scope,
    Table,
    Unmeasured,
    appending,
    fill,
    fill_most_telling,
    fresh_processes,
    measurable,
    sum_of_picks,
)
from paceline.options import profiler_settings
from paceline.screen import fraction, image_size, progress_bar, size_text
from search import Space, open_space

Array: TypeAlias = npt.NDArray[np.float64]

_NETWORKS_SEED = 2
_Z90, _CONFIDENCE = 1.645, 0.95
_ONE_ROUND = SamplingPlan().with_rounds(1)


@final
class Recorded:
    """Measures nothing again: gives what the full table has of a workload."""

    def __init__(self, table: Table) -> None:
        self.environment: Environment = table.environment()
        self._table = table

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """The row of ``workload``."""
        outcome = self._table.outcome(workload, self.environment)
        assert outcome is not None, "the table is full"
        return outcome


@dataclass(frozen=True)
class Scores:
    """How far off what was predicted is from what was measured.

    Attributes:
        measured: blocks that were measured.
        error: mean of |predicted / measured - 1| over the rest.
        rmspe: root of the mean of its square.
        within_10: share of the rest that is within 10 %.
        coverage: share of the rest that is inside the stated 90 % interval.
        networks: mean of |sum with predictions / sum of measurements - 1| over random networks.
        networks_p95: its 95th percentile.
        networks_coverage: share of the networks that are inside their stated 90 % interval.
        bound: share of the networks below the upper bound that --confidence 95% holds against a limit.
    """

    measured: int
    error: float
    rmspe: float
    within_10: float
    coverage: float
    networks: float
    networks_p95: float
    networks_coverage: float
    bound: float


def main() -> None:
    """Measure, leave out, predict, compare, print."""
    arguments = _arguments()
    space = open_space(arguments.space, arguments.input, None)
    file = arguments.table or arguments.out / "full.jsonl"
    if arguments.table is None:
        _measure(file, space, arguments)
    full = _without_failures(Table.read(file), space)
    rng = np.random.default_rng(_NETWORKS_SEED)
    networks = rng.integers(0, [len(unit) for unit in space.grid], (arguments.networks, len(space.grid)))
    rows = dict[str, list[Scores]]()
    with progress_bar("predicting") as bar:
        steps = len(arguments.fractions) * (1 + arguments.seeds)
        for number, share in enumerate(arguments.fractions):
            bar(number * (1 + arguments.seeds), steps, f"{share:.0%}")
            ours = _chosen(full, space, share)
            rows[f"{share:.0%} chosen"] = [_scores(ours, full, space, networks)]
            count = rows[f"{share:.0%} chosen"][0].measured
            rows[f"{share:.0%} at random"] = found = []
            for seed in range(arguments.seeds):
                bar(number * (1 + arguments.seeds) + seed + 1, steps, f"{share:.0%}")
                found.append(_scores(_at_random(full, space, count, seed), full, space, networks))
    _print(full, space, rows, arguments)


def _measure(file: Path, space: Space, arguments: argparse.Namespace) -> None:
    settings = profiler_settings(find_target("local"), arguments.runtime, arguments.threads, arguments.option)
    plan = SamplingPlan().with_rounds(arguments.rounds)
    with appending(file) as writer, fresh_processes(settings) as start, progress_bar("measuring all") as bar:

        def tell(progress: Progress) -> None:
            bar(progress.done, progress.wanted)

        fill(writer, start, space.workloads(), plan, tell=tell)


def _without_failures(table: Table, space: Space) -> Table:
    """The rows of the space; nothing can be compared with a failure.

    Raises:
        WrongUse: rows are missing or failed.
    """
    environment = table.environment()
    outcomes = [table.outcome(workload, environment) for workload in measurable(space.workloads())]
    known = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    if len(known) < len(outcomes):
        raise WrongUse(f"The table must have every block of {space.name} measured; {len(outcomes) - len(known)} lack.")
    return Table(known)


def _chosen(full: Table, space: Space, share: float) -> Table:
    """The table that ``profile-device --fraction`` makes, were each of its bursts as good as the whole row."""
    recorded = Recorded(full)
    with tempfile.TemporaryDirectory() as folder, appending(Path(folder) / "part.jsonl") as writer:
        fill_most_telling(
            writer,
            lambda usual_s: nullcontext(recorded),
            space.workloads(),
            _ONE_ROUND,
            Scope(share),
            ChosenByCrossValidation,
            always=space.fixed,
        )
        return writer.table


def _at_random(full: Table, space: Space, count: int, seed: int) -> Table:
    """A table with what every network has and others drawn at random, the rest predicted by the same model."""
    environment = full.environment()
    everything = measurable(space.workloads())
    sure = measurable(space.fixed)
    others = [workload for workload in everything if workload not in sure]
    picked = np.random.default_rng(seed).permutation(len(others))[: count - len(sure)]
    measured = [*sure, *(others[index] for index in picked)]
    table = Table(o for w in measured if (o := full.outcome(w, environment)) is not None)
    rest = [workload for workload in everything if workload not in set(measured)]
    timings = Timings.of(o for o in table.values() if isinstance(o, Measurement))
    estimates = ChosenByCrossValidation().fit(timings).estimate(rest)
    for index, workload in enumerate(rest):
        table.add_estimate(workload, environment, estimates[index])
    return table


def _scores(part: Table, full: Table, space: Space, networks: npt.NDArray[np.integer]) -> Scores:
    environment = full.environment()
    rest: Sequence[Unmeasured] = part.unmeasured()
    truth = np.array([_known(full, row.workload, environment).mean_s for row in rest])
    means = np.array([row.estimate.mean_s for row in rest])
    deviations = np.array([row.estimate.standard_deviation_s for row in rest])
    errors = np.abs(means / truth - 1)
    mixed, exact = (Lookup.read(table, space.grid, space.fixed) for table in (part, full))
    sums, exact_sums = (sum_of_picks(look.mean_s, look.fixed.mean_s, networks) for look in (mixed, exact))
    off = np.abs(sums / exact_sums - 1)
    upper_s, upper_fixed_s = mixed.upper_s(_CONFIDENCE)
    widths = np.array([mixed.estimate(picks).standard_deviation_s for picks in networks])
    return Scores(
        measured=len(part),
        error=float(errors.mean()),
        rmspe=math.sqrt(float((errors**2).mean())),
        within_10=float((errors <= 0.1).mean()),
        coverage=float((np.abs(means - truth) <= _Z90 * deviations).mean()),
        networks=float(off.mean()),
        networks_p95=float(np.quantile(off, 0.95)),
        networks_coverage=float((np.abs(sums - exact_sums) <= _Z90 * widths).mean()),
        bound=float((exact_sums <= sum_of_picks(upper_s, upper_fixed_s, networks)).mean()),
    )


def _known(table: Table, workload: Workload, environment: Environment) -> Estimate:
    found = table.estimate(workload, environment)
    assert found is not None
    return found


_COLUMNS: Mapping[str, str] = {
    "error": "error",
    "rmspe": "RMSPE",
    "within_10": "in 10 %",
    "coverage": "covered",
    "networks": "networks",
    "networks_p95": "their p95",
    "networks_coverage": "covered",
    "bound": "bounded",
}


def _print(full: Table, space: Space, rows: Mapping[str, Sequence[Scores]], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps({name: [vars(scores) for scores in found] for name, found in rows.items()}, indent=1))
        return
    widths = [o.relative_half_width for o in full.values() if isinstance(o, Measurement)]
    print(f"machine: {full.environment().describe()}")
    print(
        f"{space.name} at {size_text(space.input_size)}: {len(full)} blocks, 95 % intervals +-{np.median(widths):.1%} "
        f"(median); {arguments.networks} random networks; at random: mean of {arguments.seeds} seeds"
    )
    print(f"{'measured':22}{'blocks':>8}" + "".join(f"{title:>11}" for title in _COLUMNS.values()))
    for name, found in rows.items():
        cells = "".join(f"{np.mean([getattr(scores, field) for scores in found]):11.1%}" for field in _COLUMNS)
        print(f"{name:22}{found[0].measured:8d}{cells}")
    for share in arguments.fractions:
        ours, random = rows[f"{share:.0%} chosen"][0], rows[f"{share:.0%} at random"]
        beaten = sum(ours.rmspe < other.rmspe for other in random)
        ratio = ours.rmspe / float(np.mean([other.rmspe for other in random]))
        print(f"{share:.0%}: RMSPE chosen / at random {ratio:.2f}; better than {beaten} of {len(random)} seeds")
    print("covered: share inside the stated 90 % interval; bounded: share below the bound of --confidence 95%")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/gap_filling"), help="folder for the table")
    parser.add_argument("--table", type=Path, help="a full table of the space; nothing is measured then")
    parser.add_argument("--space", default="squeezenas-large", help="search space")
    parser.add_argument("--input", type=image_size, default="256x512", help="height and width of the image")
    parser.add_argument("--runtime", help="runtime to measure with")
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE, option of the runtime")
    parser.add_argument("--threads", type=int, default=1, help="threads inside an operator")
    parser.add_argument("--rounds", type=int, default=SamplingPlan.most_bursts, help="most rounds of each block")
    parser.add_argument("--fractions", type=fraction, nargs="+", default=[0.1, 0.2, 0.5], help="parts to measure")
    parser.add_argument("--seeds", type=int, default=20, help="random choices to compare with")
    parser.add_argument("--networks", type=int, default=300, help="random networks to sum up")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
