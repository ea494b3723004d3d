"""Whether a time taken now can be trusted: findings about what a machine is and does, and how to mend it.

Every finding is a pure function of readings; reading is done elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from devices.device import GpuHealth, Health
from devices.load import Load

Severity = Literal["ok", "warning", "problem", "unknown"]

_SOME_CORES = 0.1
"""Others that take less than this of a processor disturb few samples, and those are discarded."""

_NAMED = 3
"""Processes that are named; who comes after these matters little."""

_LITTLE_STEAL = 0.005
_MUCH_STEAL = 0.05
"""Shares of time: the first is what one sample in 200 sees, the second what no discarding mends."""

_NEAR_LIMIT_C = 10.0
_AT_LIMIT_C = 3.0
"""How far below its limit a device has to be: a burst of some seconds heats by some degrees."""

_LOW_CLOCK = 0.95
"""Below this share of the highest clock a governor that promises the highest does not keep its word."""

_SOME_PRESSURE = 0.01
"""Share of time spent waiting for memory above which a time is that of the disk."""

_LITTLE_MEMORY = 0.1
"""Share of memory that must be left, or the kernel starts to write to the disk while a sample is taken."""

_COARSE_TIMER_S = 1e-6
"""A thousandth of the millisecond that a sample spans."""

_GOOD_CLOCK_SOURCES = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource"}
"""Read without a call into the kernel; reading one of the others takes microseconds."""

_LOCKED_SHARE = 0.75
"""Clock to lock a GPU at, as a share of its highest: one that most cards hold within their power limit."""

_CLOCK_STEP_MHZ = 15
"""NVIDIA's clocks come in steps of this size."""


@dataclass(frozen=True)
class Finding:
    """One thing that bears on a time.

    Attributes:
        topic: what was looked at, in a word or two.
        severity: ``ok``; ``warning``: times are less precise or not comparable; ``problem``: do not trust them;
            ``unknown``: it could not be read.
        what: what was seen, and what it means for a time.
        remedy: what to do, a command where there is one; empty when there is nothing to do.
    """

    topic: str
    severity: Severity
    what: str
    remedy: str = ""


def machine_findings(health: Health, load: Load) -> tuple[Finding, ...]:
    """Everything that bears on times taken on this machine now, in the order in which to mend it."""
    checks: tuple[Callable[[Health], Finding | None], ...] = (
        *(lambda _: _others(load), lambda h: _steal(h, load)),
        *(_throttling, _temperature, _battery, _memory, _quota),
        *(_governor, _boost, _clock, _power_mode, _smt, _timer),
    )
    return tuple(finding for check in checks if (finding := check(health)) is not None)


def gpu_findings(gpu: GpuHealth) -> tuple[Finding, ...]:
    """Everything that bears on times taken on a GPU now, in the order in which to mend it."""
    checks = (_gpu_others, _gpu_throttling, _gpu_temperature, _gpu_clocks, _gpu_persistence, _gpu_part)
    return tuple(finding for check in checks if (finding := check(gpu)) is not None)


def _others(load: Load) -> Finding:
    if load.busy_cores is None or load.processors is None:
        return _unknown("other load", "/proc does not tell who computes; look at `top` before you measure")
    if load.busy_cores <= _SOME_CORES:
        return Finding("other load", "ok", "nobody else computes")
    names = ", ".join(f"{process.name} ({process.pid}) {process.cores:.0%}" for process in load.processes[:_NAMED])
    unseen = "programs that are not to be seen from here, in other containers perhaps"
    what = f"others keep {load.busy_cores:.1f} of {load.processors} processors busy: {names or unseen}"
    is_full = load.busy_cores > load.processors - 1 + _SOME_CORES
    return Finding("other load", "problem" if is_full else "warning", what, "Wait for them to end, or close them.")


def _steal(health: Health, load: Load) -> Finding | None:
    if health.is_virtual is False:
        return None
    if load.steal is None:
        return _unknown("steal", "it cannot be told whether a host takes processor time away")
    what = f"the host of this virtual machine gave {load.steal:.1%} of its time to others"
    if load.steal <= _LITTLE_STEAL:
        return Finding("steal", "ok", what)
    severity: Severity = "problem" if load.steal > _MUCH_STEAL else "warning"
    return Finding("steal", severity, what, "Measure at another hour, or on a machine with processors of its own.")


def _throttling(health: Health) -> Finding:
    state = health.state
    # Where nothing else tells, the reasons are the active cooling devices themselves.
    now = dict.fromkeys(filter(None, (*(state.throttle_reasons or "").split(", "), *(health.cooling or ()))))
    if now:
        what = f"the clock is held down at this moment: {', '.join(now)}"
        return Finding("throttling", "problem", what, _cool(state.throttle_reasons or ""))
    if health.throttled_since_boot:
        what = f"since boot, the firmware saw: {health.throttled_since_boot}"
        return Finding("throttling", "warning", what, _cool(health.throttled_since_boot))
    if state.throttle_count:
        what = f"heat, or too much current, lowered the clock {state.throttle_count} times since boot"
        return Finding("throttling", "warning", what, _cool(""))
    if state.throttle_reasons is None and health.cooling is None and state.throttle_count is None:
        return _unknown("throttling", "a clock that heat or power lowered cannot be told from a slow block")
    return Finding("throttling", "ok", "nothing holds the clock down")


def _cool(reasons: str) -> str:
    if "under-voltage" in reasons:
        return "Use a power supply and a cable that hold the voltage (5.1 V at 5 A for a Raspberry Pi 5)."
    return "Let it cool, give it air, and measure in shorter runs."


def _temperature(health: Health) -> Finding:
    hot, margin = health.state.temperature_c, health.thermal_margin_c
    if hot is None:
        return _unknown("temperature", "no sensor can be read; watch whether times rise while you measure")
    if margin is None:
        return Finding("temperature", "ok", f"{hot:.0f} °C; at which temperature it slows down is not known")
    what = f"{hot:.0f} °C, {max(margin, 0):.0f} °C below the nearest limit of a sensor"
    if margin > _NEAR_LIMIT_C:
        return Finding("temperature", "ok", what)
    return Finding("temperature", "problem" if margin <= _AT_LIMIT_C else "warning", what, _cool(""))


def _battery(health: Health) -> Finding | None:
    if health.on_battery is None:
        return None
    if health.on_battery:
        return Finding("battery", "problem", "runs on battery, which lowers clocks as it likes", "Connect the mains.")
    return Finding("battery", "ok", "runs on mains")


def _memory(health: Health) -> Finding:
    pressure, available, swapped = health.memory_pressure, health.memory_available_share, health.swap_used_bytes
    if pressure is None and available is None:
        return _unknown("memory", "a time during which memory was read from disk cannot be told from a slow block")
    if pressure is not None and pressure > _SOME_PRESSURE:
        what = f"in the last 10 s, programs waited for memory {pressure:.0%} of the time"
        return Finding("memory", "problem", what, "Close programs; then bring back what was swapped out: " + _UNSWAP)
    if available is not None and available < _LITTLE_MEMORY:
        return Finding("memory", "warning", f"only {available:.0%} of the memory is left", "Close programs.")
    if swapped:
        what = f"{swapped / 2**30:.1f} GiB are swapped out; what of it is needed is read from disk first"
        return Finding("memory", "ok", what)
    left = "" if available is None else f", {available:.0%} is left"
    return Finding("memory", "ok", f"nothing waits for memory{left}")


_UNSWAP = "sudo swapoff -a && sudo swapon -a"


def _quota(health: Health) -> Finding | None:
    if health.quota_cores is None or math.isinf(health.quota_cores):
        return None
    waited = "" if not health.quota_waits else f", and was stopped for it {health.quota_waits} times"
    what = f"the container may use {health.quota_cores:g} processors at a time{waited}"
    if health.cores is not None and health.quota_cores >= health.cores:
        return Finding("quota", "ok", what)
    # Below one processor a single thread is stopped in every period, whatever it does.
    severity: Severity = "problem" if health.quota_cores < 1 else "warning"
    return Finding("quota", severity, what, "Bind it to processors instead: docker run --cpuset-cpus 0-1, not --cpus.")


def _governor(health: Health) -> Finding:
    governor, leaning = health.state.governor, health.state.energy_preference
    if governor is None:
        why = "; the host of a virtual machine decides about it" if health.is_virtual else ""
        return _unknown("governor", f"a clock that changed cannot be told from a slow block{why}")
    what = f"{governor}" + (f", leaning {leaning}" if leaning else "")
    if governor == "performance":
        return Finding("governor", "ok", what)
    effect = "the clock stays as it was set" if governor == "userspace" else "the clock follows the load, late"
    remedy = "sudo cpupower frequency-set -g performance"
    return Finding("governor", "warning", f"{what}: {effect}", remedy)


def _boost(health: Health) -> Finding | None:
    boost = health.state.boost
    if boost is None:
        return None
    if not boost:
        return Finding("turbo", "ok", "off")
    what = "on: the clock depends on heat and on how many neighbours compute"
    switch = "intel_pstate/no_turbo" if (health.driver or "").startswith("intel") else "cpufreq/boost"
    value = "1" if "no_turbo" in switch else "0"
    return Finding("turbo", "warning", what, f"echo {value} | sudo tee /sys/devices/system/cpu/{switch}")


def _clock(health: Health) -> Finding | None:
    state, most = health.state, health.most_clock_mhz
    if most is None or state.max_clock_mhz is None:
        return None
    least = "" if health.least_clock_mhz is None else f"{health.least_clock_mhz:.0f} to "
    span = f"of {least}{most:.0f} MHz"
    # With turbo off, the highest clock is out of reach on purpose.
    if state.max_clock_mhz < most * _LOW_CLOCK and state.boost is not False:
        what = f"may not rise above {state.max_clock_mhz:.0f} MHz, {span}"
        return Finding("clock", "warning", what, f"sudo cpupower frequency-set -u {most:.0f}MHz")
    promised = state.governor == "performance" and state.boost is not True
    if promised and state.clock_mhz is not None and state.clock_mhz < state.max_clock_mhz * _LOW_CLOCK:
        what = f"{state.clock_mhz:.0f} MHz, although the governor promises {state.max_clock_mhz:.0f}"
        return Finding("clock", "warning", what, _cool(""))
    now = "" if state.clock_mhz is None else f"{state.clock_mhz:.0f} MHz at this moment, "
    return Finding("clock", "ok", f"{now}{span}")


def _power_mode(health: Health) -> Finding | None:
    mode = health.state.power_mode
    if mode is None:
        return None
    full = [(number, name) for number, name in health.power_modes.items() if name.startswith("MAXN")]
    if full:
        if mode in {name for _, name in full}:
            held = "its clocks are held" if health.state.clocks_held else "`sudo jetson_clocks` holds its clocks"
            return Finding("power mode", "ok", f"{mode}; {held} at their highest")
        what = f"{mode}, which bounds clocks and processors: right if it is the mode that the device will run in"
        return Finding("power mode", "warning", what, f"sudo nvpmodel -m {full[-1][0]} && sudo jetson_clocks")
    if mode in {"performance", "balanced-performance"} or health.power_modes or mode.startswith("mode "):
        return Finding("power mode", "ok", mode)
    what = f"{mode}, with which the firmware bounds power"
    return Finding("power mode", "warning", what, "echo performance | sudo tee /sys/firmware/acpi/platform_profile")


def _smt(health: Health) -> Finding | None:
    if health.has_smt is None:
        return None
    if not health.has_smt:
        return Finding("shared cores", "ok", "each processor is a core of its own")
    what = "two processors share a core (SMT): a neighbour on the other one slows both"
    remedy = f"taskset -c {health.one_of_each} paceline ..." if health.one_of_each else ""
    return Finding("shared cores", "warning", what, remedy or "echo off | sudo tee /sys/devices/system/cpu/smt/control")


def _timer(health: Health) -> Finding:
    resolution_s, source = health.timer_resolution_s, health.clock_source
    if resolution_s is None:
        return _unknown("timer", "how finely samples are timed is not known")
    what = f"steps of {resolution_s * 1e9:.3g} ns" + (f", read from {source}" if source else "")
    if resolution_s > _COARSE_TIMER_S:
        return Finding("timer", "problem", f"{what}: too coarse", "Time longer samples, or use another machine.")
    if source is not None and source not in _GOOD_CLOCK_SOURCES:
        remedy = "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
        return Finding("timer", "warning", f"{what}, which takes microseconds", remedy)
    return Finding("timer", "ok", what)


def _gpu_others(gpu: GpuHealth) -> Finding:
    if gpu.other_processes is None:
        return _unknown("other load", "it cannot be told whether others compute on this GPU")
    if not gpu.other_processes:
        return Finding("other load", "ok", "nobody else computes on it")
    what = f"{gpu.other_processes} other process(es) compute on it or hold its memory"
    return Finding("other load", "warning", what, "nvidia-smi --query-compute-apps=pid,name --format=csv names them.")


def _gpu_throttling(gpu: GpuHealth) -> Finding:
    reasons = gpu.state.throttle_reasons
    if reasons is None:
        return _unknown("throttling", "a clock that heat or power lowered cannot be told from a slow block")
    if not reasons:
        return Finding("throttling", "ok", "nothing holds the clock down")
    what = f"the clock is held down at this moment: {reasons}"
    return Finding("throttling", "problem" if gpu.state.is_slowed_down else "warning", what, _lock(gpu))


def _gpu_temperature(gpu: GpuHealth) -> Finding:
    hot, limit = gpu.state.temperature_c, gpu.slowdown_c
    if hot is None:
        return _unknown("temperature", "no sensor can be read")
    if limit is None:
        return Finding("temperature", "ok", f"{hot:.0f} °C; at which temperature it slows down is not known")
    what = f"{hot:.0f} °C; it slows down at {limit:.0f} °C"
    if limit - hot > _NEAR_LIMIT_C:
        return Finding("temperature", "ok", what)
    return Finding("temperature", "problem" if limit - hot <= _AT_LIMIT_C else "warning", what, _cool(""))


def _gpu_clocks(gpu: GpuHealth) -> Finding:
    state = gpu.state
    now = "" if state.clock_mhz is None else f"{state.clock_mhz:.0f} MHz"
    most = "" if state.max_clock_mhz is None else f" of at most {state.max_clock_mhz:.0f} MHz"
    if gpu.clocks_set is None:
        return _unknown("clock", f"{now}{most}; whether somebody set it cannot be told")
    if gpu.clocks_set:
        return Finding("clock", "ok", f"{now}{most}, set by a user")
    what = f"{now}{most}; nothing says that it is locked, so it changes with heat and power"
    return Finding("clock", "warning", what, _lock(gpu))


def _lock(gpu: GpuHealth) -> str:
    most = gpu.state.max_clock_mhz
    if most is None:
        return f"sudo nvidia-smi -i {gpu.number} -lgc MHZ, one of nvidia-smi -q -d SUPPORTED_CLOCKS"
    return f"sudo nvidia-smi -i {gpu.number} -lgc {round(most * _LOCKED_SHARE / _CLOCK_STEP_MHZ) * _CLOCK_STEP_MHZ}"


def _gpu_persistence(gpu: GpuHealth) -> Finding | None:
    if gpu.persistent is None:
        return None
    if gpu.persistent:
        return Finding("persistence", "ok", "the driver stays loaded")
    what = "the driver is unloaded whenever nobody uses the GPU, and forgets its clocks"
    return Finding("persistence", "warning", what, f"sudo nvidia-smi -i {gpu.number} -pm 1")


def _gpu_part(gpu: GpuHealth) -> Finding | None:
    if not gpu.is_part:
        return None
    what = "one part of a divided board (MIG): its power and energy are unknown, and neighbours share memory and clock"
    return Finding("division", "warning", what, "Measure while the other parts are idle.")


def _unknown(topic: str, meaning: str) -> Finding:
    return Finding(topic, "unknown", f"not readable: {meaning}")
