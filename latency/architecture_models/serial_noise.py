"""Noise that neighbours in time share: clocks, temperature and other load change more slowly than networks are timed.

Of 1 000 networks timed one after the other, what a device did in the meantime is often the larger part of what a sum
of blocks leaves unexplained: steps of 15 % on a phone that changes its clock, a cycle of three networks on a GPU. With
the order known, errors are decorrelated before blocks are compared (generalised least squares, Aitken 1935), and the
same measurements say more about the blocks. To predict, only a lasting drift is of use: whoever measures next finds the
device where it was last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

MOST_LAG = 20
"""Neighbours that count. With 10 or 40 of them the errors left are the same within 1 %."""

_CUT = 1.5
"""Robust standard deviations at which errors are cut off: 96 % of the efficiency where errors are normal (Huber)."""

_MAD_TO_DEVIATION = 1.4826

_CLEAR = 4.0
"""Standard errors from which on a drift is believed. A device that jumps between a few clocks and stays there for
longer than 20 networks easily seems to drift by 3 of them; one that warms up comes to 5 and more."""

_LEAST_OWN = 0.05
"""Share of the variance that is each row's own at least, which keeps the correlation matrix well conditioned."""


@final
@dataclass(frozen=True, eq=False)
class SerialNoise:
    """Correlation of the errors of rows that were measured one after the other.

    Attributes:
        sorting: indices that put the rows in order, shape (n,).
        band: upper Cholesky factor of their correlation in that order, as ``scipy.linalg.cholesky_banded`` gives it.
    """

    sorting: npt.NDArray[np.intp]
    band: Array

    @staticmethod
    def of(errors: Array, order: Array) -> SerialNoise:
        """The correlation of ``errors``, shape (n,), whose rows were measured in ``order``, shape (n,)."""
        sorting = np.argsort(order, kind="stable")
        position = np.round(order[sorting]).astype(np.int64)
        correlation = _autocorrelation(errors[sorting] - errors.mean(), position)
        size, most = len(errors), min(MOST_LAG, len(errors) - 1)
        band = np.zeros((most + 1, size))
        for lag in range(most + 1):
            distance = position[lag:] - position[: size - lag]
            near = distance <= MOST_LAG
            band[most - lag, lag:] = np.where(near, correlation[np.minimum(distance, MOST_LAG)], 0.0)
        return SerialNoise(sorting, _factor(band))

    def solve(self, columns: Array) -> Array:
        """The inverse of the correlation times ``columns``, shape (n, any)."""
        from scipy.linalg import cho_solve_banded

        solved = np.empty_like(columns)
        solved[self.sorting] = cho_solve_banded((self.band, False), columns[self.sorting])
        return solved


def cut_off(errors: Array) -> Array:
    """``errors`` with those far from the median brought as near as ordinary bad ones."""
    middle = float(np.median(errors))
    limit = _CUT * _MAD_TO_DEVIATION * float(np.median(np.abs(errors - middle)))
    return np.clip(errors, middle - limit, middle + limit)


def latest_level(errors: Array, order: Array) -> float:
    """By which factor a device was slower at the end than on average, from a straight line; 1 without a clear drift.

    Args:
        errors: measured / predicted - 1, shape (n,).
        order: when each was measured, shape (n,).
    """
    left = cut_off(errors)
    noise = SerialNoise.of(left, order)
    line = np.column_stack([np.ones(len(left)), (order - order.mean()) / max(float(np.ptp(order)), 1.0)])
    weighted = noise.solve(line)
    inverse = np.linalg.inv(line.T @ weighted)
    found = inverse @ (weighted.T @ left)
    away = left - line @ found
    variance = float(away @ noise.solve(away[:, None])[:, 0]) / (len(left) - 2)
    is_clear = abs(found[1]) > _CLEAR * (variance * inverse[1, 1]) ** 0.5
    return 1 + float(found[1] * line[:, 1].max()) if is_clear else 1.0


def _autocorrelation(errors: Array, position: npt.NDArray[np.int64]) -> Array:
    """At lags 0 to ``MOST_LAG``, from the pairs there are, tapered with Parzen's window.

    Parzen, Mathematical considerations in the estimation of spectra, Technometrics 3, 1961.
    """
    total, pairs = np.zeros(MOST_LAG + 1), np.zeros(MOST_LAG + 1)
    for step in range(min(MOST_LAG, len(errors) - 1) + 1):
        distance = position[step:] - position[: len(position) - step]
        near = distance <= MOST_LAG
        products = errors[step:] * errors[: len(errors) - step]
        total += np.bincount(distance[near], products[near], MOST_LAG + 1)
        pairs += np.bincount(distance[near], minlength=MOST_LAG + 1)
    covariance = total / np.maximum(pairs, 1)
    share = np.arange(MOST_LAG + 1) / (MOST_LAG + 1)
    window = np.where(share < 0.5, 1 - 6 * share**2 + 6 * share**3, 2 * (1 - share) ** 3)
    return np.asarray(covariance * window / max(covariance[0], 1e-300))


def _factor(band: Array) -> Array:
    """Cholesky factor of the correlation, whose off-diagonal is made smaller until it has one."""
    from scipy.linalg import LinAlgError, cholesky_banded

    shrunk = band.copy()
    shrunk[:-1] *= 1 - _LEAST_OWN
    shrunk[-1] = 1.0
    while True:
        try:
            return np.asarray(cholesky_banded(shrunk), dtype=np.float64)
        except LinAlgError:
            shrunk[:-1] *= 0.9
