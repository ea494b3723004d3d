"""From logarithms to seconds: intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from latency import Estimates
from latency.cost_models.log_times import LogTimes


@pytest.mark.parametrize("deviation", [0.01, 0.1, 0.5, 1.0, 3.0])
def test_nine_tenths_of_the_times_are_in_the_interval_in_seconds(deviation: float) -> None:
    median_s, deviation_s = LogTimes(np.array([np.log(1e-3)]), np.array([deviation])).in_seconds()
    low_s, high_s = Estimates(median_s, deviation_s, np.ones(1, dtype=np.bool_)).interval_s(0.9)
    drawn_s = 1e-3 * np.exp(deviation * np.random.default_rng(0).standard_normal(200_000))
    assert np.mean((low_s <= drawn_s) & (drawn_s <= high_s)) == pytest.approx(0.9, abs=0.005)


def test_a_small_deviation_is_the_relative_one() -> None:
    median_s, deviation_s = LogTimes(np.log([2.0, 4.0]), np.array([0.01, 0.02])).in_seconds()
    assert median_s == pytest.approx([2.0, 4.0])
    assert deviation_s / median_s == pytest.approx([0.01, 0.02], rel=1e-3)


def test_certainty_has_no_deviation_and_ignorance_a_finite_one() -> None:
    _, deviation_s = LogTimes(np.zeros(2), np.array([0.0, 1e6])).in_seconds()
    assert deviation_s[0] == 0
    assert np.isfinite(deviation_s[1])
    assert deviation_s[1] > 1e3


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(WrongUse, match=r"one shape .*\(2,\) and \(3,\)"):
        LogTimes(np.zeros(2), np.zeros(3))
