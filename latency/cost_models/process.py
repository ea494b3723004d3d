"""The numbers of a Gaussian process over workloads: prior, most probable hyperparameters, posterior.

The prior of the logarithm of a time is f(w) = constant + linear(main amounts) + linear(other columns) + kind(w) +
smooth(w) + own(w), with covariances that add up (Rasmussen and Williams, Gaussian Processes for Machine Learning,
2006, chapters 2, 4.2 and 5). The linear parts are a power law, whose coefficients are integrated out (section 2.7).
The smooth part is a squared exponential with one length scale for each column, so that columns without influence fade
out (section 5.1). The own part is what makes a workload unlike all others. Strengths and length scales are those that
make the data most probable, with log-normal priors that carry while little was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.columns import Rows

Array: TypeAlias = npt.NDArray[np.float64]

_CONSTANT_VARIANCE = 4.0
"""The level is known up to a factor of e^2 before anything was measured: as good as not at all."""

_MAIN = 3
"""The first columns (multiply-accumulates, bytes of activations, bytes of weights) are the main amounts."""

_MAIN_LINEAR, _OTHER_LINEAR, _KIND, _SMOOTH, _OWN = range(5)
_STRENGTHS = 5

_MEDIANS = (1.0, 0.2, 0.5, 0.5, 0.05)
"""Medians of the priors of the strengths, as standard deviations of a logarithm: a standard deviation in size changes a
time by a factor of e, one in another column by a fifth; operators of equal size differ by half, workloads as much again
in a way that their neighbours share, and 5 % of a time is its own."""

_SPREAD = 1.0
"""Standard deviation of the logarithm of each hyperparameter: two in three within a factor of e of the median."""

_LENGTH = 1.0
"""Median of a length scale, in standard deviations of its column, over the square root of the number of columns that
vary: distances grow with that root, and with scales that do not, nothing would be similar to anything."""

_STRENGTH_RANGE, _OWN_RANGE, _LENGTH_RANGE = (1e-3, 10.0), (3e-3, 1.0), (0.1, 100.0)
_MOST_STEPS = 40
"""Of L-BFGS; the last ones change hyperparameters by less than they are known."""

_ABANDONED = 1e10
"""The loss where rounding has made a covariance indefinite; the line search turns back."""


@final
@dataclass(frozen=True, eq=False)
class Prior:
    """The prior of the logarithms of times, with its hyperparameters.

    Attributes:
        strengths: standard deviations of main linear, other linear, kind, smooth and own part, shape (5,).
        lengths: length scale of each column, shape (columns,).
    """

    strengths: Array
    lengths: Array

    @staticmethod
    def usual(vary: npt.NDArray[np.bool_]) -> Prior:
        """The medians, for columns of which these vary."""
        length = _LENGTH * max(1.0, float(vary.sum())) ** 0.5
        return Prior(np.array(_MEDIANS), np.full(len(vary), length))

    def covariance(self, first: Rows, second: Rows) -> Array:
        """Covariance of what workloads share, shape (n, m); the own part is not in it."""
        one, other = first.values, second.values
        variance = self.strengths**2
        shared = _CONSTANT_VARIANCE + variance[_MAIN_LINEAR] * (one[:, :_MAIN] @ other[:, :_MAIN].T)
        shared += variance[_OTHER_LINEAR] * (one[:, _MAIN:] @ other[:, _MAIN:].T)
        shared += variance[_KIND] * first.same_kind(second)
        return np.asarray(
            shared + variance[_SMOOTH] * np.exp(-0.5 * _squares(one / self.lengths, other / self.lengths))
        )

    def variance(self, rows: Rows) -> Array:
        """Variance of what each workload shares, shape (n,)."""
        variance, squares = self.strengths**2, rows.values**2
        linear = variance[_MAIN_LINEAR] * squares[:, :_MAIN].sum(1) + variance[_OTHER_LINEAR] * squares[:, _MAIN:].sum(
            1
        )
        return np.asarray(_CONSTANT_VARIANCE + linear + variance[_KIND] + variance[_SMOOTH])

    @property
    def own_variance(self) -> float:
        """Variance of the part that is a workload's own."""
        return float(self.strengths[_OWN] ** 2)

    def learned(self, rows: Rows, observed: Array, noise: Array) -> Prior:
        """The most probable hyperparameters after seeing ``observed``, shape (n,), with variances ``noise``.

        This prior has the medians of the hyperparameters' own priors.
        """
        from scipy.optimize import minimize

        evidence = _Evidence(self, rows, observed, noise)
        found = minimize(
            evidence.loss,
            evidence.medians,
            jac=True,
            method="L-BFGS-B",
            bounds=evidence.bounds(),
            options={"maxiter": _MOST_STEPS},
        )
        return _prior(np.asarray(found.x, dtype=np.float64))


def _prior(point: Array) -> Prior:
    """The prior whose hyperparameters have these logarithms: strengths first, then lengths."""
    return Prior(np.exp(point[:_STRENGTHS]), np.exp(point[_STRENGTHS:]))


def _squares(first: Array, second: Array) -> Array:
    """Squared distances between rows, shape (n, m)."""
    found = (first**2).sum(1)[:, None] + (second**2).sum(1)[None, :] - 2 * first @ second.T
    return np.asarray(np.maximum(found, 0.0))


class _Evidence:
    """How probable what was seen is, by the logarithms of the hyperparameters."""

    def __init__(self, usual: Prior, rows: Rows, observed: Array, noise: Array) -> None:
        self.medians = np.log(np.concatenate([usual.strengths, usual.lengths]))
        self._rows, self._observed, self._noise = rows, observed, noise
        main, other = rows.values[:, :_MAIN], rows.values[:, _MAIN:]
        self._linear = np.array([main @ main.T, other @ other.T, rows.same_kind(rows)])

    def bounds(self) -> list[tuple[float, float]]:
        """Limits of each hyperparameter's logarithm."""
        ranges = [_STRENGTH_RANGE] * _OWN + [_OWN_RANGE] + [_LENGTH_RANGE] * self._rows.values.shape[1]
        return [(float(np.log(low)), float(np.log(high))) for low, high in ranges]

    def loss(self, point: Array) -> tuple[float, Array]:
        """Negative logarithm of their posterior, up to a constant, and its gradient (equations 5.8 and 5.9)."""
        from scipy.linalg.lapack import dpotrf, dpotri

        variance, values = np.exp(2 * point[:_STRENGTHS]), self._rows.values * np.exp(-point[_STRENGTHS:])
        smooth = variance[_SMOOTH] * np.exp(-0.5 * _squares(values, values))
        covariance = _CONSTANT_VARIANCE + np.tensordot(variance[:_SMOOTH], self._linear, 1) + smooth
        covariance[np.diag_indices_from(covariance)] += self._noise + variance[_OWN]
        factor, failed = dpotrf(covariance, lower=True)
        if failed:
            return _ABANDONED, np.zeros_like(point)
        half, _ = dpotri(factor, lower=True)
        inverse = np.tril(half) + np.tril(half, -1).T
        solved = inverse @ self._observed
        away = (point - self.medians) / _SPREAD
        value = 0.5 * self._observed @ solved + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        pull = inverse - np.outer(solved, solved)
        return float(value), self._slopes(pull, smooth, values, variance) + away / _SPREAD

    def _slopes(self, pull: Array, smooth: Array, values: Array, variance: Array) -> Array:
        """Derivatives of the evidence: half the trace of ``pull`` times that of the covariance."""
        weighted = pull * smooth
        strengths = variance * np.array(
            [*np.tensordot(self._linear, pull, 2), weighted.sum() / variance[_SMOOTH], np.trace(pull)]
        )
        # sum_ij weighted_ij (v_i - v_j)^2 for each column, without an array of (n, n, columns).
        lengths = weighted.sum(1) @ values**2 - (values * (weighted @ values)).sum(0)
        return np.concatenate([strengths, lengths])


@final
@dataclass(frozen=True, eq=False)
class Posterior:
    """What is believed after seeing some rows.

    Attributes:
        prior: with the hyperparameters that hold.
        rows: what was seen.
        observed: logarithms of times less their mean, shape (n,).
        noise: variance of the noise of each, shape (n,).
    """

    prior: Prior
    rows: Rows
    observed: Array
    noise: Array

    @cached_property
    def _factor(self) -> Array:
        covariance = self.prior.covariance(self.rows, self.rows)
        covariance[np.diag_indices_from(covariance)] += self.noise + self.prior.own_variance
        return np.asarray(np.linalg.cholesky(covariance))

    @cached_property
    def _whitened(self) -> Array:
        return self._solved(self.observed[:, None])[:, 0]

    def _solved(self, right: Array) -> Array:
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self._factor, right, lower=True, check_finite=False))

    def predict(self, rows: Rows) -> tuple[Array, Array]:
        """Mean and variance of new workloads (equations 2.25 and 2.26), the own part included, each of shape (m,)."""
        gain = self._solved(self.prior.covariance(self.rows, rows))
        left = self.prior.variance(rows) - (gain**2).sum(0)
        return gain.T @ self._whitened, np.maximum(left, 0.0) + self.prior.own_variance

    def covariance(self, rows: Rows) -> Array:
        """Covariance between new workloads, the own part included, shape (m, m)."""
        gain = self._solved(self.prior.covariance(self.rows, rows))
        return self.prior.covariance(rows, rows) - gain.T @ gain + self.prior.own_variance * np.eye(len(rows))

    def left_out(self) -> tuple[Array, Array]:
        """Mean and variance of each row from all others (equation 5.12), noise included, each of shape (n,)."""
        inverse = self._solved(np.eye(len(self.rows)))
        precision = (inverse**2).sum(0)
        return self.observed - inverse.T @ self._whitened / precision, 1 / precision
