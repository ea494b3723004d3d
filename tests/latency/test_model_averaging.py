from __future__ import annotations

import numpy as np
import pytest

from latency.model_averaging import Array, Hypotheses, a_optimal_items

ITEMS = 60
X = np.linspace(-1, 1, ITEMS)
NONE = np.array([], dtype=np.intp)


def lines(noise: tuple[float, ...] = (0.01, 0.1), log_prior: tuple[float, ...] | None = None) -> Hypotheses:
    """Straight lines through anything, at several noises."""
    factor = np.column_stack([np.ones(ITEMS), X])
    return Hypotheses(
        factors=(factor,),
        variances=np.ones((len(noise), 1)),
        offsets=np.zeros((1, ITEMS)),
        offset_of=np.zeros(len(noise), dtype=np.intp),
        noise=np.array(noise),
        log_prior=np.zeros(len(noise)) if log_prior is None else np.array(log_prior),
    )


def seen_of(truth: Array, count: int, noise: float, seed: int = 0) -> tuple[np.ndarray, Array]:
    rng = np.random.default_rng(seed)
    seen = rng.choice(ITEMS, count, replace=False)
    return seen, truth[seen] + noise * rng.standard_normal(count)


def test_a_line_is_found_with_the_noise_that_it_has() -> None:
    truth = 0.3 + 0.7 * X
    seen, observed = seen_of(truth, 20, 0.01)
    process = lines().posterior(seen, observed, np.zeros(20))
    mean, deviation = process.predict()
    assert process.probability[0] > 0.99
    assert np.abs(mean - truth).max() < 0.02
    assert 0.01 < deviation.mean() < 0.03


def test_one_disturbed_observation_moves_little() -> None:
    truth = 0.3 + 0.7 * X
    seen, observed = seen_of(truth, 12, 0.01)
    observed[3] += 2
    hypotheses = lines((0.01, 0.03, 0.1, 0.3))
    mean, _ = hypotheses.posterior(seen, observed, np.zeros(12)).predict()
    least_squares = np.polynomial.Polynomial.fit(X[seen], observed, 1)(X)
    assert np.abs(mean - truth).max() < 0.05
    assert np.abs(least_squares - truth).max() > 0.15


def test_an_observation_known_to_be_bad_counts_little() -> None:
    truth = np.full(ITEMS, 0.5)
    seen, observed = np.array([0, 30, 59]), np.array([0.5, 0.5, 1.5])
    trusting = lines((0.1,)).posterior(seen, observed, np.zeros(3)).predict()[0]
    doubting = lines((0.1,)).posterior(seen, observed, np.array([0.0, 0.0, 4.0])).predict()[0]
    assert np.abs(doubting - truth).mean() < np.abs(trusting - truth).mean()


def test_nine_tenths_of_new_observations_lie_in_the_interval() -> None:
    inside = []
    rng = np.random.default_rng(5)
    for seed in range(60):
        truth = rng.standard_normal() + rng.standard_normal() * X
        seen, observed = seen_of(truth, 8, 0.05, seed)
        mean, deviation = lines((0.02, 0.05, 0.1, 0.2)).posterior(seen, observed, np.zeros(8)).predict()
        new = truth + 0.05 * rng.standard_normal(ITEMS)
        inside.append(np.abs(new - mean) <= 1.645 * deviation)
    assert 0.85 < np.mean(inside) <= 0.98


def test_left_out_is_what_the_others_say() -> None:
    truth = 0.3 + 0.7 * X
    seen, observed = seen_of(truth, 10, 0.05)
    hypotheses = lines((0.02, 0.05, 0.1))
    mean, deviation = hypotheses.posterior(seen, observed, np.zeros(10)).left_out()
    for k in range(10):
        others = hypotheses.posterior(np.delete(seen, k), np.delete(observed, k), np.zeros(9))
        one_mean, one_deviation = (values[seen[k]] for values in others.predict())
        assert mean[k] == pytest.approx(one_mean, abs=0.3 * one_deviation)
        assert deviation[k] == pytest.approx(one_deviation, rel=0.3)


def test_hypotheses_with_different_offsets_are_told_apart() -> None:
    offsets = np.array([np.sin(3 * X), np.cos(3 * X)])
    factor = 0.05 * np.column_stack([np.ones(ITEMS), X])
    hypotheses = Hypotheses(
        factors=(factor,),
        variances=np.ones((2, 1)),
        offsets=offsets,
        offset_of=np.array([0, 1]),
        noise=np.array([0.05, 0.05]),
        log_prior=np.log([0.9, 0.1]),
    )
    process = hypotheses.posterior(np.array([5, 20, 50]), offsets[1, [5, 20, 50]], np.zeros(3))
    assert process.probability[1] > 0.95
    assert np.abs(process.predict()[0] - offsets[1]).max() < 0.1


def test_the_expected_covariance_has_the_differences_between_offsets() -> None:
    offsets = np.array([np.ones(ITEMS), -np.ones(ITEMS)])
    hypotheses = Hypotheses(
        factors=(np.zeros((ITEMS, 1)),),
        variances=np.ones((2, 1)),
        offsets=offsets,
        offset_of=np.array([0, 1]),
        noise=np.array([0.1, 0.1]),
        log_prior=np.zeros(2),
    )
    factor = hypotheses.expected_factor()
    assert factor @ factor.T == pytest.approx(np.ones((ITEMS, ITEMS)))
    assert hypotheses.expected_noise() == pytest.approx(0.1)


def test_the_ends_of_a_line_tell_most() -> None:
    factor = np.column_stack([np.ones(ITEMS), X])
    chosen = a_optimal_items(factor, 0.1, 2, np.arange(ITEMS), np.array([0]))
    assert chosen[0] == ITEMS - 1
    assert {0, ITEMS - 1} <= set(a_optimal_items(factor, 0.1, 3, np.arange(ITEMS), NONE).tolist())


def test_what_is_known_is_not_chosen_again_and_nothing_else_than_allowed() -> None:
    factor = np.column_stack([np.ones(ITEMS), X])
    among = np.arange(10, 20)
    chosen = a_optimal_items(factor, 0.1, 20, among, np.array([10, 11, 59]))
    assert sorted(chosen.tolist()) == list(range(12, 20))


def test_chosen_items_leave_less_variance_than_random_ones() -> None:
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((200, 6)) * np.array([3, 1, 1, 0.3, 0.3, 0.1])

    def left(items: np.ndarray) -> float:
        rows = factor[items]
        covariance = np.linalg.inv(np.eye(6) + rows.T @ rows / 0.1**2)
        return float(((factor @ covariance) * factor).sum(axis=1).mean())

    chosen = a_optimal_items(factor, 0.1, 6, np.arange(200), NONE)
    random = [left(rng.choice(200, 6, replace=False)) for _ in range(50)]
    assert left(chosen) < min(random)
