"""Random effects: the equations against each other, and what is believed when little was seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from latency.random_effects import USUAL_STRENGTH, Evidence, Posterior, RandomEffects, _Model

UNKNOWNS = 12
COMMON, EACH = np.ones((UNKNOWNS, UNKNOWNS)), np.eye(UNKNOWNS)
PRIOR = RandomEffects(known=1e-6 * np.eye(UNKNOWNS), groups={"common": COMMON, "each": EACH})


def observed(seen: int, common: float = 0.05, misfit: float = 0.02, seed: int = 0) -> Evidence:
    """Observations of unknowns that are all ``common``, with a little of their own."""
    source = np.random.default_rng(seed)
    unknowns = common + 0.01 * source.standard_normal(UNKNOWNS)
    design = source.dirichlet(np.ones(UNKNOWNS), seen)
    noise = misfit * source.standard_normal(seen)
    return Evidence(design, design @ unknowns + noise, np.full(seen, 1e-6))


def with_strengths(evidence: Evidence, strengths: tuple[float, float, float]) -> Posterior:
    point = np.log(strengths)
    return _Model(PRIOR, evidence).averaged(point[None], np.ones(1), point)


def test_the_gradient_is_that_of_the_loss() -> None:
    model = _Model(PRIOR, observed(10))
    for point in (np.log([0.03, 0.03, 0.03]), np.log([0.2, 0.002, 0.01])):
        numeric = approx_fprime(point, lambda p: model.loss(p)[0], 1e-6)
        assert model.loss(point)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_posterior_is_that_of_the_weights_of_the_features() -> None:
    # Weight space (Rasmussen and Williams, equation 2.8) knows nothing of kernels: one common weight, one for each.
    evidence, (common, each, misfit) = observed(8), (0.05, 0.01, 0.02)
    features = np.hstack([np.ones((UNKNOWNS, 1)), np.eye(UNKNOWNS)])
    prior_precision = np.diag([common**-2, *[1 / (each**2 + 1e-6)] * UNKNOWNS])
    seen = evidence.design @ features
    precision = seen.T @ seen / (misfit**2 + 1e-6) + prior_precision
    covariance = features @ np.linalg.inv(precision) @ features.T
    weights = np.linalg.solve(precision, seen.T @ evidence.observed / (misfit**2 + 1e-6))
    found = with_strengths(evidence, (common, each, misfit))
    assert found.mean == pytest.approx(features @ weights)
    assert found.covariance == pytest.approx(covariance)


def test_leaving_one_out_in_closed_form_is_leaving_it_out() -> None:
    evidence, strengths = observed(9), (0.05, 0.01, 0.02)
    found = with_strengths(evidence, strengths)
    for index in range(9):
        others = with_strengths(evidence.without(index), strengths)
        expected = others.predict(evidence.design[index], evidence.variance[index])
        assert (found.left_out_mean[index], found.left_out_deviation[index]) == pytest.approx(expected)


def test_what_all_observations_share_is_learned() -> None:
    posterior = PRIOR.posterior(observed(60, misfit=0.01))
    assert posterior.mean == pytest.approx(0.05, abs=0.02)
    assert posterior.misfit == pytest.approx(0.01, rel=0.3)
    assert posterior.strengths["each"] < posterior.strengths["common"]


def test_observations_that_say_nothing_leave_the_prior() -> None:
    loud = Evidence(np.full((8, UNKNOWNS), 1 / UNKNOWNS), np.linspace(-1, 1, 8), np.full(8, 1e6))
    posterior = PRIOR.posterior(loud)
    assert posterior.mean == pytest.approx(0, abs=1e-6)
    assert posterior.strengths == pytest.approx(dict.fromkeys(["common", "each", "misfit"], USUAL_STRENGTH), rel=1e-3)


def test_not_knowing_the_strengths_widens_the_belief() -> None:
    evidence = observed(8)
    posterior = PRIOR.posterior(evidence)
    surest = with_strengths(evidence, (*posterior.strengths.values(),))  # type: ignore[arg-type]
    row = evidence.design[0]
    assert posterior.predict(row, 0.0)[1] > 1.02 * surest.predict(row, 0.0)[1]


def test_the_covariance_is_one_even_where_noise_is_unknown_and_rows_repeat() -> None:
    design = np.repeat(np.eye(UNKNOWNS)[:2], 10, axis=0)
    posterior = PRIOR.posterior(Evidence(design, np.zeros(20), np.zeros(20)))
    assert np.linalg.eigvalsh(posterior.covariance).min() > 0
    assert np.isfinite(posterior.left_out_deviation).all()


def test_the_same_evidence_gives_the_same_belief() -> None:
    first, second = PRIOR.posterior(observed(10)), PRIOR.posterior(observed(10))
    assert (first.mean == second.mean).all()
    assert (first.covariance == second.covariance).all()
