from __future__ import annotations

from dataclasses import replace

import pytest

from paceline.report.finding import OVER, UNCLEAR, WITHIN, findings, overlap, paired, verdict
from search import Comparison, Interval, NetworkResult


def around(mean_s: float, half_width_s: float = 0.0002) -> Interval:
    return Interval(mean_s, mean_s - half_width_s, mean_s + half_width_s)


def headline(comparison: Comparison, **changes: object) -> str:
    """The headline with the latency-searched network changed, and plain spaces."""
    ours, *others = comparison.networks
    changed = replace(comparison, networks=(replace(ours, **changes), *others))  # type: ignore[arg-type]
    return findings(changed)[0].replace("\u00a0", " ")


def test_faster_within_the_limit_and_more_accurate(small: Comparison) -> None:
    assert headline(small) == (
        "On Jetson AGX Xavier, latency-searched runs in 27.40 ms, 3.10 ms (10 %) faster than macs-searched "
        "(30.50 ms), and their 95 % intervals do not overlap; "
        "latency-searched keeps its limit of 30 ms and macs-searched would miss it; "
        "latency-searched scores 0.8 points more mIoU (68.0 % against 67.2 %, no interval known)."
    )


def test_slower_is_said_as_plainly(small: Comparison) -> None:
    said = headline(small, measured=around(0.0325), miou=0.60)
    assert "latency-searched runs in 32.50 ms, 2.00 ms (6.6 %) slower than macs-searched (30.50 ms)" in said
    assert "latency-searched misses its limit of 30 ms by 2.50 ms and macs-searched would miss it" in said
    assert "scores 7.2 points less mIoU (60.0 % against 67.2 %" in said


def test_overlapping_intervals_are_no_clear_difference(small: Comparison) -> None:
    said = headline(small, measured=around(0.0304))
    assert "there is no clear difference in latency between latency-searched (30.40 ms) and macs-searched" in said
    assert "95 % intervals overlap" in said
    assert "faster" not in said
    assert "slower" not in said


def test_a_limit_inside_the_interval_is_too_close_to_call(small: Comparison) -> None:
    assert "latency-searched is too close to call at its limit of 30 ms" in headline(small, measured=around(0.0301))


def test_without_a_limit_none_is_spoken_of(small: Comparison) -> None:
    assert "limit" not in headline(small, limit=None)


def test_a_failed_measurement_leaves_open_who_is_faster(small: Comparison) -> None:
    said = headline(small, measured=None, failure="out of memory")
    assert "latency-searched could not be measured (out of memory), so which is faster is not known" in said
    assert "macs-searched runs in 30.5" in said
    assert "the table predicts 26.85 ms for latency-searched and 29.89 ms for macs-searched" in said
    assert "limit" not in said


def test_a_long_reason_is_cut_in_the_headline(small: Comparison) -> None:
    said = headline(small, measured=None, failure="x" * 5000)
    assert len(said) < 600


def test_both_unmeasured(small: Comparison) -> None:
    networks = tuple(replace(network, measured=None) for network in small.networks)
    said = findings(replace(small, networks=networks))[0]
    assert "latency-searched was not measured and macs-searched was not measured" in said


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (None, None, "mIoU is not known of either"),
        (None, 0.67, "mIoU cannot be compared, as it is not known of latency-searched"),
        (0.67, None, "mIoU cannot be compared, as it is not known of macs-searched"),
        (0.6701, 0.6698, "both score 67.0 % mIoU"),
    ],
)
def test_accuracy_that_is_missing_or_equal(
    small: Comparison, ours: float | None, theirs: float | None, said: str
) -> None:
    by_latency, by_macs = small.networks
    networks = (replace(by_latency, miou=ours), replace(by_macs, miou=theirs))
    assert said in findings(replace(small, networks=networks))[0].replace("\u00a0", " ")


def test_one_network_is_not_compared(small: Comparison) -> None:
    said = findings(replace(small, networks=small.networks[:1]))
    assert len(said) == 1
    assert "there is no network searched on the other cost" in said[0]
    assert "keeps its limit" in said[0]


def test_one_network_that_failed(small: Comparison) -> None:
    only = replace(small.networks[0], measured=None, failure="no such device", miou=None)
    said = findings(replace(small, networks=(only,)))[0]
    assert "could not be measured (no such device); the table predicts" in said
    assert "its mIoU is not known" in said


def test_no_network(small: Comparison) -> None:
    assert findings(replace(small, networks=())) == ("No network was searched, so there is nothing to compare.",)


def test_the_tightest_limit_makes_the_headline(small: Comparison) -> None:
    by_latency, by_macs = small.networks
    large = replace(by_latency, name="latency-large", limit=0.06), replace(by_macs, name="macs-large", limit=9e9)
    several = replace(small, networks=(*large, by_latency, by_macs))
    assert [(pair.latency.name, pair.macs.name) for pair in paired(several)] == [
        ("latency-searched", "macs-searched"),
        ("latency-large", "macs-large"),
    ]
    first, second = findings(several)
    assert first.startswith("On Jetson AGX Xavier, latency-searched ")
    assert second.startswith("latency-large ")


def test_unequal_numbers_are_paired_by_predicted_latency(small: Comparison) -> None:
    by_latency, by_macs = small.networks
    far = replace(by_macs, name="far", limit=1e9, predicted=around(0.09))
    near = replace(by_macs, name="near", limit=9e9, predicted=around(0.027))
    (pair,) = paired(replace(small, networks=(by_latency, far, near)))
    assert pair.macs.name == "near"


@pytest.mark.parametrize(
    ("mean_s", "expected"), [(0.0297, WITHIN), (0.0298, WITHIN), (0.0299, UNCLEAR), (0.0301, UNCLEAR), (0.0303, OVER)]
)
def test_a_verdict_respects_the_interval(mean_s: float, expected: str) -> None:
    assert verdict(Interval(mean_s, mean_s - 0.0002, round(mean_s + 0.0002, 7)), 0.03) == expected


def test_an_unknown_time_is_no_verdict() -> None:
    nan = float("nan")
    assert verdict(Interval(nan, nan, nan), 0.03) == UNCLEAR


def test_overlap_is_symmetric_and_closed() -> None:
    low, high = Interval(1.0, 0.9, 1.1), Interval(1.2, 1.1, 1.3)
    assert overlap(low, high)
    assert overlap(high, low)
    assert not overlap(low, replace(high, low_s=1.11))


def test_a_network_of_another_objective_is_in_no_pair(small: Comparison) -> None:
    networks: tuple[NetworkResult, ...] = (small.networks[0], replace(small.networks[1], objective=None))
    assert paired(replace(small, networks=networks)) == ()
