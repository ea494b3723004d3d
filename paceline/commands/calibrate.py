"""``paceline table calibrate``: measure some networks whole and learn from them what a network does to its blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from devices import find_target
from latency import Calibration, Estimate, WholeNetwork, Workload
from lut import Progress, appending, blocks_of, calibrated, fill, fresh_processes, networks_of
from paceline.options import (
    Classes,
    InputSize,
    Json,
    NetworkRounds,
    Options,
    Runtime,
    Seed,
    SpaceName,
    TargetName,
    Threads,
    look_up,
    profiler_settings,
)
from paceline.screen import progress_bar, say, show_json, show_table, size_text
from search import WHOLE_NETWORK_PLAN, balanced_architectures, open_space

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
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make sums of blocks predict whole networks.

    A block inside a network is faster or slower than alone: data is in the cache or not, layouts change at borders,
    calls are fused. Some networks are measured whole, and what they take teaches by how much; predictions and searches
    with this table use it from then on, and their intervals say how far it holds. Measurements stay as they are.

    Interrupted, the same command goes on where it was.

    Example: paceline table calibrate tables/local.jsonl --space squeezenas-small --input 256x512
    """
    found = find_target(target)
    opened = open_space(space, input_size, classes, found.precision)
    settings = profiler_settings(found, runtime, threads, options)
    say(f"{networks} networks of {opened.name} at {size_text(opened.input_size)}, measured whole")
    with (
        appending(path, create=False) as writer,
        fresh_processes(settings) as start,
        progress_bar("measuring") as bar,
    ):
        # Refuses, with the command, where blocks are missing.
        barred = np.isnan(look_up(opened, writer.table, path).mean_s)
        environment = writer.table.environment()
        if networks:

            def tell(progress: Progress) -> None:
                bar(progress.done, progress.wanted)

            chosen = balanced_architectures(opened, networks, seed, barred)
            plan = WHOLE_NETWORK_PLAN.with_rounds(rounds)
            fill(writer, start, [opened.network(a) for a in chosen], plan, tell=tell)
        calibration = calibrated(writer.table, environment)
        writer.append_calibration(environment, calibration)
        blocks = blocks_of(writer.table, environment)
        plain = [_plain_error(blocks, network) for network in networks_of(writer.table, environment)]
    if as_json:
        show_json(_json(path, calibration, plain))
    else:
        _show(path, calibration, plain)


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
