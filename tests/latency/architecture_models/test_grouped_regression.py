from __future__ import annotations

import json

import numpy as np
import pytest

from latency.architecture_models.codes import ArchitectureCodes, counts, one_hot
from latency.architecture_models.grouped_regression import LinearFit, grouped_fit

UNITS, CANDIDATES = 6, 4


def codes(count: int, seed: int = 0) -> ArchitectureCodes:
    picks = np.random.default_rng(seed).integers(CANDIDATES, size=(count, UNITS))
    return ArchitectureCodes.of({"pick": one_hot(picks, CANDIDATES)}, {"count": counts(picks, CANDIDATES)})


def sums_s(of: ArchitectureCodes) -> np.ndarray:
    costs_s = np.random.default_rng(99).uniform(0.2e-3, 2e-3, UNITS * CANDIDATES)
    return 1e-3 + of.values[:, : of.main] @ costs_s


def worst(fit: LinearFit, at: ArchitectureCodes) -> float:
    return float(np.abs(fit.mean_s(at.values) / sums_s(at) - 1).max())


def test_a_sum_is_found_within_the_noise() -> None:
    seen, rng = codes(400), np.random.default_rng(5)
    noisy_s = sums_s(seen) * (1 + 0.01 * rng.standard_normal(400))
    fit = grouped_fit(seen, noisy_s, None)
    assert worst(fit, codes(100, 1)) < 0.01
    assert fit.noise == pytest.approx(0.01, rel=0.2)


def test_disturbed_rows_hardly_move_the_others() -> None:
    seen, rng = codes(400), np.random.default_rng(5)
    noisy_s = sums_s(seen) * (1 + 0.01 * rng.standard_normal(400))
    noisy_s[::20] *= 1.8
    fit = grouped_fit(seen, noisy_s, None)
    plain = np.linalg.lstsq(np.column_stack([np.ones(400), seen.values]), noisy_s, rcond=None)[0]
    plain_fit = LinearFit(float(plain[0]), plain[1:], np.zeros(len(plain) - 1), 0.0)
    assert worst(fit, codes(100, 1)) < 0.03 < worst(plain_fit, codes(100, 1))


def test_the_order_tells_what_the_device_did_from_what_the_architecture_does() -> None:
    seen, rng = codes(300), np.random.default_rng(5)
    states = np.repeat(rng.choice([-0.1, 0.0, 0.1], 15), 20)
    noisy_s = sums_s(seen) * (1 + states + 0.005 * rng.standard_normal(300))
    held = codes(200, 1)

    def spread(order: np.ndarray | None) -> float:
        return float(np.std(grouped_fit(seen, noisy_s, order).mean_s(held.values) / sums_s(held)))

    assert spread(np.arange(300.0)) < 0.6 * spread(None)


def test_a_column_that_never_varied_is_uncertain() -> None:
    seen = codes(200)
    values = np.column_stack([seen.values[:, : seen.main], np.zeros(200)])
    widened = ArchitectureCodes(values, ("pick",) * values.shape[1], values.shape[1])
    fit = grouped_fit(widened, sums_s(seen), None)
    known, unknown = values[:1], values[:1] + np.eye(values.shape[1])[-1]
    mean_s = fit.mean_s(known)
    assert fit.deviation_s(unknown, mean_s) > 0.2e-3 > 10 * fit.deviation_s(known, mean_s)


def test_precisions_that_are_given_are_kept() -> None:
    seen = codes(100)
    first = grouped_fit(seen, sums_s(seen), None)
    assert grouped_fit(seen, sums_s(seen), None, first.precisions).precisions == first.precisions
    assert len(first.precisions) == 2


def test_times_of_another_unit_give_estimates_of_that_unit() -> None:
    seen = codes(100)
    noisy_s = sums_s(seen) * np.random.default_rng(5).uniform(0.9, 1.1, 100)
    fits = [grouped_fit(seen, noisy_s * scale, None).mean_s(seen.values) / scale for scale in (1, 1e-6)]
    assert np.allclose(*fits, rtol=1e-6)


def test_a_fit_survives_json() -> None:
    fit = grouped_fit(codes(60), sums_s(codes(60)), None)
    again = LinearFit.from_json(json.loads(json.dumps(fit.to_json())))
    assert np.array_equal(again.mean_s(codes(9).values), fit.mean_s(codes(9).values))
    assert again.precisions == fit.precisions
