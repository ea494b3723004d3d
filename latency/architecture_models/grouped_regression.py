"""Linear regression of latencies in shares of themselves, with groups of random effects and few bad rows forgiven.

A latency is a sum of what its columns cost, and it is the relative error that counts. How much the columns of a group
may matter is learned from them all together (MacKay, Bayesian interpolation, Neural Computation 4, 1992, equations
4.6 and 4.7). A row that something disturbed pulls no more than an ordinary bad one: residuals are cut off where Huber
does (Robust estimation of a location parameter, 1964), in the form of modified residuals (Huber and Dutter 1974).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.architecture_models.codes import ArchitectureCodes
from latency.architecture_models.serial_noise import SerialNoise, cut_off

Array: TypeAlias = npt.NDArray[np.float64]

_ROUNDS = 10
"""Twice as many change predictions by less than 3 % of the noise."""

_DECORRELATED_FROM = (3, 6)
"""Rounds from which on errors have the correlation of the residuals so far: the first ones are not yet worth it."""

_LEAST_SHARE = 0.2
"""No prediction is taken to be less than a fifth of what was measured, so that a bad start cannot blow up a row."""

_PRECISIONS = (1e-2, 1e8)
"""Effects of a group are between 1e-4 and 10 times the median latency; wider limits make matrices singular."""

_LEAST_VARIANCE = 1e-10
"""Nothing that was measured repeats better than 1e-5 of itself."""

_FLAT = 1e-8
"""Precision of the constant, which is free."""


@final
@dataclass(frozen=True, eq=False)
class LinearFit:
    """A latency as a constant and what each column adds to it.

    Attributes:
        offset_s: the constant, in seconds.
        weight_s: seconds for each unit of each column, shape (columns,).
        variance_s2: variance of the weights of columns that never varied and so taught nothing, 0 for the others,
            shape (columns,), seconds squared. How uncertain the others are is part of ``noise``.
        noise: standard deviation of a latency around the sum, as a share of it.
        precisions: learned inverse variance of the effects of each group, which a similar fit may begin with.
    """

    offset_s: float
    weight_s: Array
    variance_s2: Array
    noise: float
    precisions: tuple[float, ...] = ()

    def mean_s(self, values: Array) -> Array:
        """Latencies of codes, shape (n,), in seconds; never below 0."""
        return np.maximum(self.offset_s + values @ self.weight_s, 0.0)

    def deviation_s(self, beyond: Array, mean_s: Array, widening: float = 1.0) -> Array:
        """Standard deviations of latencies, shape (n,), in seconds.

        Args:
            beyond: how far codes are from the least that was learned from, shape (n, columns); only columns that never
                varied count.
            mean_s: means of the latencies, shape (n,), in seconds.
            widening: by which factor the noise is wider than the fit has it. What it is found from says nothing of
                columns that never varied, whose variance stays as it is.
        """
        return np.sqrt((widening * self.noise * mean_s) ** 2 + beyond**2 @ self.variance_s2)

    def times(self, factor: float) -> LinearFit:
        """The fit of latencies that are all ``factor`` times as long."""
        return replace(
            self,
            offset_s=self.offset_s * factor,
            weight_s=self.weight_s * factor,
            variance_s2=self.variance_s2 * factor**2,
        )

    def to_json(self) -> dict[str, Any]:
        """The fit as plain values."""
        return {
            "offset_s": self.offset_s,
            "weight_s": self.weight_s.tolist(),
            "variance_s2": self.variance_s2.tolist(),
            "noise": self.noise,
            "precisions": list(self.precisions),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> LinearFit:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        weight_s, variance_s2 = (np.array(values[name], dtype=np.float64) for name in ("weight_s", "variance_s2"))
        precisions = tuple(float(precision) for precision in values["precisions"])
        return LinearFit(float(values["offset_s"]), weight_s, variance_s2, float(values["noise"]), precisions)


def grouped_fit(
    codes: ArchitectureCodes, time_s: Array, order: Array | None, precisions: tuple[float, ...] = ()
) -> LinearFit:
    """Fit all columns.

    Args:
        codes: the architectures, n of them.
        time_s: their latencies, shape (n,), seconds, all above 0.
        order: when each was measured, as whole numbers that count up, shape (n,); None where nobody knows.
        precisions: of the groups, as a similar fit has learned them; learned here where they are not given.
    """
    scaled = _Scaled.of(codes)
    usual_s = float(np.median(time_s))
    fitting = _Fitting(scaled, time_s / usual_s, precisions)
    for round_ in range(_ROUNDS):
        if order is not None and round_ in _DECORRELATED_FROM:
            fitting.noise = SerialNoise.of(fitting.residuals(), order)
        fitting.improve()
    return fitting.result(scaled, usual_s)


@final
@dataclass(frozen=True, eq=False)
class _Scaled:
    """Centred columns, each group divided by its usual length, behind a constant one."""

    design: Array
    centre: Array
    scale: Array
    member: npt.NDArray[np.intp]

    @staticmethod
    def of(codes: ArchitectureCodes) -> _Scaled:
        names = list(dict.fromkeys(codes.groups))
        member = np.array([names.index(group) for group in codes.groups], dtype=np.intp)
        centre = codes.values.mean(axis=0)
        away = codes.values - centre
        lengths = np.sqrt(np.bincount(member, (away**2).mean(axis=0)))
        scale = np.where(lengths > 0, lengths, 1.0)[member]
        return _Scaled(np.column_stack([np.ones(len(codes)), away / scale]), centre, scale, member)


class _Fitting:
    """A fit under way: effects are shares of the median time."""

    def __init__(self, scaled: _Scaled, times: Array, precisions: tuple[float, ...]) -> None:
        self._design, self._times = scaled.design, times
        self._member, self._groups = scaled.member, int(scaled.member.max()) + 1
        self._is_learning = not precisions
        self._precisions = np.array(precisions or np.full(self._groups, 1.0))
        self._variance = 1e-3
        self._effects = np.zeros(self._design.shape[1])
        self._predicted = times.copy()  # At first every row counts by its own time: relative least squares.
        self.noise: SerialNoise | None = None

    def residuals(self) -> Array:
        """Relative residuals, cut off."""
        return cut_off(self._times / self._predicted - 1)

    def improve(self) -> None:
        """One round: residuals cut off, effects from them, and what they say about noise and groups."""
        is_first = not self._effects.any()
        rows = self._design / self._predicted[:, None]
        # Prediction plus residual, cut off, is what each row is taken to have measured.
        target = np.ones(len(rows)) if is_first else self.residuals() + rows @ self._effects
        weighted = rows if self.noise is None else self.noise.solve(rows)
        gram, moments = rows.T @ weighted, weighted.T @ target
        for _ in range(4 if self._is_learning else 1):
            prior = np.concatenate([[_FLAT], self._precisions[self._member]])
            covariance = np.linalg.inv(gram / self._variance + np.diag(prior))
            self._effects = covariance @ moments / self._variance
            self._learn(rows, target, np.diag(covariance)[1:])
        usual = _LEAST_SHARE * self._times
        self._predicted = np.maximum(self._design @ self._effects, usual)

    def _learn(self, rows: Array, target: Array, uncertain: Array) -> None:
        """Noise and, unless they were given, precisions of the groups (MacKay 1992, equations 4.6 and 4.7)."""
        known = 1 - self._precisions[self._member] * uncertain
        left = target - rows @ self._effects
        solved = left if self.noise is None else self.noise.solve(left[:, None])[:, 0]
        self._variance = max(float(left @ solved) / max(len(left) - 1 - known.sum(), 1.0), _LEAST_VARIANCE)
        if self._is_learning:
            determined = np.bincount(self._member, known, self._groups)
            squares = np.bincount(self._member, self._effects[1:] ** 2, self._groups)
            self._precisions = np.clip(determined / np.maximum(squares, 1e-300), *_PRECISIONS)

    def result(self, scaled: _Scaled, usual_s: float) -> LinearFit:
        """The fit in seconds, of least mean square relative error: the few slow rows pull it up no further."""
        ratio = self._predicted / self._times
        factor = usual_s * float(ratio.sum() / (ratio**2).sum())
        weight_s = factor * self._effects[1:] / scaled.scale
        prior_s2 = (factor / scaled.scale) ** 2 / self._precisions[self._member]
        variance_s2 = np.where(np.ptp(self._design[:, 1:], axis=0) == 0, prior_s2, 0.0)
        offset_s = factor * float(self._effects[0]) - float(scaled.centre @ weight_s)
        return LinearFit(offset_s, weight_s, variance_s2, self._variance**0.5, tuple(self._precisions.tolist()))
