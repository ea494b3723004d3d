"""What else bears on times taken on a Linux machine, and takes too long to read with every burst, as plain values."""

import math
import re
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

from agent import jetson
from agent.files import number, text
from agent.linux import CPUS, is_virtual, read_device, read_state
from agent.throttling import slowing_devices, throttled_since_boot

_LIMITS = {"passive", "hot", "critical"}
"""Trip points at which a machine slows down or stops; at the ``active`` ones a fan starts."""

_HOTTEST_LIMIT_C = 150.0
"""Trip points that nobody set read as 0 or as something absurd."""


def read_health(root: str = "/") -> Dict[str, Any]:
    """Read everything that bears on times taken on the machine below ``root``, in some milliseconds.

    Args:
        root: root of the file system to read.

    Returns:
        The fields of ``devices.Health`` that the machine tells.
    """
    top = Path(root)
    cpufreq = top / CPUS / "cpu0/cpufreq"
    memory = _memory_bytes(top)
    siblings = _siblings(top)
    health = {
        "state": read_state(root),
        "cores": read_device(root)["cores"],
        "is_virtual": is_virtual(root),
        "driver": text(cpufreq / "scaling_driver"),
        "least_clock_mhz": _mhz(cpufreq / "cpuinfo_min_freq"),
        "most_clock_mhz": _mhz(cpufreq / "cpuinfo_max_freq"),
        "power_modes": dict(jetson.power_modes(root)),
        "throttled_since_boot": throttled_since_boot(root),
        "cooling": _cooling(root),
        "thermal_margin_c": _thermal_margin_c(top),
        "swap_used_bytes": _swap_used_bytes(memory),
        "memory_available_share": _available_share(memory),
        "memory_pressure": _memory_pressure(top),
        "on_battery": _on_battery(top),
        "quota_cores": _quota_cores(top),
        "quota_waits": _quota_waits(top),
        "has_smt": _has_smt(top, siblings),
        "one_of_each": ",".join(sorted({re.split("[,-]", names)[0] for names in siblings}, key=int)) or None,
        "clock_source": text(top / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "timer_resolution_s": time.get_clock_info("perf_counter").resolution,
    }
    return {name: value for name, value in health.items() if value is not None}


def _mhz(file: Path) -> Optional[float]:
    """A clock that the kernel gives in kHz."""
    found = number(file)
    return None if found is None else found / 1e3


def _cooling(root: str) -> Optional[List[str]]:
    """What cools by slowing down at this moment; None without any such device."""
    slowing = slowing_devices(root)
    active = {name for folder, name in slowing.items() if (number(folder + "/cur_state") or 0) > 0}
    return sorted(active) if slowing else None


def _thermal_margin_c(root: Path) -> Optional[float]:
    """The smallest distance of a sensor to the nearest limit of its own."""
    margins = []
    for zone in (root / "sys/class/thermal").glob("thermal_zone*"):
        found = number(zone / "temp")
        trips = [trip for trip in zone.glob("trip_point_*_type") if text(trip) in _LIMITS]
        points = [number(str(trip)[: -len("type")] + "temp") for trip in trips]
        limits = [limit / 1e3 for limit in points if limit is not None and 0 < limit / 1e3 < _HOTTEST_LIMIT_C]
        if found is not None and limits:
            margins.append(min(limits) - found / 1e3)
    return min(margins, default=None)


def _memory_bytes(root: Path) -> Dict[str, int]:
    """/proc/meminfo, in bytes."""
    found = re.findall(r"^(\w+):\s+(\d+) kB", text(root / "proc/meminfo") or "", re.MULTILINE)
    return {name: int(size) * 1024 for name, size in found}


def _swap_used_bytes(memory: Dict[str, int]) -> Optional[int]:
    if "SwapTotal" not in memory or "SwapFree" not in memory:
        return None
    return memory["SwapTotal"] - memory["SwapFree"]


def _available_share(memory: Dict[str, int]) -> Optional[float]:
    if "MemAvailable" not in memory or not memory.get("MemTotal"):
        return None
    return memory["MemAvailable"] / memory["MemTotal"]


def _memory_pressure(root: Path) -> Optional[float]:
    match = re.search(r"^some avg10=([\d.]+)", text(root / "proc/pressure/memory") or "", re.MULTILINE)
    return None if match is None else float(match.group(1)) / 100


def _on_battery(root: Path) -> Optional[bool]:
    """Whether there is a battery and no mains is connected; None on machines that have no battery."""
    kinds: Dict[str, List[Path]] = {"Mains": [], "USB": [], "Battery": []}
    for supply in (root / "sys/class/power_supply").glob("*"):
        # A wireless mouse has a battery too, and says that it is a device's and not the system's.
        if text(supply / "scope") != "Device":
            kinds.setdefault(text(supply / "type") or "", []).append(supply)
    if not kinds["Battery"]:
        return None
    mains = [number(supply / "online") for supply in (*kinds["Mains"], *kinds["USB"])]
    if 1 in mains:
        return False
    return True if 0 in mains else any(text(supply / "status") == "Discharging" for supply in kinds["Battery"])


def _control_groups(root: Path) -> List[Tuple[str, Path]]:
    """The version and folders of this process's control group for processors and of those above it, lowest first."""
    for line in (text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, name = line.split(":", 2)
        version, mount = ("1", "sys/fs/cgroup/cpu") if "cpu" in controllers.split(",") else ("2", "sys/fs/cgroup")
        if version == "1" or not controllers:
            # Inside a container the name may be that outside, of which only the mount itself is to be seen.
            path = Path(name.lstrip("/"))
            return [(version, root / mount / part) for part in (path, *path.parents)]
    return []


def _quota_cores(root: Path) -> Optional[float]:
    """The tightest bound of them all; infinite where there are control groups and no bound, None without any."""
    groups = _control_groups(root)
    bounds = [_bound_cores(version, folder) for version, folder in groups if folder.is_dir()]
    return min(bounds) if bounds else None


def _bound_cores(version: str, folder: Path) -> float:
    if version == "2":
        quota, period = [*(text(folder / "cpu.max") or "max").split(), "100000"][:2]
    else:
        quota = text(folder / "cpu.cfs_quota_us") or "-1"
        period = text(folder / "cpu.cfs_period_us") or "100000"
    return int(quota) / int(period) if quota.isdigit() else math.inf


def _quota_waits(root: Path) -> Optional[int]:
    for _, folder in _control_groups(root):
        match = re.search(r"^nr_throttled (\d+)", text(folder / "cpu.stat") or "", re.MULTILINE)
        if match:
            return int(match.group(1))
    return None


def _siblings(root: Path) -> Set[str]:
    """The logical processors of each core, as the kernel lists them (``0,4`` or ``0-1``)."""
    files = (root / CPUS).glob("cpu[0-9]*/topology/thread_siblings_list")
    found = (text(file) for file in files)
    return {names for names in found if names}


def _has_smt(root: Path, siblings: Set[str]) -> Optional[bool]:
    active = number(root / CPUS / "smt/active")
    if active is not None:
        return active == 1
    return any(re.search("[,-]", names) for names in siblings) if siblings else None
