"""Bayesian linear regression: closed forms against the long way round."""

from __future__ import annotations

import json

import numpy as np
import pytest

from latency.cost_models.linear import LinearEvidence, LinearPosterior

NOISE = 0.3


@pytest.fixture(params=[4, 30], ids=["fewer rows than weights", "more rows than weights"])
def evidence(request: pytest.FixtureRequest) -> LinearEvidence:
    source = np.random.default_rng(0)
    design = source.standard_normal((request.param, 6))
    observed = design @ source.standard_normal(6) + NOISE * source.standard_normal(request.param)
    return LinearEvidence(design, observed, source.standard_normal(6), source.uniform(0.1, 2.0, 6))


def test_the_evidence_is_that_of_the_covariance_of_what_was_seen(evidence: LinearEvidence) -> None:
    from scipy.stats import multivariate_normal

    def exact(noise: float) -> float:
        covariance = evidence.design * evidence.prior_variance @ evidence.design.T
        covariance += noise**2 * np.eye(len(evidence.observed))
        mean = evidence.design @ evidence.prior_mean
        return float(multivariate_normal(mean, covariance).logpdf(evidence.observed))

    found = evidence.log_evidence(NOISE) - evidence.log_evidence(1.0)
    assert found == pytest.approx(exact(NOISE) - exact(1.0))


def test_leaving_one_out_in_closed_form_is_leaving_it_out(evidence: LinearEvidence) -> None:
    errors, variances = evidence.left_out(NOISE)
    for row in range(len(evidence.observed)):
        others = LinearEvidence(
            np.delete(evidence.design, row, axis=0),
            np.delete(evidence.observed, row),
            evidence.prior_mean,
            evidence.prior_variance,
        )
        mean, variance = others.posterior(NOISE).predict(evidence.design[row : row + 1])
        assert errors[row] == pytest.approx(evidence.observed[row] - mean[0])
        assert variances[row] == pytest.approx(variance[0])


def test_much_evidence_finds_the_weights_and_none_leaves_the_prior() -> None:
    source = np.random.default_rng(1)
    design, weights = source.standard_normal((500, 3)), np.array([1.0, -2.0, 0.5])
    found = LinearEvidence(design, design @ weights, np.zeros(3), np.ones(3)).posterior(0.01)
    assert found.mean == pytest.approx(weights, abs=1e-3)
    nothing = LinearEvidence(np.zeros((2, 3)), np.zeros(2), weights, np.full(3, 4.0)).posterior(0.01)
    assert nothing.mean == pytest.approx(weights)
    assert nothing.covariance == pytest.approx(4 * np.eye(3))


def test_the_posterior_survives_json(evidence: LinearEvidence) -> None:
    posterior = evidence.posterior(NOISE)
    again = LinearPosterior.from_json(json.loads(json.dumps(posterior.to_json())))
    for first, second in zip(posterior.predict(evidence.design), again.predict(evidence.design), strict=True):
        assert first.tolist() == second.tolist()
