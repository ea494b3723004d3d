"""Outcomes of measuring: a Measurement with its raw samples, or a Failure with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from devices import WrongUse
from latency.burst import Burst, Costs
from latency.environment import Environment
from latency.estimate import Estimate
from latency.sampling import Z95, SamplingPlan, median, median_interval, middle_half, reason_to_end, robust_interval
from latency.sentinel import TOLERANCE
from latency.workload import Workload

WIDE_INTERVAL = 0.05
"""Above this relative half-width two blocks that differ by a tenth can no longer be told apart."""

EXCESS_LOAD = 0.5
"""Load above the number of cores at which a measurement certainly had to share the core it ran on."""

MOST_DISTURBED = 0.5
"""When more samples than this share were disturbed, those that were kept are unlikely to be undisturbed."""

_ENOUGH_BURSTS = 4
"""With so many undisturbed bursts, disturbed ones have nothing to add."""

UNFINISHED = "unfinished"
"""Why sampling ended, of a measurement that waits for more bursts."""


@dataclass(frozen=True)
class Measurement:
    """The time of one workload in one environment, with everything needed to doubt it.

    Attributes:
        workload: what was timed.
        environment: where.
        plan: how samples were taken.
        bursts: the samples, by the process that took them; at least one.
        stopped: why no more bursts were taken, or ``unfinished``.
        level_s: what the sentinel takes when nothing disturbs the machine. Disturbed bursts are brought to it. It
            belongs to all measurements of a table, is set when one is asked for, and is not written with it; None
            leaves the bursts as they are.

    Raises:
        WrongUse: there is no burst.
    """

    kind: ClassVar[str] = "measurement"

    workload: Workload
    environment: Environment
    plan: SamplingPlan
    bursts: tuple[Burst, ...]
    stopped: str
    level_s: float | None = None

    def __post_init__(self) -> None:
        if not self.bursts:
            raise WrongUse(f"A measurement needs at least one burst of samples; {self.workload.describe()} has none.")

    @property
    def measured_at(self) -> str:
        """When the last burst ended: ISO 8601 time in UTC."""
        return self.bursts[-1].measured_at

    @property
    def samples_s(self) -> tuple[float, ...]:
        """All raw samples, seconds per call, in the order they were taken."""
        return tuple(sample for burst in self.bursts for sample in burst.samples_s)

    @property
    def discarded(self) -> int:
        """Samples that were thrown away because something disturbed them."""
        return sum(burst.discarded for burst in self.bursts)

    @property
    def costs(self) -> Costs:
        """What it cost beside time: the most memory, and the medians of the others, over the bursts that know."""
        seen = [burst.costs for burst in self.bursts]
        memory = [c.peak_memory_bytes for c in seen if c.peak_memory_bytes is not None]
        energy = [c.energy_j for c in seen if c.energy_j is not None]
        enqueue = [c.enqueue_s for c in seen if c.enqueue_s is not None]
        return Costs(
            max(memory, default=None), median(energy) if energy else None, median(enqueue) if enqueue else None
        )

    @cached_property
    def burst_times_s(self) -> tuple[float, ...]:
        """The time each burst says, in seconds: the lower quartile of its samples.

        Disturbed bursts are left out where enough others are known, see ``usable_bursts``; where they serve, they are
        brought to the quiet machine by what the sentinel took beside them.
        """
        return tuple(self._corrected_s(burst) for burst in self.usable_bursts)

    @property
    def usable_bursts(self) -> tuple[Burst, ...]:
        """The bursts that ``burst_times_s`` goes by: the undisturbed ones; the least disturbed where those are few.

        A sentinel tells which are the least disturbed; where one is missing, all serve.
        """
        if self._has_enough_quiet:
            return self._quiet
        looks_s = [burst.sentinel_s for burst in self.bursts if burst.sentinel_s is not None]
        if len(looks_s) < len(self.bursts):
            return self.bursts  # Without a sentinel beside each, nothing tells which are the least disturbed.
        order = sorted(range(len(looks_s)), key=lambda place: (self.bursts[place] not in self._quiet, looks_s[place]))
        return tuple(self.bursts[place] for place in sorted(order[:_ENOUGH_BURSTS]))

    @property
    def _has_enough_quiet(self) -> bool:
        return len(self._quiet) >= min(self.plan.least_bursts, _ENOUGH_BURSTS)

    @cached_property
    def _quiet(self) -> tuple[Burst, ...]:
        return tuple(burst for burst in self.bursts if self._is_quiet(burst))

    def _is_quiet(self, burst: Burst) -> bool:
        """Whether nothing disturbed it, by its own process and by others, which may have seen a faster machine."""
        if burst.disturbed:
            return False
        if self.level_s is None or burst.sentinel_s is None:
            return True
        return burst.sentinel_s <= (1 + TOLERANCE) * self.level_s

    def reason_to_end(self) -> str | None:
        """Why no more bursts are needed, see ``latency.sampling.reason_to_end``; None when there are."""
        return reason_to_end([burst.time_s for burst in self._quiet], len(self.bursts), self.plan)

    def _corrected_s(self, burst: Burst) -> float:
        """What a burst says.

        Only a disturbed one is brought to the level: a quiet sentinel differs from process to process by where its
        memory lies, and that is no other workload's business.
        """
        if self.level_s is None or burst.sentinel_s is None or self._is_quiet(burst):
            return burst.time_s
        return burst.time_s * self.level_s / burst.sentinel_s

    @cached_property
    def time_s(self) -> float:
        """The time of one call, in seconds: the median of the bursts' times."""
        return median(self.burst_times_s)

    @cached_property
    def interval_s(self) -> tuple[float, float]:
        """95 % interval of ``time_s``, in seconds.

        Of several bursts it is that of their times, so that it includes the spread between processes; of one it can
        only be that of the samples' median, and is too narrow.
        """
        if len(self.burst_times_s) > 1:
            return robust_interval(self.burst_times_s)
        samples_s = self.usable_bursts[0].samples_s
        low, high = median_interval(samples_s)
        centre = median(samples_s)
        return self.time_s * low / centre, self.time_s * high / centre

    @cached_property
    def relative_half_width(self) -> float:
        """Larger side of the interval as a share of the median."""
        low, high = self.interval_s
        return max(high - self.time_s, self.time_s - low) / self.time_s

    def estimate(self) -> Estimate:
        """The time, with the standard deviation that its 95 % interval stands for."""
        low, high = self.interval_s
        return Estimate(self.time_s, (high - low) / 2 / Z95, "measured")

    def problems(self) -> list[str]:
        """Reasons not to trust this number, in words; empty when none is known."""
        found = []
        if self.relative_half_width > WIDE_INTERVAL:
            taken = f"{len(self.bursts)} bursts" if len(self.bursts) > 1 else f"{len(self.samples_s)} samples"
            found.append(
                f"its 95 % interval is {self.relative_half_width:.0%} wide to one side after {taken} ({self.stopped}): "
                "close other programs and measure it again"
            )
        apart = middle_half(self.burst_times_s)
        if apart > WIDE_INTERVAL >= self.relative_half_width:
            found.append(
                f"the middle half of its bursts lies {apart:.0%} apart: processes have more than one speed, and the "
                "median is that of the majority"
            )
        if len({burst.process or number for number, burst in enumerate(self.bursts)}) == 1:
            found.append("all in one process: what differs between processes is not in its interval")
        tried = self.discarded + len(self.samples_s)
        if self.discarded > MOST_DISTURBED * tried:
            found.append(
                f"{self.discarded} of {tried} samples were disturbed and thrown away: "
                "close other programs and measure it again"
            )
        cores = self.environment.device.cores
        loads = [burst.before.load_1min for burst in self.bursts if burst.before.load_1min is not None]
        if loads and cores and median(loads) > cores + EXCESS_LOAD:
            found.append(
                f"the load was {median(loads):.1f} on {cores} cores when it began: "
                "close other programs and measure it again"
            )
        disturbed = len(self.bursts) - len(self._quiet)
        if disturbed and not self._has_enough_quiet:
            found.append(
                f"{disturbed} of {len(self.bursts)} bursts were disturbed from beginning to end: "
                "close other programs and measure it again"
            )
        if any(_throttled(burst) for burst in self.bursts):
            found.append("the processor throttled while it ran: let it cool and measure it again")
        return found

    def to_json(self) -> dict[str, Any]:
        """The measurement as plain values."""
        return {
            "workload": self.workload.to_json(),
            "environment": self.environment.to_json(),
            "plan": self.plan.to_json(),
            "bursts": [burst.to_json() for burst in self.bursts],
            "stopped": self.stopped,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Measurement:
        """Rebuild what ``to_json`` gave."""
        return Measurement(
            workload=Workload.from_json(values["workload"]),
            environment=Environment.from_json(values["environment"]),
            plan=SamplingPlan.from_json(values["plan"]),
            bursts=tuple(Burst.from_json(burst) for burst in values["bursts"]),
            stopped=values["stopped"],
        )


def _throttled(burst: Burst) -> bool:
    if burst.before.is_slowed_down or burst.after.is_slowed_down:
        return True
    before, after = burst.before.throttle_count, burst.after.throttle_count
    return before is not None and after is not None and after > before


def joined(first: Measurement, second: Measurement) -> Measurement:
    """One measurement of two of the same workload in the same environment; it ended as the second did."""
    return replace(second, bursts=(*first.bursts, *second.bursts))


@dataclass(frozen=True)
class Failure:
    """A workload that could not be timed. A value, and never a number.

    Attributes:
        workload: what should have been timed.
        environment: where.
        stage: what went wrong: ``build`` (the module or its ONNX file), ``load`` (the runtime refused it), ``run``.
        reason: the error's own words.
        measured_at: ISO 8601 time in UTC.
    """

    kind: ClassVar[str] = "failure"

    workload: Workload
    environment: Environment
    stage: str
    reason: str
    measured_at: str

    def to_json(self) -> dict[str, Any]:
        """The failure as plain values."""
        return {
            "workload": self.workload.to_json(),
            "environment": self.environment.to_json(),
            "stage": self.stage,
            "reason": self.reason,
            "measured_at": self.measured_at,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Failure:
        """Rebuild what ``to_json`` gave."""
        return Failure(
            workload=Workload.from_json(values["workload"]),
            environment=Environment.from_json(values["environment"]),
            stage=values["stage"],
            reason=values["reason"],
            measured_at=values["measured_at"],
        )


Outcome: TypeAlias = Measurement | Failure
