"""Ratios on the scale of logarithms: what is known of them, and how they are taken apart."""

from __future__ import annotations

import math
import random

import pytest

from lut.log_ratio import LogRatio, log_time, trimmed_mean
from tests.contracts.examples import block, measurement


def test_two_equal_samples_have_equal_logarithms_and_their_difference_the_sum_of_the_variances() -> None:
    first, second = LogRatio(1.0, 0.04, 5), LogRatio(0.25, 0.01, 5)
    difference = first.minus(second)
    assert (difference.centre, difference.variance) == pytest.approx((0.75, 0.05))
    assert difference.degrees == pytest.approx(0.05**2 / (0.04**2 / 5 + 0.01**2 / 5))


def test_what_has_no_spread_adds_none_and_leaves_the_degrees_of_the_other() -> None:
    known = LogRatio(1.0, 0.04, 5)
    assert known.minus(LogRatio(0.0, 0.0, math.inf)) == LogRatio(1.0, 0.04, pytest.approx(5))
    assert LogRatio(1.0, 0.0, 4).minus(LogRatio(1.0, 0.0, 4)).interval() == (0.0, 0.0)


def test_the_interval_of_a_trimmed_mean_covers_the_truth_where_one_number_in_ten_is_far_off() -> None:
    draw = random.Random(4)
    covered = 0
    for _ in range(400):
        numbers = [draw.gauss(2.0, 0.1) + (draw.random() < 0.1) * draw.choice((-3.0, 3.0)) for _ in range(12)]
        low, high = trimmed_mean(numbers).interval()
        covered += low <= 2.0 <= high
    assert covered >= 0.93 * 400


def test_few_numbers_are_not_trimmed() -> None:
    assert trimmed_mean([0.0, 1.0, 5.0]).centre == 2.0
    assert trimmed_mean([0.0, 1.0, 1.0, 1.0, 1.0, 50.0]).centre == 1.0


def test_a_time_counts_each_process_once() -> None:
    many = log_time(measurement(block(), times=[1e-3, 1e-3, 2e-3]))
    assert math.exp(many.centre) == pytest.approx(1e-3 * 2 ** (1 / 3))
    assert many.degrees == 2
    assert math.isinf(log_time(measurement(block())).degrees)


def test_a_claim_that_the_interval_allows_has_no_small_p_value() -> None:
    known = LogRatio(0.05, 0.0001, 5)
    low, _ = known.interval()
    assert known.p_beyond(low) == pytest.approx(0.05)
    assert known.p_beyond(0.06) == 1.0
    assert LogRatio(0.05, 0.0, 5).p_beyond(0.01) == 0.0
