"""How far apart two times are, on the scale of logarithms, and how sure that is.

Noise is a share of the time, and the ratio of B to A is then the inverse of that of A to B.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from latency import Measurement
from lut.doubts import process_times_s

COVERAGE = 0.95
"""Of every interval here."""

_TRIMMED = 0.2
_LEAST_TRIMMED = 6
"""With fewer numbers, leaving two out costs more than an outlier does."""


@final
@dataclass(frozen=True)
class LogRatio:
    """A logarithm that is not known exactly, of Student's distribution around the truth.

    Attributes:
        centre: the best single number.
        variance: of that number.
        degrees: of freedom of Student's distribution; infinite for the normal one.
    """

    centre: float
    variance: float
    degrees: float

    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        from scipy.special import stdtrit

        half_width = float(stdtrit(self.degrees, (1 + COVERAGE) / 2)) * math.sqrt(self.variance)
        return self.centre - half_width, self.centre + half_width

    def p_beyond(self, threshold: float) -> float:
        """p-value of the claim that the truth is further from 0 than ``threshold``.

        At most 1 - coverage exactly where the interval is beyond the threshold, so that a verdict and the interval
        beside it never contradict each other; that is up to twice the p-value of TREAT.
        """
        from scipy.special import stdtr

        excess = abs(self.centre) - threshold
        if excess <= 0:
            return 1.0
        return 0.0 if self.variance == 0 else 2 * float(stdtr(self.degrees, -excess / math.sqrt(self.variance)))

    def minus(self, other: LogRatio) -> LogRatio:
        """The difference to an independent one, whose variance need not be equal.

        Degrees of freedom of Welch (The generalization of "Student's" problem when several different population
        variances are involved, Biometrika 34, 1947), as Yuen takes them over.
        """
        variance = self.variance + other.variance
        spread = self.variance**2 / self.degrees + other.variance**2 / other.degrees
        return LogRatio(self.centre - other.centre, variance, variance**2 / spread if spread > 0 else math.inf)


def log_time(measurement: Measurement) -> LogRatio:
    """Logarithm of a time, with its variance.

    Processes differ from each other by more than the samples of one do, so a process counts once, however many samples
    it took. Where there is but one, its bursts take their place, or else its samples: too small a variance, of which
    the number of processes tells.
    """
    processes = process_times_s(measurement)
    times_s = processes if len(processes) > 1 else measurement.burst_times_s
    if len(times_s) > 1:
        return trimmed_mean([math.log(time_s) for time_s in times_s])
    estimate = measurement.estimate()
    # To first order, the deviation of a logarithm is that of the number as a share of it.
    relative = estimate.standard_deviation_s / estimate.mean_s
    return LogRatio(math.log(estimate.mean_s), relative**2, degrees=math.inf)


def trimmed_mean(numbers: Sequence[float]) -> LogRatio:
    """Mean of at least two numbers without the outermost fifth at either end, with its variance.

    Yuen (The two-sample trimmed t for unequal population variances, Biometrika 61, 1974). A mean of all would let one
    disturbed process in ten hide most changes. An interval from the median absolute deviation, as a single measurement
    has it, is right 95 times in 100, but by far not 999 times in 1000, which is what counts among many rows: with it,
    one comparison of equal tables in four raises a false alarm (tests/lut/test_difference.py).
    """
    ordered, count = sorted(numbers), len(numbers)
    cut = int(_TRIMMED * count) if count >= _LEAST_TRIMMED else 0
    kept = ordered[cut : count - cut]
    winsorized = [kept[0]] * cut + kept + [kept[-1]] * cut
    variance = (count - 1) * statistics.variance(winsorized) / (len(kept) * (len(kept) - 1))
    return LogRatio(statistics.fmean(kept), variance, len(kept) - 1)
