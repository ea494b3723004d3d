from __future__ import annotations

import math
from dataclasses import replace

import pytest

from paceline.report.rows import Check, device_facts, facts, prediction_error, problems, setting, table_rows
from search import Comparison, Interval


def test_every_number_of_a_network_is_in_its_row(small: Comparison) -> None:
    row = table_rows(small)[0]
    assert (row.name, row.objective, row.limit) == ("latency-searched", "latency", "30\u00a0ms")
    assert (row.macs, row.parameters) == ("3,912", "1.87")
    assert (row.predicted, row.predicted_range) == ("26.85", "26.05\u201327.66")
    assert (row.measured, row.measured_range) == ("27.40", "27.20\u201327.60")
    assert (row.error, row.miou, row.training) == ("\u22122.0", "68.0", "40,000 steps")


def test_times_of_a_column_have_the_same_decimals(small: Comparison) -> None:
    rows = table_rows(small)
    assert {len(row.predicted.partition(".")[2]) for row in rows} == {len(rows[0].measured.partition(".")[2])}


def test_a_failure_is_a_word_and_never_a_number(small: Comparison) -> None:
    broken = replace(small.networks[0], measured=None, failure="no engine", miou=None, trained_steps=0)
    row = table_rows(replace(small, networks=(broken,)))[0]
    assert (row.measured, row.measured_range, row.error) == ("failed", "", "\u2013")
    assert (row.miou, row.training) == ("\u2013", "not trained")
    assert row.checks[1] == Check("measured", "unclear", "not known")


@pytest.mark.parametrize(
    ("measured_s", "state", "text"),
    [(0.0274, "within", "yes"), (0.0325, "over", "no, 2.50\u00a0ms over"), (0.0301, "unclear", "unclear")],
)
def test_the_limit_is_checked_as_predicted_and_as_measured(
    small: Comparison, measured_s: float, state: str, text: str
) -> None:
    measured = Interval(measured_s, measured_s - 0.0002, measured_s + 0.0002)
    network = replace(small.networks[0], measured=measured)
    checks = table_rows(replace(small, networks=(network,)))[0].checks
    assert checks == (Check("predicted", "within", "yes"), Check("measured", state, text))


@pytest.mark.parametrize(("limit", "text"), [(4e9, "yes"), (3e9, "no")])
def test_macs_are_counted_against_their_own_limit(small: Comparison, limit: float, text: str) -> None:
    network = replace(small.networks[1], limit=limit)
    (check,) = table_rows(replace(small, networks=(network,)))[0].checks
    assert (check.basis, check.text) == ("counted", text)


def test_of_a_device_that_was_not_there_only_what_is_known_is_listed(small: Comparison) -> None:
    device = {"name": "Example Board", "architecture": "unknown", "cores": None}
    there = replace(small, device=device)
    assert len(device_facts(there)) == 3
    assert device_facts(replace(there, runtime={"name": "roofline"})) == (("name", "Example Board"),)


def test_no_limit_no_check(small: Comparison) -> None:
    assert table_rows(replace(small, networks=small.reference_networks[:1]))[0].checks == ()


def test_the_error_is_relative_to_what_was_measured(small: Comparison) -> None:
    assert prediction_error(small.networks[0]) == pytest.approx(-0.02)
    assert math.isnan(prediction_error(replace(small.networks[0], measured=None)))


def test_no_problem_without_a_reason(small: Comparison) -> None:
    assert problems(small) == ()


def test_problems_are_those_given_and_those_the_numbers_show(gap: Comparison) -> None:
    first, second = gap.networks
    networks = (replace(first, measured=None, failure="no engine"), replace(second, trained_steps=100))
    found = problems(replace(gap, networks=networks, problems=("It throttled.",)))
    assert found == (
        "It throttled.",
        "latency-searched could not be measured: no engine",
        "1 of 52 candidates has no latency in the table.",
        "The networks were trained for different numbers of steps (100 and 40,000): mIoU is not like for like.",
    )


def test_facts_are_words() -> None:
    assert facts({"power_mode": "MAXN", "serial": None}) == (("power mode", "MAXN"), ("serial", "not readable"))


def test_the_setting_says_how_much_is_known(gap: Comparison) -> None:
    said = dict(setting(gap))
    assert said["table"] == "51 of 52 candidates have a latency"
    assert said["whole networks"] == "2 of 2 searched and 4 of 4 reference networks measured"
    assert said["shared by all"].startswith("4.20\u00a0ms, 900\u00a0M MACs")
    assert said["input"].startswith("512 \u00d7 1024 pixels")
