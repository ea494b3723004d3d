"""What a table still lacks of what a plan asks for."""

from __future__ import annotations

from dataclasses import replace

from latency import UNFINISHED, Failure, Measurement, Outcome, SamplingPlan
from lut.doubts import FAILURES
from lut.table import Table


def is_unfinished(outcome: Outcome) -> bool:
    """Whether it is a measurement that waits for more bursts."""
    return isinstance(outcome, Measurement) and outcome.stopped == UNFINISHED


def lacks_bursts(known: Outcome | None, plan: SamplingPlan) -> bool:
    """Whether bursts are missing: all, some, lost ones, or those that an earlier plan did not ask for."""
    if known is None or is_unfinished(known):
        return True
    if isinstance(known, Failure):
        return False
    if known.stopped != FAILURES and len(known.bursts) < known.plan.least_bursts:
        return True  # Only a damaged line that was taken out of the file leaves so few.
    # Under the plan it ended with it stays ended, whatever later bursts of others say of its quietness.
    if not _asks_more(plan, known.plan):
        return False
    return replace(known, plan=plan).reason_to_end() is None


def _asks_more(wanted: SamplingPlan, had: SamplingPlan) -> bool:
    """Whether a plan wants more bursts or a narrower interval than another."""
    more_bursts = wanted.least_bursts > had.least_bursts or wanted.most_bursts > had.most_bursts
    return more_bursts or wanted.precision < had.precision


def usual_times_s(table: Table) -> dict[str, float]:
    """What the sentinel takes on the quiet machine, in seconds, by precision, where the table knows."""
    asked = {(key.environment, outcome.workload.precision) for key, outcome in table.items()}
    known = {precision: table.level_s(environment, precision) for environment, precision in asked}
    return {precision: level_s for precision, level_s in known.items() if level_s is not None}
