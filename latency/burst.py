"""Samples that one process took in one go, and what the workload cost beside time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from devices import DeviceState, WrongUse
from latency.sampling import lower_quartile


@dataclass(frozen=True)
class Costs:
    """What a workload costs beside its time. None where the runtime or the device does not tell, and never 0.

    Attributes:
        peak_memory_bytes: most memory the runtime held for one call, weights and inputs included.
        energy_j: energy of one call, in joules, idle power included.
        enqueue_s: time the host needs to launch one call, in seconds, where the device runs by itself afterwards.
    """

    peak_memory_bytes: int | None = None
    energy_j: float | None = None
    enqueue_s: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None and not 0 < value < math.inf:
                raise WrongUse(f"A cost must be above 0, or None where it is not known; got {f.name} = {value}.")

    def to_json(self) -> dict[str, Any]:
        """The known costs as plain values; unknown ones are left out."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True)
class Burst:
    """Samples of one workload, taken in one go by one process.

    Samples of one burst share the machine's mood and the layout of their memory; only bursts of different processes
    are independent of each other.

    Attributes:
        samples_s: raw samples in the order they were taken, seconds per call.
        calls_per_sample: calls that each sample is the mean of.
        stopped: why sampling ended, see ``agent.sampling.reason_to_stop``.
        before: state of the device before the first sample.
        after: state after the last.
        measured_at: ISO 8601 time in UTC.
        discarded: samples thrown away because something disturbed them: another process took the core, a clock fell,
            the sentinel was slow beside them.
        disturbed: whether hardly any sample was not, so that disturbed ones were kept for want of better ones.
        process: a name shared by all bursts of one process; empty where nobody named it.
        sentinel_s: what the sentinel took beside the samples that were kept (median); None without one.
        costs: what else was seen.

    Raises:
        WrongUse: there is no sample, or a sample or look is no positive number.
    """

    samples_s: tuple[float, ...]
    calls_per_sample: int
    stopped: str
    before: DeviceState
    after: DeviceState
    measured_at: str
    discarded: int = 0
    disturbed: bool = False
    process: str = ""
    sentinel_s: float | None = None
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        looks_s = () if self.sentinel_s is None else (self.sentinel_s,)
        numbers = all(0 < sample < math.inf for sample in (*self.samples_s, *looks_s))
        if not self.samples_s or not numbers or self.calls_per_sample < 1 or self.discarded < 0:
            raise WrongUse(
                f"A measurement needs samples that are finite numbers above 0 s, of at least 1 call each; got "
                f"{len(self.samples_s)} samples of {self.calls_per_sample} calls, beginning {self.samples_s[:3]}, "
                f"{self.discarded} discarded, sentinel {self.sentinel_s}."
            )

    @cached_property
    def time_s(self) -> float:
        """What the burst says: the lower quartile of its samples, in seconds."""
        return lower_quartile(self.samples_s)

    def to_json(self) -> dict[str, Any]:
        """The burst as plain values; what is empty is left out."""
        values: dict[str, Any] = {
            "samples_s": list(self.samples_s),
            "calls_per_sample": self.calls_per_sample,
            "stopped": self.stopped,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "measured_at": self.measured_at,
        }
        more = {
            "discarded": self.discarded,
            "disturbed": self.disturbed,
            "process": self.process,
            "sentinel_s": self.sentinel_s,
            "costs": self.costs.to_json(),
        }
        return values | {name: value for name, value in more.items() if value}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Burst:
        """Rebuild what ``to_json`` gave."""
        return Burst(
            samples_s=tuple(float(sample) for sample in values["samples_s"]),
            calls_per_sample=values["calls_per_sample"],
            stopped=values["stopped"],
            before=DeviceState.from_json(values["before"]),
            after=DeviceState.from_json(values["after"]),
            measured_at=values["measured_at"],
            discarded=values.get("discarded", 0),
            disturbed=values.get("disturbed", False),
            process=values.get("process", ""),
            sentinel_s=values.get("sentinel_s"),
            costs=Costs(**values.get("costs", {})),
        )
