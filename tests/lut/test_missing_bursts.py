"""What a table lacks of what a plan asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latency import UNFINISHED, Measurement, Outcome
from lut import Table
from lut.doubts import FAILURES
from lut.missing_bursts import is_unfinished, lacks_bursts, usual_times_s
from tests.contracts.examples import BLOCKS, QUICK, burst, failure, measurement

SIX = replace(QUICK, precision=0.01, least_bursts=6, most_bursts=12)
STEADY = [1e-3 * (1 + number / 1e5) for number in range(6)]


def row(times: list[float], stopped: str = "precise", plan: object = SIX) -> Measurement:
    return replace(measurement(BLOCKS[0], times=times, stopped=stopped), plan=plan)


@pytest.mark.parametrize(
    ("known", "lacks"),
    [
        (None, True),
        (failure(), False),
        (row(STEADY), False),
        (row(STEADY, UNFINISHED), True),
        (row(STEADY[:2]), True),  # a line was taken out of the file
        (row(STEADY[:2], FAILURES), False),
        (row(STEADY[:1], "most bursts", SIX.with_rounds(1)), True),  # an earlier plan asked for less
        (row(STEADY, "precise", replace(SIX, precision=0.5)), False),  # it is narrow enough for this one, too
        (row(STEADY, "precise", replace(SIX, most_bursts=50)), False),
    ],
)
def test_bursts_are_missing_where_the_plan_asks_for_more_than_there_are(known: Outcome | None, lacks: bool) -> None:
    assert lacks_bursts(known, SIX) is lacks


def test_only_a_measurement_can_be_unfinished() -> None:
    assert is_unfinished(row(STEADY, UNFINISHED))
    assert not is_unfinished(row(STEADY))
    assert not is_unfinished(failure())


def test_the_usual_time_of_the_sentinel_is_known_by_precision_where_one_ran() -> None:
    half = replace(BLOCKS[1], precision="fp16")
    silent = replace(BLOCKS[2], precision="int8")
    seen = [replace(measurement(w), bursts=(burst(sentinel_s=s),)) for w, s in ((BLOCKS[0], 2e-3), (half, 1e-3))]
    assert usual_times_s(Table([*seen, measurement(silent)])) == {"fp32": 2e-3, "fp16": 1e-3}
