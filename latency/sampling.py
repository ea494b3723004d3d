"""How a time is sampled, and what the samples say: the plan and the statistic.

Only the standard library is used here: the same code will measure on devices that have nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, NamedTuple, final

from devices import WrongUse

Z95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

_EXACT_RANKS = 200
"""Up to so many samples the ranks of the median's interval are counted out; beyond, the normal law is close enough."""

_LEAST_FOR_INTERVAL = 6
"""Fewer samples have no 95 % interval of the median: all lie on one side of it in 1 case of 16."""

_CHECKS_PER_DOUBLING = 16
"""How often precision is looked at while samples grow: a look sorts them all, which takes as long as a sample."""


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
            ("least_samples must be 6 or more", self.least_samples >= _LEAST_FOR_INTERVAL),
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


_T975 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5 % quantiles of Student's law for 1 to 15 degrees of freedom; beyond, the last one is little too wide."""

_MAD_FACTORS = (1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""What a median absolute deviation of 2 to 9 numbers falls short by (Croux and Rousseeuw, 1992, section 4)."""

_NORMAL_MAD = 1.4826
"""Standard deviation of the normal law over its median absolute deviation."""

_MEDIAN_SPREAD = 1.2533
"""Standard deviation of a median over that of a mean, sqrt(pi / 2): the price of not minding outliers."""


def lower_quartile(samples: Sequence[float]) -> float:
    """The first quartile of at least one number, interpolated linearly.

    What disturbs a sample makes it slower and never faster, so the slower half of a burst says more about the
    neighbours than about the workload; the fastest sample alone is at the mercy of luck.
    """
    ordered = sorted(samples)
    place = (len(ordered) - 1) / 4
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


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


def relative_half_width(samples: Sequence[float]) -> float:
    """The larger side of the median's 95 % interval, as a share of the median."""
    centre = median(samples)
    low, high = median_interval(samples)
    return max(high - centre, centre - low) / centre


_STABLE = 0.05
"""Warm-up is over when its last calls are no more than this share faster than those before them."""

_LOOK_BACK = 3
"""So many calls are compared with as many before them."""

_LEAST_QUIET = 3
"""With fewer undisturbed samples than this, their median says nothing that disturbed ones could spoil."""

_PATIENCE = 5
"""So many times as long as an undisturbed burst may take, it may wait for the disturbance to pass."""

_MOST_CALLS_PER_SAMPLE = 10_000
"""Bound on grouping, for workloads so short that the runtime's clock reads 0."""


@final
class WarmUp:
    """Decides when a workload is warm: by time, and by calls that grow no faster any more."""

    def __init__(self, plan: SamplingPlan) -> None:
        self._plan = plan
        self._calls_s: list[float] = []
        self._spent_s = 0.0

    def take(self, call_s: float) -> None:
        """Note the time of one call."""
        # The first call loads and compiles what no later one does: it warms nothing up, however long it takes.
        self._spent_s += call_s if self._calls_s else 0.0
        self._calls_s.append(call_s)

    def go_on(self) -> bool:
        """Whether one more call is needed."""
        if not self._calls_s:
            return True
        if len(self._calls_s) >= _MOST_CALLS_PER_SAMPLE or self._spent_s >= self._plan.most_warm_up_s:
            return False
        return self._spent_s < self._plan.warm_up_s or (self._plan.warm_up_s > 0 and not self._is_stable())

    def _is_stable(self) -> bool:
        if len(self._calls_s) < 2 * _LOOK_BACK:
            return False
        earlier = median(self._calls_s[-2 * _LOOK_BACK : -_LOOK_BACK])
        return median(self._calls_s[-_LOOK_BACK:]) >= earlier * (1 - _STABLE)

    def calls_per_sample(self) -> int:
        """Calls that make one sample long enough."""
        fastest_s = min(self._calls_s)
        if fastest_s <= 0:
            return _MOST_CALLS_PER_SAMPLE
        return min(_MOST_CALLS_PER_SAMPLE, max(1, -int(-self._plan.sample_s // fastest_s)))


class _Sample(NamedTuple):
    """A sample, and what the sentinel took beside it, both in seconds per call."""

    time_s: float
    sentinel_s: float | None
    disturbed: bool


@final
class Samples:
    """The samples of one burst, and when there are enough of them.

    Disturbed samples are set aside, and serve only where there are too few others.

    Attributes:
        stopped: why sampling ended; empty before.
    """

    def __init__(self, plan: SamplingPlan) -> None:
        self._plan = plan
        self._taken: list[_Sample] = []
        self.stopped = ""

    def take(self, sample_s: float, *, disturbed: bool, sentinel_s: float | None = None) -> None:
        """Take one sample and what the sentinel took beside it, both in seconds per call."""
        self._taken.append(_Sample(sample_s, sentinel_s, disturbed))

    def go_on(self, elapsed_s: float) -> bool:
        """Whether one more sample is needed, that long after the first was begun."""
        reason = reason_to_stop([sample.time_s for sample in self._quiet()], elapsed_s, self._plan)
        if reason is None and self._is_overdue(elapsed_s):
            reason = "time limit"
        self.stopped = reason or ""
        return reason is None

    def _is_overdue(self, elapsed_s: float) -> bool:
        """Whether waiting for quiet samples has taken so long that disturbed ones will have to do."""
        enough = len(self._taken) >= _LEAST_FOR_INTERVAL
        return enough and len(self._quiet()) < len(self._taken) and elapsed_s >= _PATIENCE * self._plan.limit_s

    @property
    def are_disturbed(self) -> bool:
        """Whether too few quiet samples came, so that all are kept."""
        return len(self._quiet()) < min(_LEAST_QUIET, len(self._taken))

    def _quiet(self) -> list[_Sample]:
        return [sample for sample in self._taken if not sample.disturbed]

    def _kept(self) -> list[_Sample]:
        return self._taken if self.are_disturbed else self._quiet()

    def kept(self) -> tuple[float, ...]:
        """The samples to go by, in seconds per call, in the order they were taken."""
        return tuple(sample.time_s for sample in self._kept())

    def sentinel_s(self) -> float | None:
        """What the sentinel took beside those samples: the median; None without a sentinel."""
        looks_s = [sample.sentinel_s for sample in self._kept() if sample.sentinel_s is not None]
        return median(looks_s) if looks_s else None

    @property
    def discarded(self) -> int:
        """Samples that were thrown away."""
        return len(self._taken) - len(self._kept())


def reason_to_stop(samples: Sequence[float], elapsed_s: float, plan: SamplingPlan) -> str | None:
    """Why sampling is over: ``precise``, ``most samples``, ``time limit``; None when it goes on."""
    if len(samples) < plan.least_samples:
        # A block that needs longer than the limit for its least samples still gets six: an interval is owed.
        return "time limit" if elapsed_s >= plan.limit_s and len(samples) >= _LEAST_FOR_INTERVAL else None
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
