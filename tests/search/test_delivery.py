"""Promised against delivered, in words and as a verdict."""

from __future__ import annotations

import math

import pytest

from search import Interval
from search.delivery import Delivery, in_words

PREDICTED = Interval(0.010, 0.009, 0.011)


def delivered(mean_s: float, spread_s: float = 0.0005, **more: object) -> Delivery:
    measured = Interval(mean_s, mean_s - spread_s, mean_s + spread_s)
    return Delivery(limit_s=0.012, predicted=PREDICTED, source="measured", measured=measured, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mean_s", "verdict", "broken"),
    [
        (0.0110, "met", False),
        (0.0118, "met, but close", False),
        (0.0122, "not shown", True),
        (0.0130, "missed", True),
        (math.nextafter(0.0115, 0), "met", False),
    ],
)
def test_the_verdict_looks_at_mean_and_interval(mean_s: float, verdict: str, broken: bool) -> None:
    found = delivered(mean_s)
    assert (found.verdict, found.is_broken) == (verdict, broken)


def test_what_is_met_is_met_with_a_margin() -> None:
    first, second = delivered(0.009).sentences()
    assert first == "The limit of 12 ms is met: the network takes 9 ms (8.5 to 9.5 ms), 25.0% below it."
    assert second == (
        "10 ms were predicted; measured is 10.0% less. "
        "The intervals meet: 9 to 11 ms predicted, 8.5 to 9.5 ms measured."
    )


def test_what_is_missed_says_what_to_do() -> None:
    first, second, third = delivered(0.015).sentences()
    assert "is missed" in first
    assert "25.0% above it" in first
    assert "do not meet" in second
    assert third == (
        "Calibrate the table with `paceline table calibrate` and search again; or search again with `--limit 8ms`, "
        "which allows for this difference."
    )


def test_a_calibrated_table_need_not_be_calibrated_again() -> None:
    measured = Interval(0.015, 0.0149, 0.0151)
    said = Delivery(limit_s=0.012, predicted=PREDICTED, source="calibrated", measured=measured).sentences()
    assert said[-1].startswith("Search again with `--limit 8ms`")


def test_without_a_promise_a_missed_limit_still_has_an_advice() -> None:
    said = Delivery(limit_s=0.01, measured=Interval(0.02, 0.019, 0.021)).sentences()
    assert said[-1] == "Search again with a limit below 10 ms, or choose a smaller network."


def test_a_network_that_did_not_run_keeps_no_promise() -> None:
    found = Delivery(limit_s=0.01, failure="build: out of memory")
    assert found.is_broken
    assert found.sentences() == (
        "The network could not be measured: build: out of memory",
        "Mend the cause, and measure it again with `--measure --again`.",
    )


def test_what_was_not_measured_is_no_answer() -> None:
    found = Delivery(limit_s=0.01, predicted=PREDICTED)
    assert (found.verdict, found.is_broken) == (None, False)
    assert "--measure" in found.sentences()[0]
    assert Delivery(measured=PREDICTED).verdict is None


def test_what_was_not_measured_is_held_against_the_limit_as_far_as_it_was_predicted() -> None:
    within, above = (Delivery(limit_s=limit_s, predicted=PREDICTED).sentences()[1] for limit_s in (0.012, 0.008))
    assert within == "Predicted are 10 ms (9 to 11 ms), within the limit of 12 ms."
    assert above == "Predicted are 10 ms (9 to 11 ms), above the limit of 8 ms."
    assert Delivery(predicted=PREDICTED).sentences()[1].endswith("promised to no limit.")


def test_where_the_interval_leaves_it_open_rounds_come_before_another_search() -> None:
    first, _, last = delivered(0.0122).sentences()
    assert first.endswith("More --rounds narrow the interval.")
    assert last.startswith("If it stays above: calibrate the table")


def test_an_interval_that_nobody_knows_is_not_shown() -> None:
    unsure = Interval(0.01, math.nan, math.nan)
    assert in_words(unsure) == "10 ms"
    said = Delivery(predicted=unsure, measured=Interval(0.011, 0.0109, 0.0111)).sentences()
    assert said[1] == "10 ms were predicted; measured is 10.0% more, and nobody said how sure the prediction was."
