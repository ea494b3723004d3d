from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from latency.source_devices import additive_devices, multiplicative_devices

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(0, 4, (300, 3)).astype(float)
COSTS = np.array([0.5, 0.2, 0.1])


def device(noise: float, speed: float = 1.0) -> np.ndarray:
    return np.asarray(speed * (1 + COUNTS @ COSTS + noise * RNG.standard_normal(300)))


def test_an_additive_device_is_completed_and_freed_of_noise() -> None:
    clean, noisy = device(0.0), device(0.1)
    noisy[100:] = np.nan
    known = additive_devices(noisy[None, :], [COUNTS])
    assert known.times[0] == pytest.approx(clean / clean.mean(), abs=0.04)
    assert known.noise[0] * clean.mean() == pytest.approx(0.1, rel=0.25)


def test_the_speed_of_a_device_does_not_matter() -> None:
    slow, fast = device(0.0, 1.0), device(0.0, 1e-3)
    known = additive_devices(np.array([slow, fast]), [COUNTS])
    assert known.times[0] == pytest.approx(known.times[1])


def test_the_description_with_the_evidence_is_the_one_that_counts() -> None:
    other = RNG.permutation(COUNTS)
    noisy = device(0.1)
    noisy[60:] = np.nan
    both = additive_devices(noisy[None, :], [other, COUNTS]).times[0]
    clean = device(0.0)
    assert np.abs(both - clean / clean.mean()).max() < 0.1


def test_items_unlike_all_that_was_measured_are_outside() -> None:
    times_s = device(0.0)
    times_s[COUNTS[:, 0] == 3] = np.nan
    known = additive_devices(times_s[None, :], [COUNTS])
    assert (known.is_inside == (COUNTS[:, 0] < 3)).all()


def test_far_outliers_are_no_noise() -> None:
    times_s = device(0.02)
    times_s[:6] *= 20
    plain = additive_devices(device(0.02)[None, :], [COUNTS]).noise[0]
    assert additive_devices(times_s[None, 6:], [COUNTS[6:]]).noise[0] < 2 * plain


def test_the_additive_law_needs_features_and_times() -> None:
    with pytest.raises(WrongUse, match="multiplicative"):
        additive_devices(device(0.0)[None, :], [])
    with pytest.raises(WrongUse, match="above 0 s"):
        additive_devices(np.full((1, 300), np.nan), [COUNTS])


def test_multiplicative_devices_keep_what_each_item_has_of_its_own() -> None:
    times_s = np.exp(RNG.normal(-6, 2, (2, 50)))
    known = multiplicative_devices(times_s, [])
    assert known.times[0] == pytest.approx(np.log(times_s[0]) - np.log(times_s[0]).mean())
    assert known.is_inside.all()


def test_devices_that_resemble_each_other_are_less_surprising() -> None:
    one = RNG.normal(-6, 2, 100)
    alike = np.exp(np.array([one, one + 1 + 0.02 * RNG.standard_normal(100)]))
    unlike = np.exp(np.array([one, one + 1 + 0.3 * RNG.standard_normal(100)]))
    assert multiplicative_devices(alike, []).noise.max() < 0.05 < 0.2 < multiplicative_devices(unlike, []).noise.min()


def test_an_incomplete_multiplicative_device_is_refused_with_how_many_items() -> None:
    times_s = np.ones((2, 5))
    times_s[0, 1], times_s[1, 3] = np.nan, 0.0
    with pytest.raises(WrongUse, match="2 of 5 items"):
        multiplicative_devices(times_s, [])
