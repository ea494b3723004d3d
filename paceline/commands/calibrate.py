"""``paceline table calibrate``: measure some networks whole and learn from them what a network does to its blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from devices import WrongUse, find_target
from latency import (
    LEAST_NETWORKS,
    Calibration,
    Environment,
    Estimate,
    Measurement,
    Outcome,
    SamplingPlan,
    WholeNetwork,
    Workload,
    is_network,
    nothing_measured,
    unique,
)
from lut import (
    FillSummary,
    Progress,
    Table,
    TableWriter,
    appending,
    blocks_of,
    calibrated,
    fill,
    networks_of,
)
from paceline.commands.fill_summary import failures_in_words, failures_json
from paceline.commands.profile_device import Again, again_rule
from paceline.options import (
    Classes,
    InputSize,
    Json,
    NetworkRounds,
    Options,
    Runtime,
    Seed,
    SpaceName,
    TablePrecision,
    TargetName,
    Threads,
    look_up,
    precision_of,
)
from paceline.place import Place, measuring_place
from paceline.screen import progress_bar, say, show_json, show_table, size_text
from search import WHOLE_NETWORK_PLAN, Space, balanced_architectures, open_space

_CLOSE = 0.05


def calibrate(
    path: Annotated[Path, typer.Argument(help="A table that profile-device filled for the space.")],
    space: SpaceName = "squeezenas-small",
    input_size: InputSize = None,
    classes: Classes = None,
    networks: Annotated[
        int, typer.Option("--networks", min=0, help="Networks to measure whole. 0: learn from those the table has.")
    ] = 30,
    rounds: NetworkRounds = WHOLE_NETWORK_PLAN.most_bursts,
    target: TargetName = "local",
    runtime: Runtime = None,
    threads: Threads = 1,
    precision: TablePrecision = None,
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    seed: Seed = 0,
    again: Again = "none",
    as_json: Json = False,
) -> None:
    """Make sums of blocks predict whole networks.

    A block inside a network is faster or slower than alone: data is in the cache or not, layouts change at borders,
    calls are fused. Some networks are measured whole, and what they take teaches by how much; predictions and searches
    with this table use it from then on, and their intervals say how far it holds. Measurements stay as they are.

    Interrupted, the same command goes on where it was. With --again, networks that the table has are measured again,
    too, whichever command measured them first.

    Example: paceline table calibrate tables/local.jsonl --space squeezenas-small --input 256x512
    """
    rule = again_rule(again)
    found = find_target(target)
    summary = None
    with appending(path, create=False) as writer:
        opened = open_space(space, input_size, classes, precision_of(writer.table, precision))
        # Refuses, with the command, where blocks are missing.
        barred = np.isnan(look_up(opened, writer.table, path).mean_s)
        environment = writer.table.environment()
        _refuse_estimated(environment, path)
        chosen = _chosen(opened, networks, seed, barred)
        _refuse_too_few(writer.table, chosen, rule)
        wanted = [*chosen, *_known(writer.table, rule)]
        if wanted:
            say(f"{len(unique(wanted))} networks, of {opened.name} at {size_text(opened.input_size)}, measured whole")
            place = measuring_place(found, runtime, threads, options)
            summary = _measure(writer, place, wanted, WHOLE_NETWORK_PLAN.with_rounds(rounds), rule)
        calibration = calibrated(writer.table, environment)
        writer.append_calibration(environment, calibration)
        blocks = blocks_of(writer.table, environment)
        plain = [_plain_error(blocks, network) for network in networks_of(writer.table, environment)]
    if as_json:
        show_json(_json(path, calibration, plain) | (failures_json(summary) if summary else {}))
    else:
        _show(path, calibration, plain)


def _refuse_estimated(environment: Environment, path: Path) -> None:
    """Raise WrongUse where there is nothing that a measured network could be held against."""
    if note := nothing_measured(environment):
        raise WrongUse(
            f"Calibration holds networks measured whole against measured blocks, and {path} has none. {note} Measure "
            "the device into another table with `profile-device`, and calibrate that one."
        )


def _chosen(space: Space, count: int, seed: int, barred: npt.NDArray[np.bool_]) -> list[Workload]:
    """The networks that are worth measuring."""
    return [space.network(a) for a in balanced_architectures(space, count, seed, barred)] if count else []


def _known(table: Table, rule: Callable[[Outcome], bool]) -> list[Workload]:
    """The networks that the table has and that shall be measured again."""
    return [known.workload for known in table.values() if is_network(known.workload) and rule(known)]


def _refuse_too_few(table: Table, chosen: Sequence[Workload], rule: Callable[[Outcome], bool]) -> None:
    """Raise WrongUse before anything is measured, where that would be too little to learn from."""
    environment = table.environment()
    known = len(networks_of(table, environment))
    outcomes = [table.outcome(workload, environment) for workload in unique(chosen)]
    new = sum(found is None or (not isinstance(found, Measurement) and rule(found)) for found in outcomes)
    if known + new < LEAST_NETWORKS:
        raise WrongUse(
            f"Calibration needs at least {LEAST_NETWORKS} networks measured whole, and 30 are better; the table has "
            f"{known} of blocks it knows, and {new} would be added. Ask for more with --networks 30."
        )


def _measure(
    writer: TableWriter,
    place: Place,
    wanted: Sequence[Workload],
    plan: SamplingPlan,
    rule: Callable[[Outcome], bool],
) -> FillSummary:
    """Measure networks whole, and say which failed."""
    with place.starts() as start, progress_bar("measuring") as bar:

        def tell(progress: Progress) -> None:
            bar(progress.done, progress.wanted)

        summary = fill(writer, start, wanted, plan, again=rule, tell=tell)
    for line in failures_in_words(summary):
        say(line)
    return summary


def _plain_error(blocks: Mapping[Workload, Estimate], network: WholeNetwork) -> float:
    """How far the plain sum of a network's blocks is from its measurement, as a share of it."""
    return sum(blocks[part].mean_s for part in network.parts) / network.mean_s - 1


def _json(path: Path, calibration: Calibration, plain: Sequence[float]) -> dict[str, Any]:
    return {
        "table": str(path),
        "networks": calibration.networks,
        "outliers": list(calibration.outliers),
        "entries": len(calibration.entries),
        "plain_sum": {"mean_error": sum(map(abs, plain)) / len(plain)},
        "leave_one_out": asdict(calibration.leave_one_out),
        "misfit": calibration.misfit,
        "hyperparameters": dict(calibration.hyperparameters),
    }


def _show(path: Path, calibration: Calibration, plain: Sequence[float]) -> None:
    left_out = calibration.leave_one_out
    mean = sum(map(abs, plain)) / len(plain)
    close = sum(abs(error) <= _CLOSE for error in plain) / len(plain)
    rows = [
        ("plain sum of blocks", f"{mean:.1%}", f"{close:.0%}", ""),
        (
            "calibrated, each network left out",
            f"{left_out.mean_error:.1%}",
            f"{left_out.share_close:.0%}",
            f"{left_out.coverage:.0%}",
        ),
    ]
    columns = ("prediction of a whole network", "mean error", "within 5 %", "in the 90 % interval")
    show_table(f"{path}: {calibration.networks} networks, {len(calibration.entries)} blocks", columns, rows)
    if calibration.outliers:
        print(f"{len(calibration.outliers)} network(s) contradicted all others and were left out.")
    print("Predictions and searches with this table are calibrated from now on.")
