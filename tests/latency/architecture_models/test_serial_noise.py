from __future__ import annotations

import numpy as np

from latency.architecture_models.serial_noise import MOST_LAG, SerialNoise, cut_off, latest_level


def correlated(count: int, memory: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    errors = np.zeros(count)
    for row in range(1, count):
        errors[row] = memory * errors[row - 1] + rng.standard_normal()
    return errors


def correlation(noise: SerialNoise, size: int) -> np.ndarray:
    return np.linalg.inv(noise.solve(np.eye(size)))


def test_neighbours_are_as_correlated_as_they_were() -> None:
    matrix = correlation(SerialNoise.of(correlated(900, 0.8), np.arange(900.0)), 900)
    assert abs(matrix[500, 501] - 0.8) < 0.08
    assert abs(matrix[500, 504] - 0.8**4) < 0.12
    assert abs(matrix[500, 500] - 1) < 1e-9
    assert abs(matrix[500, 500 + MOST_LAG + 1]) < 1e-9


def test_the_order_counts_and_not_the_place_in_the_array() -> None:
    errors, order = correlated(300, 0.8), np.arange(300.0)
    shuffled = np.random.default_rng(1).permutation(300)
    straight = correlation(SerialNoise.of(errors, order), 300)
    mixed = correlation(SerialNoise.of(errors[shuffled], order[shuffled]), 300)
    assert np.allclose(mixed, straight[np.ix_(shuffled, shuffled)], atol=1e-9)


def test_rows_far_apart_in_time_are_independent() -> None:
    noise = SerialNoise.of(correlated(100, 0.5), np.arange(100.0) * 50)
    assert np.allclose(noise.solve(np.eye(100)), np.eye(100))


def test_errors_that_alternate_still_have_a_correlation() -> None:
    errors = np.tile([1.0, -1.0], 50)
    columns = np.random.default_rng(0).standard_normal((100, 3))
    solved = SerialNoise.of(errors, np.arange(100.0)).solve(columns)
    assert np.isfinite(solved).all()
    assert (np.einsum("ij,ij->j", columns, solved) > 0).all()


def test_errors_of_zero_and_few_rows_are_no_trouble() -> None:
    assert np.allclose(SerialNoise.of(np.zeros(5), np.arange(5.0)).solve(np.eye(5)), np.eye(5))


def test_errors_far_out_are_brought_in_and_others_left() -> None:
    errors = np.array([-0.01, 0.0, 0.01, 0.02, 5.0])
    assert cut_off(errors)[:4].tolist() == errors[:4].tolist()
    assert 0.02 < cut_off(errors)[4] < 0.04


def test_a_clear_drift_is_followed_to_its_end() -> None:
    order, noise = np.arange(400.0), np.random.default_rng(0).standard_normal(400)
    assert abs(latest_level(0.1 * (order / 400 - 0.5) + 0.02 * noise, order) - 1.05) < 0.01
    assert latest_level(0.02 * noise, order) == 1


def test_a_device_that_jumps_and_stays_does_not_drift() -> None:
    levels = [latest_level(0.1 * np.repeat(np.random.default_rng(s).integers(3, size=25), 20), np.arange(500.0))
              for s in range(10)]  # fmt: skip
    assert sum(level != 1 for level in levels) <= 1
