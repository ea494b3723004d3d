"""Gaussian processes under many hypotheses, weighted by how likely each makes what was seen.

A hypothesis says which functions are plausible (a known offset and a sum of shared kernels, each with a strength) and
how large the noise is. After ten observations no single one of them is certain, and the most probable one alone would
promise too much: predictions are averaged over all of them, weighted by their evidence (MacKay, Bayesian interpolation,
Neural Computation 4, 1992; Hoeting et al., Bayesian model averaging, Statistical Science 14, 1999).

Noise has the heavy tails of Student's t, since one measurement in ten may have been disturbed: every observation has a
precision of its own around the hypothesis', inferred by variational Bayes (Tipping and Lawrence, Variational inference
for Student-t models, Neurocomputing 69, 2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

DEGREES_OF_FREEDOM = 4.0
"""Of the noise: one observation in sixteen lies beyond 2.5 of its standard deviations, of Gaussian noise one in 80."""

_HALF = DEGREES_OF_FREEDOM / 2

_NINE_TENTHS = 2.1318 / 1.6449
"""The 95 % point of Student's t with 4 degrees of freedom as a share of the Gaussian's: with this factor on the noise,
a Gaussian interval of nine tenths is as wide as that of the noise."""

_ROUNDS = 8
"""Of the fixed point for the precisions; after eight, weights of hypotheses move by less than a hundredth."""

_WEIGHT_KEPT = 0.999
"""Hypotheses are predicted with in the order of their weights until they carry this much of it."""


@final
@dataclass(frozen=True, eq=False)
class Hypotheses:
    """What may be true of a function of items, and how probable each is beforehand.

    Attributes:
        factors: F_g of shape (items, p_g) for each kernel g, whose covariance between items is F_g F_g^T.
        variances: strength of each kernel under each hypothesis, squared, shape (hypotheses, kernels).
        offsets: functions that a hypothesis may have as its mean, shape (offsets, items).
        offset_of: which of them each hypothesis has, shape (hypotheses,).
        noise: scale of the noise under each, shape (hypotheses,).
        log_prior: logarithm of the probability of each, up to a constant, shape (hypotheses,).
    """

    factors: tuple[Array, ...]
    variances: Array
    offsets: Array
    offset_of: Indices
    noise: Array
    log_prior: Array

    @cached_property
    def prior(self) -> Array:
        """Probability of each before anything is seen, shape (hypotheses,)."""
        return _normalised(self.log_prior)

    def expected_factor(self) -> Array:
        """A factor of the covariance that all hypotheses together have, shape (items, columns)."""
        shares = self.prior @ self.variances
        chosen = np.bincount(self.offset_of, self.prior, len(self.offsets))
        spread = (self.offsets - chosen @ self.offsets) * np.sqrt(chosen)[:, None]
        return np.hstack([*(factor * s for factor, s in zip(self.factors, np.sqrt(shares), strict=True)), spread.T])

    def expected_noise(self) -> float:
        """The geometric mean of the noise."""
        return float(np.exp(self.prior @ np.log(self.noise)))

    def posterior(self, seen: Indices, observed: Array, variance: Array) -> AveragedProcess:
        """What follows from observations.

        Args:
            seen: items that were observed, shape (n,).
            observed: what was seen of each, shape (n,).
            variance: known variance of each observation beside the noise, shape (n,).
        """
        grams = np.array([factor[seen] @ factor[seen].T for factor in self.factors])
        covariance = np.tensordot(self.variances, grams, 1)
        residual = observed - self.offsets[self.offset_of][:, seen]
        fitted = _fit(covariance, residual, self.noise[:, None] ** 2 + variance)
        probability = _normalised(self.log_prior + fitted.log_evidence)
        return AveragedProcess(self, seen, residual, probability, fitted)


@final
@dataclass(frozen=True, eq=False)
class _Fitted:
    """Each hypothesis after the observations.

    Attributes:
        inverse: of the covariance of what was seen, shape (hypotheses, n, n).
        scale: variance of the noise of each observation, which the disturbed ones have more of, shape (hypotheses, n).
        weights: that inverse applied to what was seen, shape (hypotheses, n).
        log_evidence: a lower bound of it, up to a constant, shape (hypotheses,).
    """

    inverse: Array
    scale: Array
    weights: Array
    log_evidence: Array


@final
@dataclass(frozen=True, eq=False)
class AveragedProcess:
    """All hypotheses after the observations.

    Attributes:
        hypotheses: what was thought before.
        seen: items that were observed.
        residual: what was seen of each of these, less the offset, shape (hypotheses, n).
        probability: of each hypothesis now, shape (hypotheses,).
        fitted: each of them.
    """

    hypotheses: Hypotheses
    seen: Indices
    residual: Array
    probability: Array
    fitted: _Fitted

    def predict(self) -> tuple[Array, Array]:
        """Mean and standard deviation of one more observation of each item, noise included, each of shape (items,).

        The deviation is that of a Gaussian whose central nine tenths are as wide.
        """
        order = np.argsort(-self.probability)
        kept = order[: 1 + int(np.searchsorted(np.cumsum(self.probability[order]), _WEIGHT_KEPT))]
        share = self.probability[kept] / self.probability[kept].sum()
        used = np.flatnonzero(self.hypotheses.variances[kept].any(axis=0)).tolist()
        kernels = {g: self._kernel(self.hypotheses.factors[g]) for g in used}
        mean = np.zeros(self.hypotheses.offsets.shape[1])
        square = np.zeros_like(mean)
        for h, weight in zip(kept, share, strict=True):
            one_mean, one_variance = self._under(h, kernels)
            mean += weight * one_mean
            square += weight * (one_variance + one_mean**2)
        return mean, np.sqrt(np.maximum(square - mean**2, 0))

    def left_out(self) -> tuple[Array, Array]:
        """What the other observations say of each: mean and deviation as of ``predict``, each of shape (n,).

        Rasmussen and Williams 2006, equation 5.12; each hypothesis weighs what it weighs without the observation. What
        was inferred of the noise of the others is kept, so this is slightly kinder than fitting anew.
        """
        variance = 1 / np.diagonal(self.fitted.inverse, axis1=1, axis2=2)
        away = self.fitted.weights * variance
        log_density = -0.5 * (away**2 / variance + np.log(variance))
        offsets = self.hypotheses.offsets[self.hypotheses.offset_of][:, self.seen]
        mean = offsets + self.residual - away
        noise = (_NINE_TENTHS * self.hypotheses.noise[:, None]) ** 2
        spread = np.maximum(variance - self.fitted.scale, 0) + noise
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.probability)[:, None] - log_density
        weights = np.exp(log_weights - log_weights.max(axis=0))
        weights /= weights.sum(axis=0)
        centre = (weights * mean).sum(axis=0)
        return centre, np.sqrt((weights * (spread + (mean - centre) ** 2)).sum(axis=0))

    def _kernel(self, factor: Array) -> tuple[Array, Array]:
        """Covariance of every item with those seen, shape (items, n), and its own variance, shape (items,)."""
        return factor @ factor[self.seen].T, (factor**2).sum(axis=1)

    def _under(self, h: int, kernels: Mapping[int, tuple[Array, Array]]) -> tuple[Array, Array]:
        """Mean and variance under one hypothesis (Rasmussen and Williams 2006, equations 2.25 and 2.26)."""
        hypotheses = self.hypotheses
        strengths = [(hypotheses.variances[h, g], kernel) for g, kernel in kernels.items()]
        cross = np.sum([strength * covariance for strength, (covariance, _) in strengths if strength], axis=0)
        prior = np.sum([strength * variance for strength, (_, variance) in strengths if strength], axis=0)
        learned = ((cross @ self.fitted.inverse[h]) * cross).sum(axis=1)
        mean = hypotheses.offsets[hypotheses.offset_of[h]] + cross @ self.fitted.weights[h]
        return mean, np.maximum(prior - learned, 0) + (_NINE_TENTHS * hypotheses.noise[h]) ** 2


def _fit(covariance: Array, residual: Array, noise_variance: Array) -> _Fitted:
    """All hypotheses at once: covariance (hypotheses, n, n), the others (hypotheses, n)."""
    scale = noise_variance
    for _ in range(_ROUNDS):
        inverse = np.linalg.inv(_with_diagonal(covariance, scale))
        weights = np.einsum("hij,hj->hi", inverse, residual)
        # What is left at an observation is its noise times its weight, and how sure that is follows from the inverse.
        uncertain = scale - scale**2 * np.diagonal(inverse, axis1=1, axis2=2)
        left = (scale * weights) ** 2 + np.maximum(uncertain, 0)
        rate = _HALF + left / (2 * noise_variance)
        scale = noise_variance * rate / (_HALF + 0.5)
    noisy = _with_diagonal(covariance, scale)
    inverse = np.linalg.inv(noisy)
    weights = np.einsum("hij,hj->hi", inverse, residual)
    fit = -0.5 * (weights * residual).sum(axis=1) - 0.5 * np.linalg.slogdet(noisy)[1]
    return _Fitted(
        inverse=np.asarray(inverse, dtype=np.float64),
        scale=scale,
        weights=np.asarray(weights),
        log_evidence=np.asarray(fit) + _tail_evidence(noise_variance / scale),
    )


def _with_diagonal(covariance: Array, added: Array) -> Array:
    found = covariance.copy()
    diagonal = np.arange(covariance.shape[1])
    found[:, diagonal, diagonal] += added
    return found


def _tail_evidence(precision: Array) -> Array:
    """What the precisions of single observations add to the evidence, shape (hypotheses,).

    The mean of their logarithm less the logarithm of their mean, less how far they are from what was thought of them
    before (Tipping and Lawrence 2005, section 3).

    Args:
        precision: mean of each, as a share of the hypothesis' own, shape (hypotheses, n).
    """
    from scipy.special import digamma, gammaln

    shape = _HALF + 0.5
    rate = shape / precision
    log_mean = digamma(shape) - np.log(rate)
    after = shape * np.log(rate) - gammaln(shape) + (shape - 1) * log_mean - rate * precision
    before = _HALF * np.log(_HALF) - gammaln(_HALF) + (_HALF - 1) * log_mean - _HALF * precision
    found: Array = (0.5 * (log_mean - np.log(precision)) - (after - before)).sum(axis=1)
    return found


def _normalised(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def a_optimal_items(factor: Array, noise: float, count: int, among: Indices, known: Indices) -> Indices:
    """Items whose observation leaves the least variance on average, chosen one by one.

    The greedy form of Bayesian A-optimal design (Chaloner and Verdinelli, Bayesian experimental design: a review,
    Statistical Science 10, 1995), with the function's covariance factor F F^T.

    Args:
        factor: F, shape (items, columns).
        noise: standard deviation of an observation.
        count: how many to choose.
        among: items that may be chosen.
        known: items that are observed already.

    Returns:
        The chosen items in the order of choice; an item is chosen once.
    """
    matters = factor.T @ factor / len(factor)
    covariance = np.eye(factor.shape[1])
    for item in known:
        covariance = _after(covariance, factor[item], noise)
    left = np.setdiff1d(among, known)
    chosen = list[int]()
    for _ in range(min(count, len(left))):
        gain = factor[left] @ covariance
        removed = ((gain @ matters) * gain).sum(axis=1)
        best = int(np.argmax(removed / ((gain * factor[left]).sum(axis=1) + noise**2)))
        chosen.append(int(left[best]))
        covariance = _after(covariance, factor[left[best]], noise)
        left = np.delete(left, best)
    return np.array(chosen, dtype=np.intp)


def _after(covariance: Array, row: Array, noise: float) -> Array:
    """Covariance of the weights once an item with this row was observed."""
    gain = covariance @ row
    return np.asarray(covariance - np.outer(gain, gain) / (row @ gain + noise**2))
