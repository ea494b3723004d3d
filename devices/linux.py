"""Identity and state of a Linux machine, read from /proc and /sys.

Every reader takes the root of the file system, so that the tests can hand it a folder that looks like
somebody else's machine.
"""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from devices.device import Device, DeviceState
from devices.files import number, numbers, text

CPUS = "sys/devices/system/cpu"
"""Where the processors are, below a root."""

_GIB = 2**30

_INSTRUCTIONS = re.compile(r"(?:s?sse|avx|amx|fma|f16c|bmi|fp|asimd|sve|sme|bf16|i8mm|neon|vfp)\w*")
"""Flags that name instruction sets. The kernel adds others (mitigations, its own features) that come with updates."""

_MOST_ASKED = 16
"""Of more processors than this, so many are asked, evenly spread: a file takes up to 10 us, and a state must stay below
a millisecond on a server of 256 processors too. Heat concerns neighbours together."""

_PROCESSOR_SENSORS = {"k10temp", "zenpower"}
"""AMD's processors are no thermal zone: their sensors are only here. Those of others would be read twice."""

_RASPBERRY_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"

_RASPBERRY_REASONS = ("under-voltage", "capped clock", "throttled", "soft temperature limit")
"""Bits 0 to 3 of what the firmware says; bits 16 to 19 say the same of the time since boot (``vcgencmd`` manual)."""

_CONF_BYTES = 1 << 16
"""More than any Jetson's list of power modes."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def read_device(root: Path = Path("/")) -> Device:
    """Identify the machine below ``root``.

    Args:
        root: root of the file system to read; the real one by default.

    Returns:
        The identity; fields that the machine does not tell are None.
    """
    cpu = first_processor(root)
    flags = cpu.get("flags") or cpu.get("Features")
    return Device(
        kind="cpu",
        name=_model_name(cpu, root),
        architecture=platform.machine(),
        family=_family(cpu),
        features=None if flags is None else " ".join(sorted(filter(_INSTRUCTIONS.fullmatch, flags.split()))),
        cores=_usable_cores(),
        memory_bytes=_memory_bytes(root),
        l3_cache_bytes=_l3_cache_bytes(root),
        system=platform.system(),
    )


def read_state(root: Path = Path("/")) -> DeviceState:
    """Read what the machine below ``root`` is doing.

    Read twice for each burst of samples, so it must stay below a millisecond: some microseconds for each file, which
    are found once. What takes longer is in ``read_health``.
    """
    files = _state_files(root)
    clocks_khz, limits_khz, counts = numbers(files.clocks), numbers(files.limits), numbers(files.throttles)
    temperatures = numbers(files.temperatures)
    load = text(files.load)
    return DeviceState(
        clock_mhz=sum(clocks_khz) / len(clocks_khz) / 1e3 if clocks_khz else None,
        temperature_c=max(temperatures) / 1e3 if temperatures else None,
        load_1min=float(load.split()[0]) if load else None,
        governor=_setting(files.governor),
        throttle_count=int(sum(counts)) if counts else None,
        max_clock_mhz=max(limits_khz) / 1e3 if limits_khz else None,
        boost=read_boost(root),
        power_mode=_power_mode(root),
        energy_preference=_setting(files.energy_preference),
        throttle_reasons=_raspberry_reasons(root, first_bit=0),
        steal_s=_steal_s(files.steal),
        cpu_stall_s=_stall_s(f"{root}/proc/pressure/cpu"),
        memory_stall_s=_stall_s(f"{root}/proc/pressure/memory"),
    )


def first_processor(root: Path) -> dict[str, str]:
    """Key and value of the first block of /proc/cpuinfo."""
    found = text(root / "proc/cpuinfo") or ""
    pairs = (line.split(":", 1) for line in found.split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def is_virtual(root: Path) -> bool | None:
    """Whether the machine is a virtual one; None where processors do not tell."""
    flags = first_processor(root).get("flags")
    if flags is not None:
        return "hypervisor" in flags.split()
    return True if (root / "proc/device-tree/hypervisor").exists() else None


def read_boost(root: Path) -> bool | None:
    """Whether turbo is on, by whichever of the two switches the machine has; None where it has neither."""
    no_turbo = number(f"{root}/{CPUS}/intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == 0
    boost = number(f"{root}/{CPUS}/cpufreq/boost")
    return None if boost is None else boost != 0


def power_modes(root: Path) -> dict[str, str]:
    """Names of a Jetson's power modes by their numbers; empty on other machines."""
    conf = text(root / "etc/nvpmodel.conf", _CONF_BYTES) or ""
    return dict(re.findall(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([\w.-]+)", conf, re.MULTILINE))


def throttled_since_boot(root: Path) -> str | None:
    """What a Raspberry Pi's firmware saw since boot, separated by commas; None on other machines."""
    return _raspberry_reasons(root, first_bit=16)


class _StateFiles(NamedTuple):
    clocks: tuple[str, ...]
    limits: tuple[str, ...]
    throttles: tuple[str, ...]
    temperatures: tuple[str, ...]
    governor: str | None
    energy_preference: str | None
    steal: str | None
    load: str


@cache
def _state_files(root: Path) -> _StateFiles:
    """The files of a state; looking for them takes ten times as long as reading them."""
    folders = _spread(sorted((root / CPUS).glob("cpu[0-9]*/cpufreq")))
    throttles = _spread(sorted((root / CPUS).glob("cpu[0-9]*/thermal_throttle/core_throttle_count")))
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    # Bare metal has no steal, and /proc/stat takes a millisecond to make where there are many interrupts.
    steal = None if is_virtual(root) is False else f"{root}/proc/stat"
    return _StateFiles(
        clocks=tuple(f"{folder}/scaling_cur_freq" for folder in folders),
        limits=tuple(f"{folder}/scaling_max_freq" for folder in folders[:1] + folders[-1:]),
        throttles=tuple(map(str, throttles)),
        temperatures=(*map(str, zones), *_sensors(root)),
        governor=f"{folders[0]}/scaling_governor" if folders else None,
        energy_preference=f"{folders[0]}/energy_performance_preference" if folders else None,
        steal=steal,
        load=f"{root}/proc/loadavg",
    )


def _spread(found: list[Path]) -> list[Path]:
    """At most so many of them, from all over."""
    return found[:: -(-len(found) // _MOST_ASKED) or 1]


def _sensors(root: Path) -> list[str]:
    """The sensor of an AMD processor."""
    folders = (root / "sys/class/hwmon").glob("hwmon*")
    return [f"{folder}/temp1_input" for folder in folders if text(folder / "name") in _PROCESSOR_SENSORS]


def _setting(file: str | None) -> str | None:
    return None if file is None else text(file) or None


@cache
def _power_mode_names(root: Path) -> dict[str, str]:
    return power_modes(root)


def _power_mode(root: Path) -> str | None:
    """A Jetson's power mode, or the profile of a laptop's firmware."""
    status = text(f"{root}/var/lib/nvpmodel/status")
    if status is not None and (match := re.search(r"pmode:(\d+)", status)):
        mode = str(int(match[1]))
        return _power_mode_names(root).get(mode, f"mode {mode}")
    return _setting(f"{root}/sys/firmware/acpi/platform_profile")


def _raspberry_reasons(root: Path, first_bit: int) -> str | None:
    found = text(f"{root}/{_RASPBERRY_THROTTLED}")
    try:
        bits = None if found is None else int(found, 16) >> first_bit
    except ValueError:
        return None
    if bits is None:
        return None
    return ", ".join(reason for bit, reason in enumerate(_RASPBERRY_REASONS) if bits >> bit & 1)


def _steal_s(file: str | None) -> float | None:
    """The eighth number of the line for all processors (proc_stat(5)), in seconds."""
    found = None if file is None else text(file)
    fields = found.split("\n", 1)[0].split() if found else []
    return int(fields[8]) / _TICKS_PER_SECOND if len(fields) > 8 and fields[0] == "cpu" else None


def _stall_s(file: str) -> float | None:
    """The total of the line ``some`` (pressure stall information), which is in microseconds."""
    match = re.search(r"^some .*total=(\d+)", text(file) or "", re.MULTILINE)
    return None if match is None else int(match[1]) / 1e6


def _usable_cores() -> int | None:
    """Processors this process may run on; all there are where the system has no such bound (macOS)."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() if allowed is None else len(allowed(0))


def _model_name(cpu: dict[str, str], root: Path) -> str:
    """Model of the board where there is one (Arm processors call themselves all alike), else of the processor."""
    board = text(root / "proc/device-tree/model")
    return board or cpu.get("model name") or platform.processor() or "unknown processor"


def _family(cpu: dict[str, str]) -> str | None:
    names = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU revision")
    known = [cpu[name] for name in names if name in cpu]
    return " ".join(known) or None


def _memory_bytes(root: Path) -> int | None:
    for line in (text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            found = int(line.split()[1]) * 1024
            step = _GIB if found >= _GIB else _GIB // 8
            return found // step * step
    return None


def _l3_cache_bytes(root: Path) -> int | None:
    found = text(root / f"{CPUS}/cpu0/cache/index3/size")
    return int(found[:-1]) * 1024 if found and found.endswith("K") else None
