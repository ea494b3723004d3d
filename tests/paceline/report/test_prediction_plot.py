from __future__ import annotations

from dataclasses import replace

import pytest

from paceline.report.prediction_plot import prediction_notes, prediction_plot, spread
from search import Comparison, Interval


def test_searched_networks_and_their_limit_are_named(small: Comparison) -> None:
    drawing = prediction_plot(small)
    assert drawing is not None
    for text in ("latency-searched", "macs-searched", "27.40\u00a0ms measured", "limit 30\u00a0ms", "measured, ms"):
        assert f">{text}</text>" in drawing.svg


def test_a_failed_network_is_left_out(small: Comparison) -> None:
    networks = (replace(small.networks[0], measured=None, failure="no engine"), small.networks[1])
    drawing = prediction_plot(replace(small, networks=networks))
    assert drawing is not None
    assert ">latency-searched<" not in drawing.svg


def test_nothing_measured_nothing_drawn(small: Comparison) -> None:
    networks = tuple(replace(network, measured=None) for network in small.networks)
    bare = replace(small, networks=networks, reference_networks=())
    assert prediction_plot(bare) is None
    assert "not known" in prediction_notes(bare)[0]


def test_the_mean_absolute_error_is_over_all_that_was_measured(small: Comparison) -> None:
    errors_ms = [0.02 * time for time in (27.4, 30.5, 24, 27, 30, 33)]
    assert prediction_notes(small)[0] == (
        f"Mean absolute error {sum(errors_ms) / 6:.2f}\u00a0ms (2.0\u00a0%) over 6 networks."
    )
    assert "too low" in prediction_notes(small)[1]


def test_the_worst_network_is_named(small: Comparison) -> None:
    off = replace(small.reference_networks[2], name="odd-one", predicted=Interval(0.06, 0.05, 0.07))
    notes = prediction_notes(replace(small, reference_networks=(*small.reference_networks[:2], off)))
    assert notes[-1] == "Worst: odd-one, off by 100.0\u00a0%."


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [([], []), ([50.0], [50.0]), ([50.0, 52.0], [50.0, 60.0]), ([95.0, 97.0], [90.0, 100.0]), ([-5.0], [0.0])],
)
def test_labels_are_spread(wanted: list[float], expected: list[float]) -> None:
    assert spread(wanted, gap=10, low=0, high=100) == expected
