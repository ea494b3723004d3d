"""The Gaussian process: right gradients, sure of what it saw, and right about sums, counts and whole networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from search.strategies.surrogate import normal_ranks
from search.strategies.surrogate_model import GaussianProcess

SIZES = (3, 5, 1, 4, 5, 2)
Array = npt.NDArray[np.float64]


def drawn(count: int, seed: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng(seed).integers(SIZES, size=(count, len(SIZES)))


def additive(picks: npt.NDArray[np.intp]) -> Array:
    table = np.random.default_rng(5).normal(size=(len(SIZES), max(SIZES)))
    return np.asarray(table[np.arange(len(SIZES)), picks].sum(axis=1))


def counted(picks: npt.NDArray[np.intp]) -> Array:
    """How good a network is depends on how often it picks 1, and best is twice."""
    return -np.abs((picks == 1).sum(axis=1) - 2.0)


def interacting(picks: npt.NDArray[np.intp]) -> Array:
    return np.where(picks[:, 0] == 1, 1.0, -1.0) * np.where(picks[:, 4] >= 2, 1.0, -1.0)


def fitted(picks: npt.NDArray[np.intp], values: Array) -> GaussianProcess:
    process = GaussianProcess(SIZES)
    process.fit(picks, values)
    return process


@pytest.mark.parametrize("parameter", range(6))
def test_the_gradient_is_that_of_the_loss(parameter: int) -> None:
    picks = drawn(30, 0)
    process = fitted(picks, normal_ranks(additive(picks)))
    same, apart = process._relations(process._known)
    values, at = normal_ranks(additive(picks)), process._prior + 0.3
    step = np.eye(6)[parameter] * 1e-5
    difference = process._loss(at + step, same, apart, values)[0] - process._loss(at - step, same, apart, values)[0]
    assert process._loss(at, same, apart, values)[1][parameter] == pytest.approx(difference / 2e-5, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("score", [additive, counted, interacting])
def test_networks_that_were_not_seen_are_ranked(score: object) -> None:
    assert callable(score)
    seen, asked = drawn(120, 1), drawn(200, 2)
    mean, _ = fitted(seen, normal_ranks(score(seen))).predict(asked)
    assert np.corrcoef(mean, score(asked))[0, 1] > 0.85


def test_it_is_surer_of_what_it_saw_and_says_how_far_off_it_is() -> None:
    seen, asked = drawn(60, 1), drawn(400, 2)
    values = additive(np.concatenate([seen, asked]))
    values = (values - values.mean()) / values.std()
    process = fitted(seen, values[:60])
    assert process.predict(seen)[1].mean() < process.predict(asked)[1].mean()
    mean, deviation = process.predict(asked)
    inside = np.abs(values[60:] - mean) < 1.645 * deviation
    assert 0.75 < inside.mean() <= 1, "of 90 % intervals"


def test_the_same_networks_always_give_the_same_fit() -> None:
    picks, process = drawn(40, 3), GaussianProcess(SIZES)
    process.fit(drawn(40, 4), normal_ranks(counted(drawn(40, 4))))
    process.fit(picks, normal_ranks(additive(picks)))
    again = fitted(picks, normal_ranks(additive(picks)))
    assert process.predict(picks)[0].tolist() == again.predict(picks)[0].tolist()


def test_equal_values_are_no_trouble() -> None:
    mean, deviation = fitted(drawn(20, 0), np.zeros(20)).predict(drawn(5, 1))
    assert mean == pytest.approx(np.zeros(5))
    assert (deviation > 0).all()
