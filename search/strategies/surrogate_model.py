"""A Gaussian process over networks: what scores to expect of those that were not evaluated, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from search.strategies.feasible import Array, Indices

_WIDE = 1.0
"""Standard deviation of the logarithm of each hyper-parameter before any score is seen: a factor of three is usual."""

_FARTHEST = 4.5
"""Hyper-parameters stay within this of their prior mean, in logarithms, so that matrices stay invertible."""

_ITERATIONS = 20
"""Of the fit of the hyper-parameters; so few of them hardly move after that."""


@final
@dataclass(frozen=True, eq=False)
class _Networks:
    """Networks as the kernels read them.

    Attributes:
        picked: whether each candidate of each unit is picked, shape (n, candidates of all units).
        counts: how often each candidate index is picked in all units, shape (n, most candidates).
    """

    picked: Array
    counts: Array

    @staticmethod
    def of(picks: Indices, sizes: Sequence[int]) -> _Networks:
        columns = [picks[:, unit, None] == np.arange(size) for unit, size in enumerate(sizes)]
        counts = [(picks == index).sum(axis=1) for index in range(max(sizes))]
        return _Networks(
            np.concatenate(columns, axis=1).astype(np.float64), np.stack(counts, axis=1).astype(np.float64)
        )


@final
class GaussianProcess:
    """Gaussian process regression on picks, with the sum of three kernels.

    With s the number of units in which two networks pick the same, U the number of units, and c how often a network
    picks each candidate index, the kernels are

    - ``a exp(-w (U - s))``, for whole networks: those that differ in few units have similar scores,
    - ``b exp(-|c - c'|^2 / (2 l^2))``, for what does not depend on where a candidate is, only on how often,
    - ``d s / U``, for scores that are sums over the units.

    Hyper-parameters are those of the highest posterior density (Rasmussen and Williams, Gaussian processes for machine
    learning, 2006, section 5.4.1, equations 5.8 and 5.9, with a log-normal prior on each).

    Args:
        sizes: candidates of each unit.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = tuple(sizes)
        units = len(self._sizes)
        # a, w, b, l, d and the variance of what no kernel explains; scores have a variance of 1.
        self._prior = np.log([1.0, 3 / units, 0.1, units / 3, 1.2, 0.1])
        self._log = self._prior

    def fit(self, picks: Indices, values: Array) -> None:
        """Learn from networks.

        Args:
            picks: shape (n, units).
            values: of about standard normal distribution, shape (n,).
        """
        from scipy.optimize import minimize

        self._known = _Networks.of(picks, self._sizes)
        same, apart = self._relations(self._known)
        found = minimize(
            self._loss,
            self._prior,  # Never where the last fit ended: a search that is resumed has no last fit.
            args=(same, apart, values),
            jac=True,
            method="L-BFGS-B",
            bounds=[(mean - _FARTHEST, mean + _FARTHEST) for mean in self._prior],
            options={"maxiter": _ITERATIONS},
        )
        self._log = np.asarray(found.x)
        self._inverse = _inverted(self._covariance(same, apart) + np.exp(self._log[-1]) * np.eye(len(values)))[0]
        self._weights = self._inverse @ values

    def predict(self, picks: Indices) -> tuple[Array, Array]:
        """Mean and standard deviation of the values of networks, shapes (n,) and (n,), without noise."""
        kernel = self._covariance(*self._relations(_Networks.of(picks, self._sizes)))
        a, _, b, _, d, _ = np.exp(self._log)
        variance = a + b + d - ((kernel @ self._inverse) * kernel).sum(axis=1)
        return kernel @ self._weights, np.sqrt(np.maximum(variance, 1e-9))

    def _relations(self, networks: _Networks) -> tuple[Array, Array]:
        """In how many units networks pick as each known one does, and how far apart counts are: shapes (n, known)."""
        first, second = networks.counts, self._known.counts
        squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
        return networks.picked @ self._known.picked.T, squares - 2 * first @ second.T

    def _kernels(self, log: Array, same: Array, apart: Array) -> tuple[Array, Array, Array]:
        a, w, b, length, d, _ = np.exp(log)
        units = len(self._sizes)
        # Both are small whole numbers, of which there are few different ones: a table is read faster than it is made.
        whole = a * np.exp(w * (np.arange(units + 1) - units))
        counted = b * np.exp(np.arange(2 * units**2 + 1) / (-2 * length**2))
        return whole[same.astype(np.intp)], counted[apart.astype(np.intp)], (d / units) * same

    def _covariance(self, same: Array, apart: Array) -> Array:
        whole, counted, linear = self._kernels(self._log, same, apart)
        return np.asarray(whole + counted + linear)

    def _loss(self, log: Array, same: Array, apart: Array, values: Array) -> tuple[float, Array]:
        """The negative logarithm of the posterior density up to a constant, and its gradient by the logarithms."""
        whole, counted, linear = self._kernels(log, same, apart)
        _, w, _, length, _, noise = np.exp(log)
        inverse, half_determinant = _inverted(whole + counted + linear + noise * np.eye(len(values)))
        weights = inverse @ values
        slope = (inverse - np.outer(weights, weights)) / 2  # Equation 5.9: the derivative by the covariance.
        of_whole, of_counted = slope * whole, slope * counted
        gradient = [
            of_whole.sum(),
            w * (of_whole * (same - len(self._sizes))).sum(),
            of_counted.sum(),
            (of_counted * apart).sum() / length**2,
            (slope * linear).sum(),
            noise * slope.trace(),
        ]
        away = (log - self._prior) / _WIDE
        loss = values @ weights / 2 + half_determinant + away @ away / 2
        return float(loss), np.array(gradient) + away / _WIDE


def _inverted(matrix: Array) -> tuple[Array, float]:
    """The inverse of a positive definite matrix, and half the logarithm of its determinant."""
    from scipy.linalg import cho_solve, cholesky

    factor = cholesky(matrix, lower=True)
    return cho_solve((factor, True), np.eye(len(matrix))), float(np.log(factor.diagonal()).sum())
