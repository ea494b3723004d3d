"""Does a table of blocks predict networks measured whole?

Fills a table of blocks, calibrates it with networks that are measured whole, and predicts other networks: random ones,
and the six that were published, at this input size. None of them had a part in the calibration; they are measured
into another table, and once more into a third, which tells the noise floor: what a measurement says of itself. All
measurements are made in fresh processes, and the script resumes where it was. From the root of the repository:

    python benchmarks/whole_network.py --out runs/whole_network

The full form takes about half an hour on two quiet cores. Each of these takes some minutes, or seconds:

    python benchmarks/whole_network.py --space squeezenas-small --input 64x128 --random 10 --calibration 15
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from devices import PacelineError, Target
from latency import (
    Estimate,
    Measurement,
    ProfilerSettings,
    SamplingPlan,
    Workload,
    is_launch_bound,
    operator_of,
    parts,
)
from lut import Progress, Table, appending, blocks_of, calibrated, fill, fresh_processes
from paceline.options import profiler_settings
from paceline.screen import image_size, progress_bar, size_text
from search import (
    PUBLISHED,
    WHOLE_NETWORK_PLAN,
    Architecture,
    Space,
    balanced_architectures,
    open_published,
    open_space,
)

Array: TypeAlias = npt.NDArray[np.float64]

_CALIBRATION_SEED, _TEST_SEED = 1, 2
_Z90 = 1.645
_TARGET = "target: calibrated within 3 % mean error, at least 85 % within 5 %, coverage of 85 to 95 %"


def main() -> None:
    """Measure, predict, compare, print."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    target = Target("local", "", "", arguments.runtime, arguments.precision)
    settings = profiler_settings(target, arguments.runtime, arguments.threads, arguments.option)
    space = open_space(arguments.space, arguments.input, None, arguments.precision)
    published = _published(arguments.input, arguments.precision) if arguments.published else {}
    trained = [space.network(a) for a in balanced_architectures(space, arguments.calibration, _CALIBRATION_SEED)]
    tested = [*_random_networks(space, arguments.random), *published.values()]
    blocks = [*space.workloads(), *(part for network in published.values() for part in parts(network))]
    files = {name: arguments.out / f"{name}.jsonl" for name in ("blocks", "tested", "again")}
    _measure(files["blocks"], settings, blocks, SamplingPlan().with_rounds(arguments.rounds), "blocks")
    plan = WHOLE_NETWORK_PLAN.with_rounds(arguments.rounds)
    _measure(files["blocks"], settings, trained, plan, "networks to calibrate with")
    _measure(files["tested"], settings, tested, plan, "networks to predict")
    _measure(files["again"], settings, tested, plan, "the same once more")
    _report(files, trained, tested, len(published), arguments)


def _random_networks(space: Space, count: int) -> list[Workload]:
    rng = np.random.default_rng(_TEST_SEED)
    drawn = [tuple(int(rng.integers(len(unit.candidates))) for unit in space.units) for _ in range(count)]
    return [space.network(Architecture(space.name, picks)) for picks in drawn]


def _published(size: tuple[int, int] | None, precision: str) -> dict[str, Workload]:
    found = {}
    for name in PUBLISHED:
        space, architecture = open_published(name, size)
        if precision != "fp32":
            space = open_space(space.name, size, None, precision)
        found[name] = space.network(architecture)
    return found


def _measure(
    file: Path, settings: ProfilerSettings, workloads: Sequence[Workload], plan: SamplingPlan, what: str
) -> None:
    with appending(file) as writer, fresh_processes(settings) as start, progress_bar(what) as bar:

        def tell(progress: Progress) -> None:
            bar(progress.done, progress.wanted)

        # Each table in an order of its own: what the machine did in the meantime must not be the same twice.
        summary = fill(writer, start, workloads, plan, seed=sum(map(ord, file.stem)), tell=tell)
    for failure in summary.failures:
        print(f"failed at {failure.stage}: {failure.workload.describe()}: {failure.reason}", file=sys.stderr)


def _report(
    files: Mapping[str, Path],
    trained: Sequence[Workload],
    tested: Sequence[Workload],
    published: int,
    arguments: argparse.Namespace,
) -> None:
    table, first, again = (Table.read(files[name]) for name in ("blocks", "tested", "again"))
    environment = table.environment()
    calibration = calibrated(_only(table, trained), environment)
    single = blocks_of(table, environment)
    kept = [w for w in tested if all(isinstance(t.outcome(w, environment), Measurement) for t in (first, again))]
    truth, repeated = (_times(t, kept) for t in (first, again))
    plain = np.array([_plain_sum(single, workload) for workload in kept])
    ours = [calibration.estimate(parts(workload)) for workload in kept]
    predictions = {
        "plain sum": plain,
        "plain sum, best scale in hindsight": plain * _best_scale(plain, truth),
        f"calibrated with {calibration.networks} networks": np.array([estimate.mean_s for estimate in ours]),
        "noise floor: measured again": repeated,
    }
    rows = {name: _scores(predicted, truth) for name, predicted in predictions.items()}
    coverage = {
        "stated 90 % intervals": _coverage(ours, truth, np.zeros_like(truth)),
        "with the noise of the networks' own measurement": _coverage(ours, truth, _deviations(first, kept)),
    }
    if arguments.json:
        print(json.dumps({"machine": environment.describe(), "scores": rows, "coverage": coverage}, indent=1))
        return
    print(f"machine: {environment.describe()}")
    print(f"{arguments.space} at {size_text(tested[0].inputs[0][1:])}, {arguments.precision}, {len(single)} blocks")
    print(
        f"predicted: {len(kept)} networks never used for calibration, {published} of them published, "
        f"{truth.min() * 1e3:.3g} to {truth.max() * 1e3:.3g} ms"
    )
    _print_table(rows)
    print("; ".join(f"{name} cover {value:.0%}" for name, value in coverage.items()))
    print(f"left out one by one: {calibration.leave_one_out}, misfit {calibration.misfit:.2%}")
    print(_doubts(table, first))
    print(_launch_bound(table))
    errors = predictions[f"calibrated with {calibration.networks} networks"] / truth - 1
    if published:
        named = zip(list(PUBLISHED)[-published:], errors[-published:], strict=False)
        print("published: " + ", ".join(f"{name} {error:+.1%}" for name, error in named))
    print(_TARGET)


def _only(table: Table, networks: Sequence[Workload]) -> Table:
    """The blocks of ``table`` and no networks but these."""
    wanted = set(networks)
    return Table(o for o in table.values() if o.workload.operator != "network" or o.workload in wanted)


def _plain_sum(blocks: Mapping[Workload, Estimate], network: Workload) -> float:
    return sum(blocks[part].mean_s for part in parts(network) if not operator_of(part).is_free)


def _times(table: Table, workloads: Sequence[Workload]) -> Array:
    return np.array([_measured(table, workload).time_s for workload in workloads])


def _deviations(table: Table, workloads: Sequence[Workload]) -> Array:
    return np.array([_measured(table, workload).estimate().standard_deviation_s for workload in workloads])


def _measured(table: Table, workload: Workload) -> Measurement:
    outcome = table.outcome(workload, table.environment())
    assert isinstance(outcome, Measurement)
    return outcome


def _best_scale(predicted: Array, truth: Array) -> float:
    """The factor with the least mean error, by looking at the answers: no honest method can have a better one."""
    scales = truth / predicted
    return float(min(scales, key=lambda scale: np.abs(predicted * scale / truth - 1).mean()))


def _scores(predicted: Array, truth: Array) -> dict[str, float]:
    from scipy.stats import spearmanr

    errors = np.abs(predicted / truth - 1)
    return {
        "mean error": float(errors.mean()),
        "within 5 %": float(np.mean(errors <= 0.05)),
        "within 10 %": float(np.mean(errors <= 0.1)),
        "largest": float(errors.max()),
        "Spearman": float(spearmanr(predicted, truth).statistic),
    }


def _coverage(estimates: Sequence[Estimate], truth: Array, noise_s: Array) -> float:
    means = np.array([estimate.mean_s for estimate in estimates])
    deviations = np.hypot([estimate.standard_deviation_s for estimate in estimates], noise_s)
    return float(np.mean(np.abs(means - truth) <= _Z90 * deviations))


def _print_table(rows: Mapping[str, Mapping[str, float]]) -> None:
    names = list(next(iter(rows.values())))
    print(f"{'':36}" + "".join(f"{name:>12}" for name in names))
    for row, scores in rows.items():
        cells = (f"{v:12.4f}" if name == "Spearman" else f"{v:12.1%}" for name, v in scores.items())
        print(f"{row:36}" + "".join(cells))


def _launch_bound(table: Table) -> str:
    """Share of workloads that the host launches no faster than the device runs them, where that is known."""
    known = [is_launch_bound(o) for o in table.values() if isinstance(o, Measurement)]
    told = [bound for bound in known if bound is not None]
    return f"launch-bound: {sum(told)} of {len(told)} workloads" if told else "launch-bound workloads: not told"


def _doubts(table: Table, networks: Table) -> str:
    """How trustworthy the measurements were."""

    def said(of: Table) -> str:
        rows = [o for o in of.values() if isinstance(o, Measurement)]
        widths = np.median([row.relative_half_width for row in rows])
        disturbed = np.mean([burst.disturbed for row in rows for burst in row.bursts])
        return f"95 % intervals +-{widths:.1%} (median), {disturbed:.0%} of bursts disturbed"

    return f"blocks: {said(table)}; networks: {said(networks)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog=_TARGET.replace("%", "%%"),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/whole_network"), help="folder for the three tables")
    parser.add_argument("--space", default="squeezenas-large", help="search space")
    parser.add_argument("--input", type=image_size, default="256x512", help="height and width of the image")
    parser.add_argument("--runtime", default="onnxruntime-cpu", help="runtime to measure with")
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE, option of the runtime")
    parser.add_argument("--precision", default="fp32", help="fp32 or fp16")
    parser.add_argument("--threads", type=int, default=1, help="threads inside an operator")
    parser.add_argument("--calibration", type=int, default=30, help="networks to calibrate with")
    parser.add_argument("--random", type=int, default=36, help="random networks to predict")
    parser.add_argument("--rounds", type=int, default=SamplingPlan.most_bursts, help="most rounds of each measurement")
    parser.add_argument("--published", action=argparse.BooleanOptionalAction, default=True, help="predict these, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
