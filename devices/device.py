"""What a device is, in what state it was, and what else bears on its times: plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from agent.gpu import LASTING_REASONS


@dataclass(frozen=True)
class Device:
    """Identity of a machine, as found on the machine itself.

    Two machines with equal identity are taken to be equally fast, so a host name is no part of it. What
    cannot be read is None, never 0 and never a guess.

    Attributes:
        kind: ``cpu``, or ``cuda`` for an NVIDIA GPU.
        name: model name as the machine gives it.
        architecture: instruction set (``x86_64``, ``aarch64``); of a GPU, its compute capability (``sm_90``).
        family: vendor, family, model and stepping, tells apart machines whose model name does not; of a GPU, its PCI
            device number.
        features: instruction sets that change times, in alphabetical order; a missing AVX-512 changes every time.
        cores: logical processors this process may run on; of a GPU, its CUDA cores.
        memory_bytes: installed memory, rounded down to whole GiB; no part of the fingerprint, because it changes no
            block's time and kernels reserve varying parts of it.
        l3_cache_bytes: size of the last-level cache.
        system: operating system and its release family (``Linux``).
    """

    kind: str
    name: str
    architecture: str
    family: str | None = None
    features: str | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    l3_cache_bytes: int | None = None
    system: str | None = None

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the identity: equal for equal machines.

        What is not known is left out, so that a field that is added later changes no digest of a machine without it.
        """
        known = {name: value for name, value in asdict(self).items() if value is not None and name != "memory_bytes"}
        text = json.dumps(known, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """One line for the screen."""
        cores = "" if self.cores is None else f", {self.cores} core{'s' * (self.cores != 1)}"
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes // 2**30} GiB"
        return f"{self.name} ({self.architecture}{cores}{memory})"

    def to_json(self) -> dict[str, Any]:
        """The identity as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Device:
        """Rebuild what ``to_json`` gave.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return Device(**values)


@dataclass(frozen=True)
class DeviceState:
    """What a device was doing at one moment, and the settings it did it under. None where it cannot be read.

    What counts since boot is of use only as a difference between two states.

    Attributes:
        clock_mhz: mean clock of the processors; of a GPU, that of its multiprocessors.
        temperature_c: hottest sensor.
        power_w: power drawn.
        load_1min: processes that wanted to run, averaged over the last minute.
        governor: frequency governor.
        throttle_count: throttling events since boot, for heat, of the processors that were asked, or for too much
            current, of a Jetson.
        max_clock_mhz: highest clock the settings allow at this moment.
        boost: whether the clock may rise above what the device can hold for ever (turbo).
        power_mode: name of the power mode (``MAXN`` of a Jetson, ``balanced`` of a laptop, ``P0`` of a GPU).
        energy_preference: the processor's own leaning between speed and energy (``balance_performance``).
        power_limit_w: power above which the device lowers its clock.
        throttle_reasons: what holds the clock down at this moment, separated by commas; empty when nothing does.
        steal_s: time since boot that a virtual machine wanted to run and its host did not let it, over all processors.
        cpu_stall_s: time since boot during which some process waited for a processor.
        memory_stall_s: time since boot during which some process waited for memory.
        gpu_clock_mhz: clock of the GPU on a Jetson's board, of which ``clock_mhz`` is that of the processors.
        memory_clock_mhz: clock of a Jetson's memory.
        clocks_held: whether the clocks have one value to choose from, which is what ``jetson_clocks`` does.
    """

    clock_mhz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    load_1min: float | None = None
    governor: str | None = None
    throttle_count: int | None = None
    max_clock_mhz: float | None = None
    boost: bool | None = None
    power_mode: str | None = None
    energy_preference: str | None = None
    power_limit_w: float | None = None
    throttle_reasons: str | None = None
    steal_s: float | None = None
    cpu_stall_s: float | None = None
    memory_stall_s: float | None = None
    gpu_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    clocks_held: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """The known fields as plain values; unknown ones are left out."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    @property
    def is_slowed_down(self) -> bool:
        """Whether something holds the clock down that comes and goes: heat, or a supply that is too weak.

        A power limit is none of these: a loaded GPU lives at it, and times taken there are its own.
        """
        reasons = filter(None, (self.throttle_reasons or "").split(", "))
        return any(reason not in LASTING_REASONS for reason in reasons)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> DeviceState:
        """Rebuild what ``to_json`` gave.

        Raises:
            TypeError: a field is unknown.
        """
        return DeviceState(**values)


@dataclass(frozen=True)
class Health:
    """What bears on times taken on a Linux machine and takes too long to read with every burst. None where unknown.

    Attributes:
        state: what it was doing.
        cores: logical processors this process may run on.
        is_virtual: whether it is a virtual machine.
        driver: what sets the clock (``intel_pstate``).
        least_clock_mhz: lowest clock the processor has.
        most_clock_mhz: highest clock the processor has.
        power_modes: names of a Jetson's power modes by their numbers.
        throttled_since_boot: what a Raspberry Pi's firmware saw since boot, separated by commas; empty for nothing.
        cooling: what slows the device down to cool it at this moment.
        thermal_margin_c: how far the sensor that is nearest to its limit is below it.
        swap_used_bytes: memory that was moved to disk.
        memory_available_share: memory that programs can still have, as a share of all.
        memory_pressure: share of the last 10 s during which some process waited for memory.
        on_battery: whether no mains is connected.
        quota_cores: processors that the container may use at a time; infinite without a bound.
        quota_waits: how often the container was stopped because its quota was used up.
        has_smt: whether two logical processors share one core.
        one_of_each: one logical processor of each core, as ``taskset -c`` takes it.
        clock_source: what the kernel's clock reads.
        timer_resolution_s: smallest step of the clock that samples are taken with.
    """

    state: DeviceState = field(default_factory=DeviceState)
    cores: int | None = None
    is_virtual: bool | None = None
    driver: str | None = None
    least_clock_mhz: float | None = None
    most_clock_mhz: float | None = None
    power_modes: Mapping[str, str] = field(default_factory=dict)
    throttled_since_boot: str | None = None
    cooling: tuple[str, ...] | None = None
    thermal_margin_c: float | None = None
    swap_used_bytes: int | None = None
    memory_available_share: float | None = None
    memory_pressure: float | None = None
    on_battery: bool | None = None
    quota_cores: float | None = None
    quota_waits: int | None = None
    has_smt: bool | None = None
    one_of_each: str | None = None
    clock_source: str | None = None
    timer_resolution_s: float | None = None

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Health:
        """Make one of plain values, as ``agent.linux_health`` reads them; what is left out is unknown.

        Raises:
            TypeError: a field is unknown.
        """
        cooling = values.get("cooling")
        parts = {
            "state": DeviceState.from_json(values.get("state", {})),
            "cooling": None if cooling is None else tuple(cooling),
        }
        return Health(**{**values, **parts})


@dataclass(frozen=True)
class GpuHealth:
    """What bears on times taken on a GPU. None where unknown.

    Attributes:
        name: its model.
        number: the number that ``nvidia-smi`` gives it.
        state: what it was doing.
        is_part: whether it is a part of a board (MIG).
        persistent: whether the driver stays loaded while nobody uses the GPU.
        clocks_set: whether a user set the clocks.
        slowdown_c: temperature at which the hardware slows down.
        other_processes: other processes that compute on it.
    """

    name: str
    number: int
    state: DeviceState = field(default_factory=DeviceState)
    is_part: bool = False
    persistent: bool | None = None
    clocks_set: bool | None = None
    slowdown_c: float | None = None
    other_processes: int | None = None

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> GpuHealth:
        """Make one of plain values, as ``agent.gpu`` reads them; what is left out is unknown.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return GpuHealth(**{**values, "state": DeviceState.from_json(values.get("state", {}))})
