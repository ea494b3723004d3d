"""The factor that makes intervals cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from latency.cost_models.left_out import deviation_factor


@pytest.mark.parametrize("truth", [0.7, 1.0, 2.0])
def test_deviations_are_brought_to_the_errors(truth: float) -> None:
    errors = truth * np.random.default_rng(0).standard_normal(5000)
    assert deviation_factor(errors, np.ones(5000)) == pytest.approx(truth, rel=0.05)


def test_heavy_tails_do_not_widen_what_nine_tenths_need() -> None:
    errors = np.random.default_rng(0).standard_normal(5000)
    wild = errors.copy()
    wild[:100] *= 1e6
    assert deviation_factor(wild, np.ones(5000)) < 1.1 * deviation_factor(errors, np.ones(5000))


def test_few_rows_move_it_little() -> None:
    assert 1.0 < deviation_factor(np.full(3, 6.0), np.ones(3)) < 1.6
    assert deviation_factor(np.zeros(0), np.zeros(0)) == 1.0


def test_it_stays_within_its_limits() -> None:
    assert deviation_factor(np.full(1000, 1e6), np.ones(1000)) == 3.0
    assert deviation_factor(np.zeros(1000), np.ones(1000)) == 0.5
    assert deviation_factor(np.zeros(1000), np.ones(1000), least=1.0) == 1.0
