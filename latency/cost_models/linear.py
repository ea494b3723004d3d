"""Linear regression with a Gaussian prior on its weights, in closed form.

The weights w have the prior N(m, diag(v)), and observed is X w + e with e of variance s^2 (Bishop, Pattern Recognition
and Machine Learning, 2006, section 3.3). Leaving one row out needs no new fit (Allen's PRESS, Technometrics 16, 1974).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class LinearPosterior:
    """What is believed of the weights.

    Attributes:
        mean: of the weights, shape (weights,).
        covariance: of the weights, shape (weights, weights).
        noise: standard deviation of an observation around X w.
    """

    mean: Array
    covariance: Array
    noise: float

    def predict(self, design: Array) -> tuple[Array, Array]:
        """Mean and variance of new observations, noise included, each of shape (n,)."""
        spread = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        return design @ self.mean, np.maximum(spread, 0.0) + self.noise**2

    def to_json(self) -> dict[str, Any]:
        """The posterior as plain values."""
        return {"mean": self.mean.tolist(), "covariance": self.covariance.tolist(), "noise": self.noise}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> LinearPosterior:
        """Rebuild what ``to_json`` gave."""
        mean, covariance = (np.array(values[name], dtype=np.float64) for name in ("mean", "covariance"))
        return LinearPosterior(mean, covariance, float(values["noise"]))


@final
@dataclass(frozen=True, eq=False)
class LinearEvidence:
    """What was seen, and the prior it meets.

    Attributes:
        design: X, shape (n, weights).
        observed: shape (n,).
        prior_mean: m, shape (weights,).
        prior_variance: v, shape (weights,).
    """

    design: Array
    observed: Array
    prior_mean: Array
    prior_variance: Array

    @cached_property
    def _scaled(self) -> tuple[Array, Array, Array]:
        """Singular values decomposition of the design in units of the prior: U, squares of S, U^T residual.

        In these units every weight has the prior N(0, 1), and the covariance of what is seen is U S^2 U^T + s^2.
        """
        left, singular, _ = np.linalg.svd(self.design * np.sqrt(self.prior_variance), full_matrices=False)
        return left, singular**2, left.T @ self._residual

    @cached_property
    def _residual(self) -> Array:
        return self.observed - self.design @ self.prior_mean

    def log_evidence(self, noise: float) -> float:
        """Logarithm of how probable the observations are with that noise, up to a constant (Bishop, equation 3.86)."""
        _, squares, turned = self._scaled
        outside = float(self._residual @ self._residual - turned @ turned)
        total = squares + noise**2
        free = len(self.observed) - len(squares)
        quadratic = float((turned**2 / total).sum()) + max(outside, 0.0) / noise**2
        return -0.5 * (quadratic + float(np.log(total).sum()) + free * 2 * float(np.log(noise)))

    def posterior(self, noise: float) -> LinearPosterior:
        """What follows for the weights (Bishop, equations 3.50 and 3.51)."""
        precision = self.design.T @ self.design / noise**2 + np.diag(1 / self.prior_variance)
        covariance = np.linalg.inv(precision)
        mean = self.prior_mean + covariance @ (self.design.T @ self._residual) / noise**2
        return LinearPosterior(mean, (covariance + covariance.T) / 2, noise)

    def left_out(self, noise: float) -> tuple[Array, Array]:
        """Errors of predicting each row from all others, and their variances, noise included, each of shape (n,)."""
        left, squares, turned = self._scaled
        inverse = 1 / (squares + noise**2) - noise**-2
        solved = self._residual / noise**2 + left @ (inverse * turned)
        diagonal = noise**-2 + (left**2) @ inverse
        return solved / diagonal, 1 / diagonal
