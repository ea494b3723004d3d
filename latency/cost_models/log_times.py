"""Logarithms of times, and what they say in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse

Array: TypeAlias = npt.NDArray[np.float64]

_CONFIDENCE = 0.9
_Z90 = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)

_MOST_DEVIATION = 6.0
"""Nothing is known of a time that may be 20 000 times as long or as short; more would only overflow."""


@final
@dataclass(frozen=True, eq=False)
class LogTimes:
    """Normal distributions of the logarithms of times in seconds.

    Attributes:
        mean: shape (n,).
        standard_deviation: shape (n,), such that mean -+ 1.645 deviations cover nine tenths of new workloads, the noise
            of measuring them included.

    Raises:
        WrongUse: the shapes differ.
    """

    mean: Array
    standard_deviation: Array

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.standard_deviation.shape:
            raise WrongUse(
                "Logarithms of times need means and deviations of one shape (n,); got "
                f"{self.mean.shape} and {self.standard_deviation.shape}."
            )

    def __len__(self) -> int:
        return len(self.mean)

    def in_seconds(self) -> tuple[Array, Array]:
        """Best single numbers and deviations, in seconds, each of shape (n,).

        The number is the median: the mean of a log-normal grows without limit with what is not known, and a block
        is no slower for being unknown. The deviation is such that median -+ 1.645 deviations hold nine tenths of
        the log-normal distribution.
        """
        median_s = np.exp(self.mean)
        return median_s, median_s * _relative_deviation(self.standard_deviation)


def _relative_deviation(deviation: Array) -> Array:
    """The share c / 1.645 where median (1 -+ c) holds nine tenths of a log-normal distribution of that deviation.

    For small deviations it is the deviation itself. Bisection: the share held grows with c.
    """
    from scipy.special import ndtr

    spread = np.clip(deviation, 1e-9, _MOST_DEVIATION)
    low, high = np.zeros_like(spread), np.exp(_Z90 * spread)
    for _ in range(60):
        middle = (low + high) / 2
        with np.errstate(divide="ignore"):
            below = ndtr(np.log(np.maximum(1 - middle, 0)) / spread)
        too_little = ndtr(np.log1p(middle) / spread) - below < _CONFIDENCE
        low, high = np.where(too_little, middle, low), np.where(too_little, high, middle)
    return np.where(deviation > 0, high / _Z90, 0.0)
