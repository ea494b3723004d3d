"""How a time is sampled, and what the samples say: the plan and the statistic.

Only the standard library is used here: the same code will measure on devices that have nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from devices import WrongUse

Z95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

_EXACT_RANKS = 200
"""Up to so many samples the ranks of the median's interval are counted out; beyond, the normal law is close enough."""

_CHECKS_PER_DOUBLING = 16
"""How often precision is looked at while samples grow: a look sorts them all, which takes as long as a sample."""


@dataclass(frozen=True)
class SamplingPlan:
    """How long to warm up, how many samples to take, and when to stop.

    A sample is the time of several calls divided by their number, so that each spans at least
    ``sample_s``: far above the timer's resolution and the cost of reading it.

    Attributes:
        warm_up_s: least time spent calling before the first sample.
        sample_s: least time that one sample spans.
        least_samples: samples that are always taken; fewer than 6 have no 95 % interval of the median.
        least_s: least time from the first sample to the last. A neighbour that wakes for a moment slows all samples of
            that moment alike, and an interval computed from them alone is narrow and wrong.
        most_samples: samples after which to stop in any case.
        precision: stop when the 95 % interval of the median is within this share of it on both sides.
        limit_s: stop after this time, warm-up not counted.

    Raises:
        WrongUse: a number is out of its range.
    """

    warm_up_s: float = 0.05
    sample_s: float = 0.001
    least_samples: int = 15
    least_s: float = 0.1
    most_samples: int = 1000
    precision: float = 0.01
    limit_s: float = 0.5

    def __post_init__(self) -> None:
        rules = (
            ("warm_up_s must be 0 or more", self.warm_up_s >= 0),
            ("sample_s must be above 0", self.sample_s > 0),
            ("least_samples must be 6 or more", self.least_samples >= 6),
            ("most_samples must be at least least_samples", self.most_samples >= self.least_samples),
            ("precision must be between 0 and 1", 0 < self.precision < 1),
            ("least_s must be 0 or more", self.least_s >= 0),
            ("limit_s must be above least_s", self.limit_s > self.least_s),
        )
        for rule, holds in rules:
            if not holds:
                raise WrongUse(f"In a sampling plan, {rule}; got {self}.")

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> SamplingPlan:
        """Rebuild what ``to_json`` gave."""
        return SamplingPlan(**values)


def median(samples: Sequence[float]) -> float:
    """The median of at least one number."""
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """95 % confidence interval of the median, without assuming a distribution.

    The bounds are the order statistics between which the median lies with at least 95 % probability, by the binomial
    law (Conover, Practical Nonparametric Statistics, section 3.2); the extremes when there are fewer than 6 samples.
    """
    ordered = sorted(samples)
    below = _samples_below(len(ordered))
    return ordered[below], ordered[-1 - below]


@cache
def _samples_below(count: int) -> int:
    """How many of ``count`` ordered samples lie outside the median's 95 % interval on each side."""
    if count > _EXACT_RANKS:
        return math.floor(count / 2 - Z95 * math.sqrt(count) / 2) - 1
    # P(at most k of count samples lie below the median) = sum of C(count, i) / 2^count over i <= k.
    below, ways, tail = 0, count, 1 + count
    while tail <= 0.025 * 2**count:
        below += 1
        ways = ways * (count - below) // (below + 1)
        tail += ways
    return below


def relative_half_width(samples: Sequence[float]) -> float:
    """The larger side of the median's 95 % interval, as a share of the median."""
    centre = median(samples)
    low, high = median_interval(samples)
    return max(high - centre, centre - low) / centre


def reason_to_stop(samples: Sequence[float], elapsed_s: float, plan: SamplingPlan) -> str | None:
    """Why sampling is over: ``precise``, ``most samples``, ``time limit``; None when it goes on."""
    if len(samples) < plan.least_samples:
        # A block that needs longer than the limit for its least samples still gets six: an interval is owed.
        return "time limit" if elapsed_s >= plan.limit_s and len(samples) >= 6 else None
    if elapsed_s < plan.least_s and len(samples) < plan.most_samples:
        return None
    over = len(samples) >= plan.most_samples or elapsed_s >= plan.limit_s
    if not over and len(samples) % max(1, len(samples) // _CHECKS_PER_DOUBLING):
        return None
    if relative_half_width(samples) <= plan.precision:
        return "precise"
    if len(samples) >= plan.most_samples:
        return "most samples"
    return "time limit" if over else None
