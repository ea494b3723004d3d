from __future__ import annotations

import math
from dataclasses import replace

import pytest

from paceline.report import wording
from search import Comparison, Interval

MS = "\u00a0ms"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0274, "27.4"), (0.00041234, "0.412"), (1.2345, "1,234"), (0.009996, "10.0"), (0.0, "0"), (math.nan, "missing")],
)
def test_a_time_has_three_significant_digits(seconds: float, text: str) -> None:
    assert wording.milliseconds(seconds) == text


def test_a_missing_time_has_no_unit() -> None:
    assert wording.in_ms(math.nan) == "missing"
    assert wording.in_ms(0.03) == f"30.0{MS}"


def test_only_what_comes_from_peak_figures_is_said_to(small: Comparison) -> None:
    assert wording.estimated_note(small) == ""
    noted = wording.estimated_note(replace(small, runtime={"name": "roofline"}))
    assert noted == "Estimated from peak figures of Jetson AGX Xavier; nothing was measured."


@pytest.mark.parametrize(("limit_s", "text"), [(0.03, "30"), (0.0125, "12.5"), (1.5, "1,500")])
def test_a_limit_reads_as_it_was_specified(limit_s: float, text: str) -> None:
    assert wording.limit_ms(limit_s) == text + MS


@pytest.mark.parametrize(
    ("share", "text"), [(0.0312, "+3.1"), (-0.0312, "\u22123.1"), (0.0, "0.0"), (-0.0001, "0.0"), (math.nan, "missing")]
)
def test_a_difference_has_a_sign_unless_it_rounds_to_nothing(share: float, text: str) -> None:
    assert wording.signed_percent(share) == text


def test_the_limit_has_the_unit_of_the_objective(small: Comparison) -> None:
    by_latency, by_macs = small.networks
    assert wording.limit_text(by_latency) == f"30{MS}"
    assert wording.limit_text(by_macs) == "4,000\u00a0M"
    assert wording.limit_text(replace(by_macs, objective="energy", limit=1.5)) == "1.5"
    assert wording.limit_text(small.reference_networks[0]) == "\u2013"


@pytest.mark.parametrize(
    ("mean_s", "half_width_s", "decimals"), [(0.0274, 0.00005, 2), (0.0274, 0.002, 1), (0.2, 0.0, 0), (0.0009, 1e-5, 3)]
)
def test_narrow_intervals_get_one_more_decimal(
    small: Comparison, mean_s: float, half_width_s: float, decimals: int
) -> None:
    interval = Interval(mean_s, mean_s - half_width_s, mean_s + half_width_s)
    network = replace(small.networks[0], predicted=interval, measured=interval)
    assert wording.decimals_ms(replace(small, networks=(network,))) == decimals


def test_decimals_without_any_network(small: Comparison) -> None:
    assert wording.decimals_ms(replace(small, networks=(), reference_networks=())) == 1


def test_the_device_is_named_by_what_its_identity_has(small: Comparison) -> None:
    assert wording.device_name(small) == "Jetson AGX Xavier"
    assert wording.device_name(replace(small, device={"name": None, "cpu": "EPYC"})) == "EPYC"
    assert wording.device_name(replace(small, device={"cores": 4})) == "the device"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not readable"),
        ("", "not readable"),
        (0, "0"),
        (True, "yes"),
        (1.5, "1.5"),
        ([], "none"),
        (["a", None], "a, not readable"),
        ({"fan": "on", "mode": {"id": 2}}, "fan on, mode id 2"),
    ],
)
def test_what_could_not_be_read_is_never_zero_or_empty(value: object, text: str) -> None:
    assert wording.plain(value) == text


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert wording.shortened("latency-searched", 20) == "latency-searched"
    assert wording.shortened("latency-searched", 8) == "latency\u2026"
