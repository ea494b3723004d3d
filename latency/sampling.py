"""How a time is sampled, and what bursts of samples say: the plan, and when a measurement has enough bursts.

What decides within a burst is in ``agent.sampling``: the same code measures on devices that have nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent.sampling import LEAST_FOR_INTERVAL, Z95, lower_quartile, median, median_interval
from devices import WrongUse

__all__ = [
    "Z95",
    "SamplingPlan",
    "lower_quartile",
    "median",
    "median_interval",
    "middle_half",
    "reason_to_end",
    "robust_interval",
]


@dataclass(frozen=True)
class SamplingPlan:
    """How long to warm up, how many samples and bursts to take, and when to stop.

    A sample is the time of several calls divided by their number, so that each spans at least ``sample_s``: far above
    the timer's resolution and the cost of reading it. A burst is the samples that one process takes in one go; a
    measurement is several bursts of different processes.

    Attributes:
        warm_up_s: least time spent calling before the first sample, the first call not counted; 0 for a single call.
        most_warm_up_s: warm-up goes on beyond ``warm_up_s`` while calls still grow faster, but no longer than this.
        sample_s: least time that one sample spans.
        least_samples: samples that a burst always has; fewer than 6 have no 95 % interval of the median.
        least_s: least time from the first sample of a burst to the last. A neighbour that wakes for a moment slows all
            samples of that moment alike, and an interval computed from them alone is narrow and wrong.
        most_samples: samples after which a burst ends in any case.
        precision: enough when the 95 % interval is within this share of the median on both sides: for a burst, that of
            its samples; for a measurement, that of its bursts.
        limit_s: a burst ends after this time, warm-up not counted.
        least_bursts: bursts that a measurement always has.
        most_bursts: bursts after which a measurement ends in any case.

    Raises:
        WrongUse: a number is out of its range.
    """

    warm_up_s: float = 0.01
    most_warm_up_s: float = 0.5
    sample_s: float = 0.005
    least_samples: int = 6
    least_s: float = 0.03
    most_samples: int = 200
    precision: float = 0.01
    limit_s: float = 0.08
    least_bursts: int = 6
    most_bursts: int = 12

    def __post_init__(self) -> None:
        rules = (
            ("warm_up_s must be 0 or more", self.warm_up_s >= 0),
            ("most_warm_up_s must be at least warm_up_s", self.most_warm_up_s >= self.warm_up_s),
            ("sample_s must be above 0", self.sample_s > 0),
            ("least_samples must be 6 or more", self.least_samples >= LEAST_FOR_INTERVAL),
            ("most_samples must be at least least_samples", self.most_samples >= self.least_samples),
            ("precision must be between 0 and 1", 0 < self.precision < 1),
            ("least_s must be 0 or more", self.least_s >= 0),
            ("limit_s must be above least_s", self.limit_s > self.least_s),
            ("least_bursts must be 1 or more", self.least_bursts >= 1),
            ("most_bursts must be at least least_bursts", self.most_bursts >= self.least_bursts),
        )
        for rule, holds in rules:
            if not holds:
                raise WrongUse(f"In a sampling plan, {rule}; got {self}.")

    def with_rounds(self, most: int) -> SamplingPlan:
        """The same plan with at most so many bursts, and with no more than that as the least."""
        return replace(self, least_bursts=min(self.least_bursts, most), most_bursts=most)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> SamplingPlan:
        """Rebuild what ``to_json`` gave."""
        return SamplingPlan(**values)


_T975 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5 % quantiles of Student's law for 1 to 15 degrees of freedom; beyond, the last one is little too wide."""

_MAD_FACTORS = (1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""What a median absolute deviation of 2 to 9 numbers falls short by (Croux and Rousseeuw, 1992, section 4)."""

_NORMAL_MAD = 1.4826
"""Standard deviation of the normal law over its median absolute deviation."""

_MEDIAN_SPREAD = 1.2533
"""Standard deviation of a median over that of a mean, sqrt(pi / 2): the price of not minding outliers."""


def robust_interval(times: Sequence[float]) -> tuple[float, float]:
    """95 % confidence interval of the median of few independent times, one of which may be far off.

    The spread is the median absolute deviation, corrected for few numbers, times Student's quantile. In simulation
    it covers 91 to 96 % for 6 to 12 numbers, normal, of Student's law with 3 degrees of freedom, or with a fifth
    disturbed, 88 to 94 % for 5, and 84 to 91 % for 3 (tests/latency/test_sampling.py). A single number has no spread:
    its interval is as wide as the number itself on both sides.
    """
    centre, count = median(times), len(times)
    if count == 1:
        return 0.0, 2 * centre
    factor = _MAD_FACTORS[count - 2] if count < 10 else count / (count - 0.8)
    deviation = factor * _NORMAL_MAD * median([abs(time - centre) for time in times])
    quantile = _T975[min(count - 1, len(_T975)) - 1]
    half_width = quantile * _MEDIAN_SPREAD * deviation / math.sqrt(count)
    return max(0.0, centre - half_width), centre + half_width


def reason_to_end(times: Sequence[float], taken: int, plan: SamplingPlan) -> str | None:
    """Why a measurement needs no more bursts: ``precise``, ``noise plateau``, ``most bursts``; None when it does.

    A narrow interval is not enough where processes have two speeds: as soon as a few more than half agree, their
    median absolute deviation is next to nothing. So the middle half of them must lie close together, too.

    Noise has reached its plateau when the interval is no narrower than it was ``_PLATEAU_BURSTS`` bursts ago: then it
    is not chance that is left but something that differs from process to process, and more of them would say it again.

    Args:
        times: what the undisturbed bursts say, in their order.
        taken: how many bursts were taken, disturbed ones included.
        plan: how narrow is enough, and how many bursts are the least and the most.
    """
    if len(times) >= plan.least_bursts:
        width = _relative_width(times)
        if len(times) > 1 and width <= plan.precision and middle_half(times) <= _MOST_SPREAD * plan.precision:
            return "precise"
        earlier = times[:-_PLATEAU_BURSTS]
        if len(earlier) >= plan.least_bursts and width >= _relative_width(earlier):
            return "noise plateau"
    return "most bursts" if taken >= plan.most_bursts else None


def middle_half(times: Sequence[float]) -> float:
    """From the lower quartile to the upper one, as a share of the median."""
    return (-lower_quartile([-time for time in times]) - lower_quartile(times)) / median(times)


_MOST_SPREAD = 4
"""So many times the precision the middle half may span.

In simulation of processes that scatter by 0.3 % and of which 2, 3, 4 in 10 are slower by a tenth, this leaves 0.3, 2,
6 % of measurements that end as precise and are off by that tenth; without it they are 2, 9, 23 %. Where all processes
are alike it costs nothing (tests/latency/test_sampling.py).
"""


def _relative_width(times: Sequence[float]) -> float:
    low, high = robust_interval(times)
    return (high - low) / 2 / median(times)


_PLATEAU_BURSTS = 4
"""By chance alone, four bursts more than six narrow an interval to 0.67 of its width (the median in simulation)."""
