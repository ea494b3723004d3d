"""Outcomes of measuring: a Measurement with its raw samples, or a Failure with its reason."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar, TypeAlias

from devices import Device, DeviceState, WrongUse
from latency.estimate import Estimate
from latency.sampling import Z95, SamplingPlan, median, median_interval, relative_half_width
from latency.workload import Workload

_WIDE_INTERVAL = 0.05
"""Above this relative half-width two blocks that differ by a tenth can no longer be told apart."""

_EXCESS_LOAD = 0.5
"""Load above the number of cores at which a measurement certainly had to share the core it ran on."""


@dataclass(frozen=True)
class Runtime:
    """The software that ran the workload.

    Attributes:
        name: name of the profiler (``onnxruntime-cpu``).
        versions: version of each package that shapes the time.
        threads: threads the runtime was given.
        options: whatever else was set, as text.
    """

    name: str
    versions: Mapping[str, str]
    threads: int
    options: Mapping[str, str]

    def describe(self) -> str:
        """One line for the screen."""
        versions = ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))
        return f"{self.name}, {self.threads} thread{'s' * (self.threads != 1)} ({versions})"


@dataclass(frozen=True)
class Environment:
    """Where times come from. Times of different environments are never mixed."""

    device: Device
    runtime: Runtime

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest, equal for environments whose times may stand side by side."""
        text = json.dumps([self.device.fingerprint, asdict(self.runtime)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """One line for the screen."""
        return f"{self.device.describe()}, {self.runtime.describe()}"

    def differences(self, other: Environment) -> str:
        """What sets the other environment apart, in words; empty when nothing does."""
        mine, theirs = _flat(self), _flat(other)
        pairs = ((name, mine.get(name), theirs.get(name)) for name in sorted({*mine, *theirs}))
        return "; ".join(f"{name}: {ours} there, {now} here" for name, ours, now in pairs if ours != now)

    def to_json(self) -> dict[str, Any]:
        """The environment as plain values."""
        return {"device": self.device.to_json(), "runtime": asdict(self.runtime)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Environment:
        """Rebuild what ``to_json`` gave."""
        return Environment(Device.from_json(values["device"]), Runtime(**values["runtime"]))


def _flat(environment: Environment) -> dict[str, Any]:
    runtime = environment.runtime
    return {
        **environment.device.to_json(),
        "runtime": runtime.name,
        "threads": runtime.threads,
        **runtime.versions,
        **runtime.options,
    }


@dataclass(frozen=True)
class Measurement:
    """The time of one workload in one environment, with everything needed to doubt it.

    Attributes:
        workload: what was timed.
        environment: where.
        plan: how samples were taken.
        samples_s: raw samples in the order they were taken, seconds per call.
        calls_per_sample: calls that each sample is the mean of.
        stopped: why sampling ended, see ``reason_to_stop``.
        before: state of the device before the first sample.
        after: state after the last.
        measured_at: ISO 8601 time in UTC.
        bursts: how many of the samples belong to each burst, in order; empty when all belong to one.

    Raises:
        WrongUse: a sample is no positive number, or the bursts do not add up to the samples.
    """

    kind: ClassVar[str] = "measurement"

    workload: Workload
    environment: Environment
    plan: SamplingPlan
    samples_s: tuple[float, ...]
    calls_per_sample: int
    stopped: str
    before: DeviceState
    after: DeviceState
    measured_at: str
    bursts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.bursts and (sum(self.bursts) != len(self.samples_s) or min(self.bursts) < 1):
            raise WrongUse(f"Bursts must add up to the {len(self.samples_s)} samples; got {self.bursts}.")
        numbers = all(0 < sample < math.inf for sample in self.samples_s)
        if not self.samples_s or not numbers or self.calls_per_sample < 1:
            raise WrongUse(
                f"A measurement needs samples that are finite numbers above 0 s, of at least 1 call each; got "
                f"{len(self.samples_s)} samples of {self.calls_per_sample} calls, beginning {self.samples_s[:3]}."
            )

    @cached_property
    def median_s(self) -> float:
        """Median of the samples, in seconds; of several bursts, the median of their medians."""
        return median(self._independent_s)

    @cached_property
    def interval_s(self) -> tuple[float, float]:
        """95 % interval of the median, in seconds; of several bursts, that of their medians.

        Samples of one burst share the machine's mood and the layout of their memory, so only bursts are independent
        of each other. Fewer than 6 bursts give the range of their medians.
        """
        return median_interval(self._independent_s)

    @cached_property
    def relative_half_width(self) -> float:
        """Larger side of the interval as a share of the median."""
        return relative_half_width(self._independent_s)

    @cached_property
    def _independent_s(self) -> tuple[float, ...]:
        if not self.bursts:
            return self.samples_s
        ends = list(accumulate(self.bursts))
        return tuple(median(self.samples_s[end - size : end]) for end, size in zip(ends, self.bursts, strict=True))

    def estimate(self) -> Estimate:
        """The median, with the standard deviation that its 95 % interval stands for."""
        low, high = self.interval_s
        return Estimate(self.median_s, (high - low) / 2 / Z95, "measured")

    def problems(self) -> list[str]:
        """Reasons not to trust this number, in words; empty when none is known."""
        found = []
        if self.relative_half_width > _WIDE_INTERVAL:
            samples = f"after {len(self.samples_s)} samples ({self.stopped})"
            taken = f"over {len(self.bursts)} turns" if self.bursts else samples
            found.append(
                f"its 95 % interval is {self.relative_half_width:.0%} wide to one side {taken}: "
                "close other programs and measure it again"
            )
        cores = self.environment.device.cores
        load = self.before.load_1min
        if load is not None and cores and load > cores + _EXCESS_LOAD:
            found.append(
                f"the load was {load:.1f} on {cores} cores when it began: close other programs and measure it again"
            )
        before, after = self.before.throttle_count, self.after.throttle_count
        if before is not None and after is not None and after > before:
            found.append("the processor throttled while it ran: let it cool and measure it again")
        return found

    def to_json(self) -> dict[str, Any]:
        """The measurement as plain values."""
        return {
            "workload": self.workload.to_json(),
            "environment": self.environment.to_json(),
            "plan": self.plan.to_json(),
            "samples_s": list(self.samples_s),
            "calls_per_sample": self.calls_per_sample,
            "stopped": self.stopped,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "measured_at": self.measured_at,
            "bursts": list(self.bursts),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Measurement:
        """Rebuild what ``to_json`` gave."""
        return Measurement(
            workload=Workload.from_json(values["workload"]),
            environment=Environment.from_json(values["environment"]),
            plan=SamplingPlan.from_json(values["plan"]),
            samples_s=tuple(float(sample) for sample in values["samples_s"]),
            calls_per_sample=values["calls_per_sample"],
            stopped=values["stopped"],
            before=DeviceState.from_json(values["before"]),
            after=DeviceState.from_json(values["after"]),
            measured_at=values["measured_at"],
            bursts=tuple(values["bursts"]),
        )


def joined(bursts: Sequence[Measurement]) -> Measurement:
    """One measurement of several of the same workload in the same environment, each a burst of its own.

    Args:
        bursts: at least one; their plans are equal.

    Returns:
        All samples in order; the state before the first and after the last; the calls per sample of the burst that
        had the fewest.
    """
    return replace(
        bursts[-1],
        samples_s=tuple(sample for burst in bursts for sample in burst.samples_s),
        calls_per_sample=min(burst.calls_per_sample for burst in bursts),
        before=bursts[0].before,
        bursts=tuple(len(burst.samples_s) for burst in bursts),
    )


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
