"""The forms that latencies of architectures may have, from the plainest on.

Each form fits a ``LinearFit``; which one holds on a device is found by predicting what was left out
(``latency.architecture_models.architecture_model``).
"""

from __future__ import annotations

import abc
from typing import ClassVar, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.architecture_models.codes import ArchitectureCodes
from latency.architecture_models.grouped_regression import LinearFit, grouped_fit

Array: TypeAlias = npt.NDArray[np.float64]

_ROUNDING = 1e-12
"""Standard deviation of a sum as a share of it, before what was left out says better."""

_PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Penalties of the ridge, in units of one architecture whose columns are 1."""


class Form(abc.ABC):
    """A way to make a latency of columns. Constructed with what all rows say of it, then fitted to some of them."""

    name: ClassVar[str]

    @abc.abstractmethod
    def fit(self, codes: ArchitectureCodes, time_s: Array, order: Array | None) -> LinearFit:
        """Learn from ``time_s``, shape (n,), seconds, measured in ``order``, shape (n,), or nobody knows in which."""


@final
class SumForm(Form):
    """The latency is a sum of its columns and nothing else: least squares without a penalty, of least norm."""

    name = "sum"

    def fit(self, codes: ArchitectureCodes, time_s: Array, order: Array | None) -> LinearFit:
        """Learn from all columns; the constant is part of the sum."""
        centre, middle_s = codes.values.mean(axis=0), float(time_s.mean())
        weight_s = np.linalg.lstsq(codes.values - centre, time_s - middle_s, rcond=None)[0]
        variance_s2 = _unseen_variance_s2(codes, weight_s, len(weight_s))
        return LinearFit(middle_s - float(centre @ weight_s), weight_s, variance_s2, _ROUNDING)


@final
class AdditiveForm(Form):
    """Additive ridge on the main columns: what everybody would try first, and what the others must not fall behind."""

    name = "additive"

    def __init__(self, codes: ArchitectureCodes, time_s: Array) -> None:
        self.penalty = _best_penalty(codes.values[:, : codes.main], time_s)

    def fit(self, codes: ArchitectureCodes, time_s: Array, order: Array | None) -> LinearFit:
        """Learn from the main columns."""
        main = codes.values[:, : codes.main]
        centre, middle_s = main.mean(axis=0), float(time_s.mean())
        away = main - centre
        inverse = np.linalg.inv(away.T @ away + self.penalty * np.eye(codes.main))
        weight_s = np.zeros(codes.values.shape[1])
        weight_s[: codes.main] = inverse @ (away.T @ (time_s - middle_s))
        left_s = time_s - middle_s - away @ weight_s[: codes.main]
        degrees = max(len(time_s) - 1 - float(np.trace(inverse @ (away.T @ away))), 1.0)
        deviation_s = float(left_s @ left_s / degrees) ** 0.5
        variance_s2 = _unseen_variance_s2(codes, weight_s, codes.main)
        offset_s = middle_s - float(centre @ weight_s[: codes.main])
        return LinearFit(offset_s, weight_s, variance_s2, deviation_s / middle_s)


@final
class GroupedForm(Form):
    """All columns with strengths by group, in relative errors, bad rows cut off and neighbours in time decorrelated."""

    name = "grouped"

    def __init__(self, codes: ArchitectureCodes, time_s: Array, order: Array | None) -> None:
        # Learned once from all rows: a handful of numbers hardly depends on which fifth of the rows is left out.
        self._precisions = grouped_fit(codes, time_s, order).precisions

    def fit(self, codes: ArchitectureCodes, time_s: Array, order: Array | None) -> LinearFit:
        """Learn from all columns."""
        return grouped_fit(codes, time_s, order, self._precisions)


def forms_of(codes: ArchitectureCodes, time_s: Array, order: Array | None) -> tuple[Form, ...]:
    """Forms of latencies that are measured, the plainest first."""
    return AdditiveForm(codes, time_s), GroupedForm(codes, time_s, order)


def _unseen_variance_s2(codes: ArchitectureCodes, weight_s: Array, fitted: int) -> Array:
    """Variance of each weight, shape (columns,): a column that never varied may matter as much as others do.

    Args:
        codes: what was learned from.
        weight_s: seconds for each unit of each column, shape (columns,).
        fitted: how many leading columns have a weight.
    """
    varied = np.ptp(codes.values, axis=0) > 0
    known_s = weight_s[:fitted][varied[:fitted]]
    return np.where(varied, 0.0, known_s @ known_s / max(len(known_s), 1))


def _best_penalty(main: Array, time_s: Array) -> float:
    """The penalty of least leave-one-out error (Allen 1974), from one decomposition for all of them."""
    away, middle_s = main - main.mean(axis=0), time_s - time_s.mean()
    left, lengths, _ = np.linalg.svd(away, full_matrices=False)
    projected = left.T @ middle_s

    def error(penalty: float) -> float:
        kept = lengths**2 / (lengths**2 + penalty)
        leverage = 1 / len(time_s) + (left**2) @ kept
        residual = (middle_s - left @ (kept * projected)) / np.maximum(1 - leverage, 1e-9)
        return float(np.mean((residual / time_s) ** 2))

    return min(_PENALTIES, key=error)
