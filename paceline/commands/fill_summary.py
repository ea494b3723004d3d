"""What a fill did, in words and for programs; several commands end with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latency import UNFINISHED, Failure, Outcome
from lut import FillSummary
from paceline.screen import milliseconds


def outcome_in_words(outcome: Outcome) -> str:
    """What became of a burst, for a progress bar."""
    if isinstance(outcome, Failure):
        return f"failed: {outcome.workload.describe()}"
    return f"{milliseconds(outcome.time_s)}  {outcome.workload.describe()}"


def summary_json(summary: FillSummary, path: Path, spent_s: float) -> dict[str, Any]:
    """What a fill of the table ``path`` did in so many seconds, for programs."""
    return {
        "table": str(path),
        "measured": summary.measured,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "ended": dict(summary.ended),
        "seconds": round(spent_s, 3),
        "widest_interval": None if summary.widest is None else summary.widest.relative_half_width,
        **failures_json(summary),
    }


def failures_json(summary: FillSummary) -> dict[str, Any]:
    """What failed in a fill, for programs."""
    return {
        name: [
            {"workload": failure.workload.describe(), "stage": failure.stage, "reason": failure.reason}
            for failure in failures
        ]
        for name, failures in (("failures", summary.failures), ("setbacks", summary.setbacks))
    }


def summary_in_words(summary: FillSummary, path: Path, spent_s: float) -> Iterator[str]:
    """What a fill of the table ``path`` did in so many seconds, a line each."""
    yield (
        f"{path}: {summary.measured} measured, {summary.failed} failed, {summary.skipped} skipped (known already), "
        f"{spent_s:.1f} s"
    )
    if summary.ended:
        yield "ended: " + ", ".join(f"{count} {reason}" for reason, count in sorted(summary.ended.items()))
    if summary.ended.get(UNFINISHED):
        yield "The time limit came first; the same command goes on."
    if summary.widest is not None:
        widest = summary.widest
        yield (
            f"widest 95 % interval: +-{widest.relative_half_width:.1%} of {milliseconds(widest.time_s)}, "
            f"{widest.workload.describe()}"
        )
    yield from failures_in_words(summary)


def failures_in_words(summary: FillSummary) -> list[str]:
    """What failed in a fill, a line each."""
    kept = [f"in some rounds, and what others measured is kept; {_failure_in_words(f)}" for f in summary.setbacks]
    return [f"failed {words}" for words in [*map(_failure_in_words, summary.failures), *kept]]


def _failure_in_words(failure: Failure) -> str:
    return f"at {failure.stage}: {failure.workload.describe()}: {failure.reason}"
