"""A latency as it travels between rooms: never a bare float."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency.sampling import Z95

Array: TypeAlias = npt.NDArray[np.float64]

Source = Literal["measured", "calibrated", "reported", "predicted", "roofline"]


@dataclass(frozen=True)
class Estimate:
    """What a latency is believed to be.

    Attributes:
        mean_s: best single number, in seconds.
        standard_deviation_s: how far off it may be, in seconds; NaN where nobody knows, as of a time that somebody
            else reported without saying how sure they were.
        source: measured on the device, calibrated against whole networks, reported by somebody else, predicted by a
            model that learned from what was, or ``roofline``: from peak figures alone.
        is_inside: whether it lies inside what was measured. A model that extrapolates says so.

    Raises:
        WrongUse: a number is negative or infinite, or the mean is not known.
    """

    mean_s: float
    standard_deviation_s: float
    source: Source = "measured"
    is_inside: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.mean_s < math.inf or self.standard_deviation_s < 0 or math.isinf(self.standard_deviation_s):
            raise WrongUse(f"An estimate needs a finite mean and deviation of at least 0 s; got {self}.")

    @property
    def interval_s(self) -> tuple[float, float]:
        """The 95 % interval in seconds, from the deviation; its lower end is never below 0.

        From peak figures a time is known up to a factor, so its interval is one on a logarithmic scale.
        """
        if self.source == "roofline" and self.mean_s > 0:
            factor = math.exp(Z95 * self.standard_deviation_s / self.mean_s)
            return self.mean_s / factor, self.mean_s * factor
        half_width = Z95 * self.standard_deviation_s
        return max(0.0, self.mean_s - half_width), self.mean_s + half_width

    def times(self, count: int) -> Estimate:
        """The latency of ``count`` workloads that are the same, and so have the same error."""
        return replace(self, mean_s=count * self.mean_s, standard_deviation_s=count * self.standard_deviation_s)


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of many latencies at once, as models give them.

    Attributes:
        mean_s: best single numbers, shape (n,), seconds.
        standard_deviation_s: how far off each may be, shape (n,), seconds; calibrated so that mean -+ 1.645 deviations
            cover nine tenths of new workloads.
        is_inside: whether each lies inside what was measured, shape (n,).
        source: where they come from.

    Raises:
        WrongUse: the shapes differ.
    """

    mean_s: Array
    standard_deviation_s: Array
    is_inside: npt.NDArray[np.bool_]
    source: Source = "predicted"

    def __post_init__(self) -> None:
        shapes = {values.shape for values in (self.mean_s, self.standard_deviation_s, self.is_inside)}
        if len(shapes) != 1 or self.mean_s.ndim != 1:
            raise WrongUse(f"Estimates need means, deviations and flags of one shape (n,); got {sorted(shapes)}.")

    def __len__(self) -> int:
        return len(self.mean_s)

    def __getitem__(self, index: int) -> Estimate:
        deviation_s = float(self.standard_deviation_s[index])
        return Estimate(float(self.mean_s[index]), deviation_s, self.source, bool(self.is_inside[index]))

    def interval_s(self, confidence: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper end of the central interval, each of shape (n,), seconds; never below 0.

        Args:
            confidence: the share of latencies that lie inside, above 0 and below 1.
        """
        half_width = NormalDist().inv_cdf((1 + confidence) / 2) * self.standard_deviation_s
        return np.maximum(0.0, self.mean_s - half_width), self.mean_s + half_width


NOTHING = Estimate(0.0, 0.0)
"""The latency of an operator that leaves no trace in a network."""

_ORDER: tuple[Source, ...] = ("measured", "calibrated", "reported", "predicted", "roofline")


def total(estimates: Iterable[Estimate]) -> Estimate:
    """The sum, taking errors to be independent; its source is the least certain of the parts.

    Times from peak figures are the exception: a device that is further from its peaks than others is so in all blocks,
    so their errors are added up.
    """
    known = tuple(estimates)
    shared_s = sum(part.standard_deviation_s for part in known if part.source == "roofline")
    own = sum(part.standard_deviation_s**2 for part in known if part.source != "roofline")
    deviation = (own + shared_s**2) ** 0.5
    sources: list[Source] = [part.source for part in known]
    source = max(sources, key=_ORDER.index, default=_ORDER[0])
    return Estimate(sum(part.mean_s for part in known), deviation, source, all(part.is_inside for part in known))
