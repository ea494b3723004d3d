"""Identity and state of a Linux machine, read from /proc and /sys.

Every reader takes the root of the file system, so that the tests can hand it a folder that looks like
somebody else's machine.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from devices.device import Device, DeviceState

_GIB = 2**30

_INSTRUCTIONS = re.compile(r"(?:s?sse|avx|amx|fma|f16c|bmi|fp|asimd|sve|sme|bf16|i8mm|neon|vfp)\w*")
"""Flags that name instruction sets. The kernel adds others (mitigations, its own features) that come with updates."""


def read_device(root: Path = Path("/")) -> Device:
    """Identify the machine below ``root``.

    Args:
        root: root of the file system to read; the real one by default.

    Returns:
        The identity; fields that the machine does not tell are None.
    """
    cpu = _first_processor(root)
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
    """Read clocks, temperature, load and throttling of the machine below ``root``."""
    cpufreq = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"))
    clocks_khz = [value for folder in cpufreq if (value := _number(folder / "scaling_cur_freq")) is not None]
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    temperatures = [value for zone in zones if (value := _number(zone)) is not None]
    throttles = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [int(value) for file in throttles if (value := _number(file)) is not None]
    load = _text(root / "proc/loadavg")
    return DeviceState(
        clock_mhz=sum(clocks_khz) / len(clocks_khz) / 1e3 if clocks_khz else None,
        temperature_c=max(temperatures) / 1e3 if temperatures else None,
        load_1min=float(load.split()[0]) if load else None,
        governor=_text(cpufreq[0] / "scaling_governor") if cpufreq else None,
        throttle_count=sum(counts) if counts else None,
    )


def _usable_cores() -> int | None:
    """Processors this process may run on; all there are where the system has no such bound (macOS)."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() if allowed is None else len(allowed(0))


def _first_processor(root: Path) -> dict[str, str]:
    """Key and value of the first block of /proc/cpuinfo."""
    text = _text(root / "proc/cpuinfo") or ""
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _model_name(cpu: dict[str, str], root: Path) -> str:
    """Model of the board where there is one (Arm processors call themselves all alike), else of the processor."""
    board = (_text(root / "proc/device-tree/model") or "").strip("\0")
    return board or cpu.get("model name") or platform.processor() or "unknown processor"


def _family(cpu: dict[str, str]) -> str | None:
    names = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU revision")
    known = [cpu[name] for name in names if name in cpu]
    return " ".join(known) or None


def _memory_bytes(root: Path) -> int | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            found = int(line.split()[1]) * 1024
            step = _GIB if found >= _GIB else _GIB // 8
            return found // step * step
    return None


def _l3_cache_bytes(root: Path) -> int | None:
    text = _text(root / "sys/devices/system/cpu/cpu0/cache/index3/size")
    return int(text[:-1]) * 1024 if text and text.endswith("K") else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _number(path: Path) -> float | None:
    text = _text(path)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
