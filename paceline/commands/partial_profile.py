"""What ``profile-device`` asks and says when it measures a part and predicts the rest."""

from __future__ import annotations

import math
from statistics import NormalDist, median
from typing import Annotated, Any

import typer

from devices import WrongUse
from latency import shipped_cost_models
from lut import PartialSummary, Scope
from paceline.screen import fraction, seconds

FractionToMeasure = Annotated[
    float | None,
    typer.Option(
        "--fraction",
        parser=fraction,
        metavar="FRACTION",
        help="Measure that part of all blocks, such as 0.2 or 20%, and predict the rest. (default: measure all)",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        parser=seconds,
        metavar="TIME",
        help="Measure for that long, such as 60s, what teaches most, and predict the rest. What was begun is "
        "finished, and the few blocks that a prediction needs are measured in any case.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option("--model", help=f"Cost model that predicts: {', '.join(shipped_cost_models())}, or a plug-in's."),
]

_Z90 = NormalDist().inv_cdf(0.95)


def part_to_measure(share: float | None, budget_s: float | None, limit_s: float | None, again: str) -> Scope | None:
    """How much ``--fraction`` and ``--budget`` ask for; None where all is to be measured.

    Raises:
        WrongUse: they are out of range, or stand beside options that mean all blocks.
    """
    if share is None and budget_s is None:
        return None
    if limit_s is not None or again != "none":
        raise WrongUse(
            "--fraction and --budget measure a part of the blocks, --time-limit and --again are for measuring all of "
            "them: give --budget in the place of --time-limit, and measure rows again in a run of its own."
        )
    return Scope(1.0 if share is None else share, math.inf if budget_s is None else budget_s)


def _interval(partial: PartialSummary) -> float:
    """Half the width of the 90 % interval of a typical prediction, as a share of it."""
    known = partial.predicted.values()
    return _Z90 * median(estimate.standard_deviation_s / estimate.mean_s for estimate in known)


def predicted_json(partial: PartialSummary) -> dict[str, Any]:
    """What was predicted, for programs."""
    if not partial.predicted:
        return {"predicted": 0}
    return {
        "predicted": len(partial.predicted),
        "model": partial.model,
        "interval_90": round(_interval(partial), 4),
        "extrapolated": sum(not estimate.is_inside for estimate in partial.predicted.values()),
    }


def predicted_in_words(partial: PartialSummary) -> list[str]:
    """What was predicted, a line each."""
    if not partial.predicted:
        return []
    outside = sum(not estimate.is_inside for estimate in partial.predicted.values())
    interval = f"the 90 % interval of half of them is narrower than +-{_interval(partial):.1%}"
    lines = [f"predicted: {len(partial.predicted)} by {partial.model}; {interval}"]
    if outside:
        lines.append(f"{outside} of them are unlike everything that was measured; `paceline table show` marks them.")
    lines.append(
        "`paceline search --confidence 95%` takes the intervals into account. The same command with a larger part "
        "measures more; without --fraction and --budget it measures all."
    )
    return lines
