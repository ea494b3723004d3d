"""The Gaussian process: gradients, posterior and left-out predictions against the long way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from latency.cost_models.columns import Columns, Rows
from latency.cost_models.process import Posterior, Prior, _Evidence
from tests.contracts.cost_model_contract import blocks
from tests.contracts.examples import reduction

WORKLOADS = (*blocks()[:25], reduction(8), reduction(16))
COLUMNS = Columns.of(WORKLOADS)
ROWS = COLUMNS.rows(WORKLOADS)
PRIOR = Prior.usual(np.array(COLUMNS.vary))
NOISE = np.full(len(ROWS), 1e-3)


def drawn(prior: Prior, rows: Rows, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    covariance = prior.covariance(rows, rows) + (prior.own_variance + 1e-3) * np.eye(len(rows))
    return np.linalg.cholesky(covariance) @ np.random.default_rng(seed).standard_normal(len(rows))


def test_the_gradient_is_that_of_the_loss() -> None:
    evidence = _Evidence(PRIOR, ROWS, drawn(PRIOR, ROWS), NOISE)
    shaken = evidence.medians + 0.5 * np.random.default_rng(1).standard_normal(len(evidence.medians))
    for point in (evidence.medians, shaken):
        numeric = approx_fprime(point, lambda p: evidence.loss(p)[0], 1e-6)
        assert evidence.loss(point)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_variance_is_the_diagonal_of_the_covariance() -> None:
    assert PRIOR.variance(ROWS) == pytest.approx(np.diag(PRIOR.covariance(ROWS, ROWS)))


def test_the_posterior_is_that_of_conditioning_the_joint_distribution() -> None:
    seen, new = np.arange(20), np.arange(20, 27)
    observed = drawn(PRIOR, ROWS)
    own = np.eye(len(ROWS)) * PRIOR.own_variance
    joint = PRIOR.covariance(ROWS, ROWS) + own
    gain = joint[np.ix_(new, seen)] @ np.linalg.inv(joint[np.ix_(seen, seen)] + np.diag(NOISE[seen]))
    posterior = Posterior(PRIOR, ROWS[seen], observed[seen], NOISE[seen])
    mean, variance = posterior.predict(ROWS[new])
    left = joint[np.ix_(new, new)] - gain @ joint[np.ix_(seen, new)]
    assert mean == pytest.approx(gain @ observed[seen])
    assert posterior.covariance(ROWS[new]) == pytest.approx(left)
    assert variance == pytest.approx(np.diag(left))


def test_leaving_one_out_in_closed_form_is_leaving_it_out() -> None:
    observed, every = drawn(PRIOR, ROWS), np.arange(len(ROWS))
    mean, variance = Posterior(PRIOR, ROWS, observed, NOISE).left_out()
    for row in (0, 7, 26):
        others = np.delete(every, row)
        alone = Posterior(PRIOR, ROWS[others], observed[others], NOISE[others]).predict(ROWS[every[row : row + 1]])
        assert mean[row] == pytest.approx(alone[0][0])
        assert variance[row] == pytest.approx(alone[1][0] + NOISE[row])


def test_learning_makes_what_was_seen_more_probable_and_finds_the_noise() -> None:
    rows = COLUMNS.rows(blocks())
    loud = replace(PRIOR, strengths=np.array([1.0, 0.05, 0.1, 0.05, 0.3]))
    learned = PRIOR.learned(rows, drawn(loud, rows), np.zeros(len(rows)))
    assert learned.own_variance**0.5 == pytest.approx(0.3, rel=0.3)
    assert PRIOR.learned(rows, drawn(loud, rows), np.zeros(len(rows))).lengths.tolist() == learned.lengths.tolist()


def test_a_column_without_influence_gets_a_longer_scale() -> None:
    source = np.random.default_rng(0)
    rows = Rows(source.standard_normal((80, 5)), np.full(80, "kind"))
    learned = Prior.usual(np.ones(5, dtype=np.bool_)).learned(rows, np.sin(2 * rows.values[:, 4]), np.full(80, 1e-4))
    assert learned.lengths[:4].min() > 2 * learned.lengths[4]
