"""How a burst of times is sampled, and what its samples say: warm-up, samples, median and when to stop."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from typing import Protocol  # Of Python 3.8, and of interest to type checkers alone.
else:
    Protocol = object

Z95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

_EXACT_RANKS = 200
"""Up to so many samples the ranks of the median's interval are counted out; beyond, the normal law is close enough."""

LEAST_FOR_INTERVAL = 6
"""Fewer samples have no 95 % interval of the median: all lie on one side of it in 1 case of 16."""

_CHECKS_PER_DOUBLING = 16
"""How often precision is looked at while samples grow: a look sorts them all, which takes as long as a sample."""


class BurstPlan(Protocol):
    """What a burst asks of a sampling plan. ``latency.SamplingPlan`` says what each means and which values it takes."""

    @property
    def warm_up_s(self) -> float:
        """Least time spent calling before the first sample, the first call not counted; 0 for a single call."""

    @property
    def most_warm_up_s(self) -> float:
        """Time after which a warm-up ends in any case."""

    @property
    def sample_s(self) -> float:
        """Least time that one sample spans."""

    @property
    def least_samples(self) -> int:
        """Samples that a burst always has."""

    @property
    def least_s(self) -> float:
        """Least time from the first sample to the last."""

    @property
    def most_samples(self) -> int:
        """Samples after which a burst ends in any case."""

    @property
    def precision(self) -> float:
        """Half width of the median's 95 % interval that is narrow enough, as a share of the median."""

    @property
    def limit_s(self) -> float:
        """Time after which a burst ends, warm-up not counted."""


def median(samples: Sequence[float]) -> float:
    """The median of at least one number."""
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(samples: Sequence[float]) -> Tuple[float, float]:
    """95 % confidence interval of the median, without assuming a distribution.

    The bounds are the order statistics between which the median lies with at least 95 % probability, by the binomial
    law (Conover, Practical Nonparametric Statistics, section 3.2); the extremes when there are fewer than 6 samples.
    """
    ordered = sorted(samples)
    below = _samples_below(len(ordered))
    return ordered[below], ordered[-1 - below]


@lru_cache(maxsize=None)
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


class WarmUp:
    """Decides when a workload is warm: by time, and by calls that grow no faster any more."""

    def __init__(self, plan: BurstPlan) -> None:
        self._plan = plan
        self._calls_s: List[float] = []
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
    sentinel_s: Optional[float]
    disturbed: bool


class Samples:
    """The samples of one burst, and when there are enough of them.

    Disturbed samples are set aside, and serve only where there are too few others.

    Attributes:
        stopped: why sampling ended; empty before.
    """

    def __init__(self, plan: BurstPlan) -> None:
        self._plan = plan
        self._taken: List[_Sample] = []
        self.stopped = ""

    def take(self, sample_s: float, *, disturbed: bool, sentinel_s: Optional[float] = None) -> None:
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
        enough = len(self._taken) >= LEAST_FOR_INTERVAL
        return enough and len(self._quiet()) < len(self._taken) and elapsed_s >= _PATIENCE * self._plan.limit_s

    @property
    def are_disturbed(self) -> bool:
        """Whether too few quiet samples came, so that all are kept."""
        return len(self._quiet()) < min(_LEAST_QUIET, len(self._taken))

    def _quiet(self) -> List[_Sample]:
        return [sample for sample in self._taken if not sample.disturbed]

    def _kept(self) -> List[_Sample]:
        return self._taken if self.are_disturbed else self._quiet()

    def kept(self) -> Tuple[float, ...]:
        """The samples to go by, in seconds per call, in the order they were taken."""
        return tuple(sample.time_s for sample in self._kept())

    def sentinel_s(self) -> Optional[float]:
        """What the sentinel took beside those samples: the median; None without a sentinel."""
        looks_s = [sample.sentinel_s for sample in self._kept() if sample.sentinel_s is not None]
        return median(looks_s) if looks_s else None

    @property
    def discarded(self) -> int:
        """Samples that were thrown away."""
        return len(self._taken) - len(self._kept())


def reason_to_stop(samples: Sequence[float], elapsed_s: float, plan: BurstPlan) -> Optional[str]:
    """Why sampling is over: ``precise``, ``most samples``, ``time limit``; None when it goes on."""
    if len(samples) < plan.least_samples:
        # A block that needs longer than the limit for its least samples still gets six: an interval is owed.
        return "time limit" if elapsed_s >= plan.limit_s and len(samples) >= LEAST_FOR_INTERVAL else None
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
