"""Identity and state of a Linux machine, read from /proc and /sys, as plain values.

Every reader takes the root of the file system, so that the tests can hand it a folder that looks like somebody else's
machine. ``devices.read_device`` and ``devices.read_state`` say the same as ``Device`` and ``DeviceState``.
"""

import os
import platform
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from agent import jetson
from agent.files import number, numbers, text
from agent.throttling import spread, throttle_count, throttle_reasons

CPUS = "sys/devices/system/cpu"
"""Where the processors are, below a root."""

_GIB = 2**30

_INSTRUCTIONS = re.compile(r"(?:s?sse|avx|amx|fma|f16c|bmi|fp|asimd|sve|sme|bf16|i8mm|neon|vfp)\w*")
"""Flags that name instruction sets. The kernel adds others (mitigations, its own features) that come with updates."""

_PROCESSOR_SENSORS = {"k10temp", "zenpower"}
"""AMD's processors are no thermal zone: their sensors are only here. Those of others would be read twice."""

_NO_SENSORS = re.compile("PMIC")
"""Thermal zones without a sensor: those of a Jetson's power supply say 100 (or 50) degrees, whatever it does."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def read_device(root: str = "/") -> Dict[str, Any]:
    """Identify the machine below ``root``.

    Args:
        root: root of the file system to read; the real one by default.

    Returns:
        The fields of ``devices.Device``; those that the machine does not tell are None.
    """
    cpu = first_processor(root)
    flags = cpu.get("flags") or cpu.get("Features")
    return {
        "kind": "cpu",
        "name": _model_name(cpu, root),
        "architecture": platform.machine(),
        "family": _family(cpu),
        "features": None if flags is None else " ".join(sorted(filter(_INSTRUCTIONS.fullmatch, flags.split()))),
        "cores": _usable_cores(),
        "memory_bytes": _memory_bytes(root),
        "l3_cache_bytes": _l3_cache_bytes(root),
        "system": platform.system(),
    }


def read_state(root: str = "/") -> Dict[str, Any]:
    """Read what the machine below ``root`` is doing.

    Read twice for each burst of samples, so it must stay below a millisecond: some microseconds for each file, which
    are found once. On a Jetson the power is a part of it, which takes longer.

    Args:
        root: root of the file system to read; the real one by default.

    Returns:
        The fields of ``devices.DeviceState`` that the machine tells.
    """
    files = _state_files(root)
    clocks_khz, limits_khz = numbers(files.clocks), numbers(files.limits)
    temperatures = numbers(files.temperatures)
    load = text(files.load)
    state = {
        "clock_mhz": sum(clocks_khz) / len(clocks_khz) / 1e3 if clocks_khz else None,
        "temperature_c": max(temperatures) / 1e3 if temperatures else None,
        "load_1min": float(load.split()[0]) if load else None,
        "governor": _setting(files.governor),
        "throttle_count": throttle_count(root),
        "max_clock_mhz": max(limits_khz) / 1e3 if limits_khz else None,
        "boost": read_boost(root),
        "power_mode": jetson.power_mode(root) or _setting(f"{root}/sys/firmware/acpi/platform_profile"),
        "energy_preference": _setting(files.energy_preference),
        "throttle_reasons": throttle_reasons(root),
        "steal_s": _steal_s(files.steal),
        "cpu_stall_s": _stall_s(f"{root}/proc/pressure/cpu"),
        "memory_stall_s": _stall_s(f"{root}/proc/pressure/memory"),
    }
    known = {name: value for name, value in state.items() if value is not None}
    return {**known, **jetson.read_state(root)} if jetson.is_jetson(root) else known


def first_processor(root: str) -> Dict[str, str]:
    """Key and value of the first block of /proc/cpuinfo."""
    found = text(f"{root}/proc/cpuinfo") or ""
    pairs = (line.split(":", 1) for line in found.split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def is_virtual(root: str) -> Optional[bool]:
    """Whether the machine is a virtual one; None where processors do not tell."""
    flags = first_processor(root).get("flags")
    if flags is not None:
        return "hypervisor" in flags.split()
    return True if Path(root, "proc/device-tree/hypervisor").exists() else None


def read_boost(root: str) -> Optional[bool]:
    """Whether turbo is on, by whichever of the two switches the machine has; None where it has neither."""
    no_turbo = number(f"{root}/{CPUS}/intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == 0
    boost = number(f"{root}/{CPUS}/cpufreq/boost")
    return None if boost is None else boost != 0


class _StateFiles(NamedTuple):
    clocks: Tuple[str, ...]
    limits: Tuple[str, ...]
    temperatures: Tuple[str, ...]
    governor: Optional[str]
    energy_preference: Optional[str]
    steal: Optional[str]
    load: str


@lru_cache(maxsize=None)
def _state_files(root: str) -> _StateFiles:
    """The files of a state; looking for them takes ten times as long as reading them."""
    cpus = Path(root, CPUS)
    folders = spread(sorted(cpus.glob("cpu[0-9]*/cpufreq")))
    # Bare metal has no steal, and /proc/stat takes a millisecond to make where there are many interrupts.
    steal = None if is_virtual(root) is False else f"{root}/proc/stat"
    return _StateFiles(
        clocks=tuple(f"{folder}/scaling_cur_freq" for folder in folders),
        limits=tuple(f"{folder}/scaling_max_freq" for folder in folders[:1] + folders[-1:]),
        temperatures=(*_zones(root), *_sensors(root)),
        governor=f"{folders[0]}/scaling_governor" if folders else None,
        energy_preference=f"{folders[0]}/energy_performance_preference" if folders else None,
        steal=steal,
        load=f"{root}/proc/loadavg",
    )


def _zones(root: str) -> List[str]:
    folders = Path(root, "sys/class/thermal").glob("thermal_zone*")
    return [f"{folder}/temp" for folder in folders if not _NO_SENSORS.match(text(folder / "type") or "")]


def _sensors(root: str) -> List[str]:
    """The sensor of an AMD processor."""
    folders = Path(root, "sys/class/hwmon").glob("hwmon*")
    return [f"{folder}/temp1_input" for folder in folders if text(folder / "name") in _PROCESSOR_SENSORS]


def _setting(file: Optional[str]) -> Optional[str]:
    return None if file is None else text(file) or None


def _steal_s(file: Optional[str]) -> Optional[float]:
    """The eighth number of the line for all processors (proc_stat(5)), in seconds."""
    found = None if file is None else text(file)
    fields = found.split("\n", 1)[0].split() if found else []
    return int(fields[8]) / _TICKS_PER_SECOND if len(fields) > 8 and fields[0] == "cpu" else None


def _stall_s(file: str) -> Optional[float]:
    """The total of the line ``some`` (pressure stall information), which is in microseconds."""
    match = re.search(r"^some .*total=(\d+)", text(file) or "", re.MULTILINE)
    return None if match is None else int(match.group(1)) / 1e6


def _usable_cores() -> Optional[int]:
    """Processors this process may run on; all there are where the system has no such bound (macOS)."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() if allowed is None else len(allowed(0))


def _model_name(cpu: Dict[str, str], root: str) -> str:
    """Model of the board where there is one (Arm processors call themselves all alike), else of the processor."""
    board = text(f"{root}/proc/device-tree/model")
    return board or cpu.get("model name") or platform.processor() or "unknown processor"


def _family(cpu: Dict[str, str]) -> Optional[str]:
    names = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU revision")
    known = [cpu[name] for name in names if name in cpu]
    return " ".join(known) or None


def _memory_bytes(root: str) -> Optional[int]:
    for line in (text(f"{root}/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            found = int(line.split()[1]) * 1024
            step = _GIB if found >= _GIB else _GIB // 8
            return found // step * step
    return None


def _l3_cache_bytes(root: str) -> Optional[int]:
    found = text(f"{root}/{CPUS}/cpu0/cache/index3/size")
    return int(found[:-1]) * 1024 if found and found.endswith("K") else None
