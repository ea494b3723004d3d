from __future__ import annotations

import math

import pytest

from lut.foreign import ForeignRow, Origin
from lut.foreign.judging import NoTimeError, estimate_of, is_failure_mark, number
from tests.contracts.examples import block


def row(time: object, deviation: object = None, *, is_variance: bool = False) -> ForeignRow:
    return ForeignRow("line 1", block(), Origin("a"), time, deviation, is_variance)


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, 3.0), ("2.5e-1", 0.25), (" 7 ", 7.0), (".inf", math.inf), ("-.inf", -math.inf), ("x", None), ([], None)],
)
def test_numbers_are_read_as_each_format_spells_them(value: object, found: float | None) -> None:
    assert number(value) == found


def test_not_a_number_and_truth_values() -> None:
    assert math.isnan(number(".nan") or 0)
    assert number(True) is None
    assert number(10**400) is None


def test_times_and_deviations_are_in_seconds() -> None:
    estimate = estimate_of(row("2.5", 0.5), 1000)
    assert (estimate.mean_s, estimate.standard_deviation_s, estimate.source) == (2.5e-3, 0.5e-3, "reported")
    assert estimate_of(row(2.5, "0.25", is_variance=True), 1_000_000).standard_deviation_s == pytest.approx(0.5e-6)
    assert math.isnan(estimate_of(row(2.5), 1000).standard_deviation_s)
    assert estimate_of(row(2.5, 0), 1000).standard_deviation_s == 0  # The file says so.


@pytest.mark.parametrize("time", [0, -2, "nan", "inf", "", None, "fast", [], True])
def test_what_is_no_time_is_refused(time: object) -> None:
    with pytest.raises(NoTimeError, match="time"):
        estimate_of(row(time), 1000)


@pytest.mark.parametrize("deviation", [-1, "nan", "inf", "wide"])
def test_a_deviation_that_is_none_is_refused(deviation: object) -> None:
    with pytest.raises(NoTimeError, match="deviation"):
        estimate_of(row(2.5, deviation), 1000)


def test_only_minus_one_marks_a_failure() -> None:
    assert [is_failure_mark(row(time)) for time in (-1, "-1.0", -1.5, 1, None)] == [True, True, False, False, False]


@pytest.mark.parametrize("text", ["1_5", "1,5", "1 5", "0x10", "1e", ".", "\u0661", "--1"])
def test_what_only_python_or_nobody_reads_as_a_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(("text", "found"), [("+.5", 0.5), ("5.", 5.0), ("-1E+2", -100.0), ("Infinity", math.inf)])
def test_every_common_spelling_of_a_number_is_read(text: str, found: float) -> None:
    assert number(text) == found
