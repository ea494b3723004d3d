"""``paceline table transfer``: a whole table for a new device, from other devices' tables and a few measurements."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist, median
from typing import Annotated, Any

import typer

from devices import WrongUse, find_target
from latency import SamplingPlan
from lut import Progress, SourceTimes, Table, TransferSummary, appending, fill_from_sources
from paceline.commands.fill_summary import failures_in_words, failures_json
from paceline.options import Json, Options, Precision, Runtime, TargetName, Threads
from paceline.place import measuring_place
from paceline.screen import milliseconds, progress_bar, say, share, show_json, show_table

_Z90 = NormalDist().inv_cdf(0.95)


def transfer(
    first: Annotated[
        list[Path], typer.Option("--from", metavar="TABLE...", help="Tables of other devices, as many as there are.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Table of the new device, to fill.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[TABLE]...", help="Further tables of --from.")] = None,
    measure: Annotated[int, typer.Option("--measure", help="Blocks to measure on the new device; at least 3.")] = 10,
    target: TargetName = "local",
    runtime: Runtime = None,
    threads: Threads = 1,
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    precision: Precision = None,
    interval: Annotated[
        float, typer.Option("--interval", parser=share, metavar="PERCENT", help="Wanted 95 % interval of each block.")
    ] = "1%",  # type: ignore[assignment]  # typer parses a default as it parses what is typed
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Most rounds, each in a fresh process, that a block is measured in.")
    ] = SamplingPlan.most_bursts,
    as_json: Json = False,
) -> None:
    """Fill a new device's table from tables of other devices and about ten measurements.

    Devices differ in speed, but rarely in kind. The blocks that tell most about all others are chosen from the tables
    that are there, and measured on this device as profile-device measures. All others are predicted: as on the known
    device that this one is like, or as on a mixture of them, as far as the measurements say so; what they leave open
    is in the intervals. One table is enough to begin with, two of different devices are much better.

    Predicted rows are marked as such, and a later profile-device with the same --out measures them: each measurement
    takes its prediction's place. Interrupted, the same command goes on where it was; with a larger --measure it adds to
    what it has.

    Example: paceline table transfer --from tables/a.jsonl tables/b.jsonl --measure 10 --out tables/new.jsonl
    """
    found = find_target(target)
    paths = [*first, *(more or [])]
    _refuse_repeated(paths, out)
    sources = SourceTimes.of({str(path): Table.read(path) for path in paths}, precision or found.precision)
    place = measuring_place(found, runtime, threads, options)
    plan = SamplingPlan(precision=interval).with_rounds(rounds)
    say(f"{len(sources.workloads)} blocks known on {len(paths)} other device(s)")
    say(place.describe())
    with place.starts() as start, appending(out) as writer, progress_bar("measuring") as bar:

        def tell(progress: Progress) -> None:
            bar(progress.done, progress.wanted)

        summary = fill_from_sources(writer, start, sources, measure, plan, tell=tell)
    if as_json:
        show_json(_json(out, sources, summary))
    else:
        _show(out, sources, summary)


def _refuse_repeated(paths: Sequence[Path], out: Path) -> None:
    """Raise WrongUse where a file is named twice."""
    seen = set[Path]()
    for path in (*paths, out):
        if path.resolve() in seen:
            raise WrongUse(
                f"{path} is named twice. --from names one table for each known device, and --out another file, for the "
                "new one."
            )
        seen.add(path.resolve())


def _interval(summary: TransferSummary) -> float | None:
    """Half the width of the 90 % interval of a typical prediction, as a share of it."""
    known = summary.predicted.values()
    return _Z90 * median(one.standard_deviation_s / one.mean_s for one in known) if known else None


def _json(out: Path, sources: SourceTimes, summary: TransferSummary) -> dict[str, Any]:
    left_out = summary.left_out
    return {
        "table": str(out),
        "sources": [environment.describe() for environment in sources.environments],
        "blocks": len(sources.workloads),
        "not_in_all_sources": sources.left_out,
        "unknown_operator_or_attributes": sources.unbuildable,
        "measured": len(summary.measured),
        "predicted": len(summary.predicted),
        "reported_kept": summary.kept,
        "failed": len(summary.fill.failures),
        "expected_error": None if left_out is None else left_out.mean_error,
        "left_out_in_interval": None if left_out is None else left_out.coverage,
        "interval_90": _interval(summary),
        "measured_blocks": [workload.describe() for workload in summary.measured],
        **failures_json(summary.fill),
    }


def _show(out: Path, sources: SourceTimes, summary: TransferSummary) -> None:
    total_s = sum(estimate.mean_s for estimate in summary.predicted.values())
    rows = [("measured here", str(len(summary.measured)))]
    if summary.predicted:
        rows.append(("predicted", f"{len(summary.predicted)}, {milliseconds(total_s)} together"))
    if summary.kept:
        rows.append(("reported by others, kept", str(summary.kept)))
    if summary.fill.failures:
        rows.append(("failed here", str(len(summary.fill.failures))))
    width = _interval(summary)
    if width is not None:
        rows.append(("90 % interval of half of the predictions within", f"+-{width:.1%}"))
    if summary.left_out is not None:
        rows.append(("error of each measured block, left out, on average", f"{summary.left_out.mean_error:.1%}"))
        rows.append(("of these in their 90 % interval", f"{summary.left_out.coverage:.0%}"))
    show_table(str(out), ("", f"{len(sources.workloads)} blocks"), rows)
    for line in (*failures_in_words(summary.fill), *_next_steps(out, sources, summary)):
        print(line)


def _next_steps(out: Path, sources: SourceTimes, summary: TransferSummary) -> list[str]:
    """What to do next, a line each."""
    lines = []
    if sources.left_out:
        lines.append(
            f"{sources.left_out} blocks are not in all tables and were left out; profile-device with the --out of the "
            "tables that lack them measures them there."
        )
    if sources.unbuildable:
        lines.append(
            f"{sources.unbuildable} blocks of the tables have operators or attributes that cannot be built here, and "
            "were left out."
        )
    if summary.predicted:
        lines.append(
            f"The same command with a larger --measure narrows the intervals; profile-device --out "
            f"{shlex.quote(str(out))} measures everything."
        )
    return lines
