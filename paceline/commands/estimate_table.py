"""``profile-device --estimate``: a table from peak figures, for a device that nobody has at hand."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from devices import Target, WrongUse
from latency import ROOFLINE_LOG_DEVIATION, Z95, Environment, nothing_measured, open_roofline, roofline_environment
from lut import Unmeasured, appending, measurable, refuse_other_environment
from paceline.screen import show_json
from search import Space

_FACTOR_95 = math.exp(Z95 * ROOFLINE_LOG_DEVIATION)

EstimateOnly = Annotated[
    bool,
    typer.Option(
        "--estimate",
        help="Measure nothing: fill the table from peak figures of the device, which every row and report says.",
    ),
]


def refuse_measuring_options(**given: object) -> None:
    """Refuse ``--estimate`` beside options that say how to measure.

    Args:
        given: value of each option by its name, with underscores; one that is not None was given.

    Raises:
        WrongUse: at least one was.
    """
    found = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if found:
        raise WrongUse(f"--estimate measures nothing, and {' and '.join(found)} say how to measure. Leave out one.")


def estimate_table(target: Target, space: Space, path: Path, *, as_json: bool) -> None:
    """Fill a table with times from the peak figures of ``target``, and say that nothing was measured.

    Args:
        target: the device.
        space: its blocks, in the precision that is asked for.
        path: the table; one that holds measurements is refused.
        as_json: print the result for programs.

    Raises:
        WrongUse: no peaks are known of the target or the precision, or the table holds rows of another environment.
    """
    workloads = measurable(space.workloads())
    environment = roofline_environment(target)
    roofline = open_roofline(target, workloads[0].precision)
    rows = [Unmeasured(workload, environment, roofline.estimate(workload)) for workload in workloads]
    with appending(path) as writer:
        refuse_other_environment(writer.table, environment)
        added = sum(not writer.table.is_known(workload, environment) for workload in workloads)
        writer.add_estimates(rows)
    if as_json:
        show_json(_json(target, environment, path, rows, added))
    else:
        for line in _in_words(target, environment, path, rows, added):
            print(line)


def _json(
    target: Target, environment: Environment, path: Path, rows: Sequence[Unmeasured], added: int
) -> dict[str, Any]:
    return {
        "table": str(path),
        "measured": 0,
        "estimated": len(rows),
        "added": added,
        "note": nothing_measured(environment),
        "target": target.name,
        "device": environment.device.name,
        "peaks": dict(environment.runtime.options),
        "interval_95_factor": round(_FACTOR_95, 3),
    }


def _in_words(
    target: Target, environment: Environment, path: Path, rows: Sequence[Unmeasured], added: int
) -> Iterator[str]:
    workload = rows[0].workload
    yield f"NOTHING WAS MEASURED: the times are estimates from peak figures of {environment.device.name}."
    yield f"{path}: {len(rows)} blocks estimated, {added} of them new"
    yield from _peaks_in_words(target, workload.precision)
    yield (
        f"95 % interval of each block, and of sums: from 1/{_FACTOR_95:.1f} of the estimate to {_FACTOR_95:.1f} times "
        "as much. Blocks are ranked about as well as by their MACs; how fast the device is, is hardly known."
    )
    add = "" if target.connection else f"`paceline targets add {shlex.quote(target.name)} --host USER@HOST`, then "
    yield f"With the device at hand: {add}the same command without --estimate and with another --out."


def _peaks_in_words(target: Target, precision: str) -> Iterator[str]:
    assert target.peaks is not None, "there is a roofline, so there are peaks"
    peaks = target.peaks
    yield (
        f"peaks of {target.name}: {peaks.operations_per_s[precision] / 1e9:,.4g} G operations/s in {precision}, "
        f"{peaks.bandwidth_bytes_per_s / 1e9:,.4g} GB/s, {peaks.launch_s * 1e6:.3g} us for each layer"
    )
    yield f"according to {peaks.source}"
