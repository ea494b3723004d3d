"""``profile-device``: time all candidate blocks of a space and fill its table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from devices import find_target, read_device, read_state, unknown_name
from latency import Failure, Measurement, Outcome, SamplingPlan, open_profiler
from lut import FillSummary, Progress, appending, fill
from paceline.options import Classes, InputSize, Json, Runtime, SpaceName, TargetName, Threads
from paceline.screen import milliseconds, progress_bar, say, seconds, share, show_json, size_text
from search import open_space

_AGAIN: Mapping[str, Callable[[Outcome], bool]] = {
    "none": lambda outcome: False,
    "failed": lambda outcome: isinstance(outcome, Failure),
    "doubtful": lambda outcome: isinstance(outcome, Failure) or bool(outcome.problems()),
    "all": lambda outcome: True,
}
"""Which outcomes of earlier runs are measured again."""


def profile(
    space: SpaceName = "squeezenas-small",
    target: TargetName = "local",
    input_size: InputSize = None,
    classes: Classes = None,
    out: Annotated[Path | None, typer.Option("--out", help="Table to fill. (default: tables/TARGET.jsonl)")] = None,
    runtime: Runtime = None,
    threads: Threads = 1,
    precision: Annotated[
        float, typer.Option("--interval", parser=share, metavar="PERCENT", help="Wanted 95 % interval of each block.")
    ] = "1%",  # type: ignore[assignment]  # typer parses a default as it parses what is typed
    limit_s: Annotated[
        float, typer.Option("--time-limit", parser=seconds, metavar="TIME", help="Most time spent on one block.")
    ] = "500ms",  # type: ignore[assignment]
    again: Annotated[
        str,
        typer.Option("--again", help=f"Known rows to measure again: {', '.join(_AGAIN)}."),
    ] = "none",
    as_json: Json = False,
) -> None:
    """Time every candidate block of a search space on a device, and keep the times in a table.

    Each outcome is in the table the moment it is known. After Ctrl-C, or worse, the same command goes on where it
    was and measures nothing twice. Several spaces and input sizes fit into one table; several devices do not.

    Example: profile-device --target local --space squeezenas-small --input 256x512 --out tables/local.jsonl
    """
    if again not in _AGAIN:
        raise unknown_name("choice for --again", again, _AGAIN)
    found = find_target(target)
    opened = open_space(space, input_size, classes, found.precision)
    profiler = open_profiler(runtime or found.runtime, read_device(), read_state, threads)
    path = out or Path("tables") / f"{target}.jsonl"
    plan = SamplingPlan(precision=precision, limit_s=limit_s, least_s=min(SamplingPlan.least_s, limit_s / 2))
    say(f"{opened.name} at {size_text(opened.input_size)}, {opened.classes} classes")
    say(profiler.environment.describe())
    started = time.monotonic()
    with appending(path) as writer, progress_bar("measuring") as bar:

        def tell(progress: Progress) -> None:
            words = "" if progress.outcome is None else _words(progress.outcome)
            bar(progress.done, progress.wanted, words)

        summary = fill(writer, profiler, opened.workloads(), plan, again=_AGAIN[again], tell=tell)
    spent_s = time.monotonic() - started
    if as_json:
        show_json(_summary_json(summary, path, spent_s))
    else:
        _show_summary(summary, path, spent_s)


def _words(outcome: Measurement | Failure) -> str:
    if isinstance(outcome, Failure):
        return f"failed: {outcome.workload.describe()}"
    return f"{milliseconds(outcome.median_s)}  {outcome.workload.describe()}"


def _summary_json(summary: FillSummary, path: Path, spent_s: float) -> dict[str, Any]:
    return {
        "table": str(path),
        "measured": summary.measured,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "seconds": round(spent_s, 3),
        "widest_interval": None if summary.widest is None else summary.widest.relative_half_width,
        "failures": [
            {"workload": failure.workload.describe(), "stage": failure.stage, "reason": failure.reason}
            for failure in summary.failures
        ],
    }


def _show_summary(summary: FillSummary, path: Path, spent_s: float) -> None:
    print(
        f"{path}: {summary.measured} measured, {summary.failed} failed, {summary.skipped} skipped (known already), "
        f"{spent_s:.1f} s"
    )
    if summary.widest is not None:
        widest = summary.widest
        print(
            f"widest 95 % interval: +-{widest.relative_half_width:.1%} of {milliseconds(widest.median_s)}, "
            f"{widest.workload.describe()}"
        )
    for failure in summary.failures:
        print(f"failed at {failure.stage}: {failure.workload.describe()}: {failure.reason}")
