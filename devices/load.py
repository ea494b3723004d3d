"""Who else uses the machine: the work of other processes over a moment, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devices.files import text

_WINDOW_S = 0.5
"""Long enough for the kernel's ticks of 10 ms to say 2 % of a processor, short enough to wait for."""

_LEAST_CORES = 0.02
"""One tick in the window; less is not told apart from nothing."""

_STAT_BYTES = 1 << 18
"""More than /proc/stat holds on the largest machines, whose lists of interrupts are long."""


@dataclass(frozen=True)
class Process:
    """Another process that computed while we looked.

    Attributes:
        pid: its number.
        name: its name, as the kernel shortens it.
        cores: how many processors it kept busy; 0.5 is half of one.
    """

    pid: int
    name: str
    cores: float


@dataclass(frozen=True)
class Load:
    """What others did while we waited. None where it cannot be read.

    Attributes:
        processors: logical processors of the machine.
        busy_cores: how many of them were kept busy by everybody but this process.
        steal: share of all processors' time that a virtual machine's host gave to others.
        processes: other processes that computed, the busiest first. What runs in other containers is not among them.
    """

    processors: int | None = None
    busy_cores: float | None = None
    steal: float | None = None
    processes: tuple[Process, ...] = ()


def read_load(root: Path = Path("/"), wait: Callable[[], None] = lambda: time.sleep(_WINDOW_S)) -> Load:
    """See what others do during half a second.

    Args:
        root: root of the file system to read.
        wait: returns when the moment is over.

    Returns:
        What was seen; everything is in the kernel's own ticks, so no clock is read.
    """
    before, ours = _totals(root), _process_ticks(root)
    wait()
    after, now = _totals(root), _process_ticks(root)
    if before is None or after is None or after.per_processor <= before.per_processor:
        return Load()
    window = after.per_processor - before.per_processor
    own = str(os.getpid())
    spent = {pid: (ticks - ours.get(pid, ticks)) / window for pid, ticks in now.items()}
    found = [Process(int(pid), _name(root, pid), cores) for pid, cores in spent.items() if cores >= _LEAST_CORES]
    return Load(
        processors=after.processors,
        busy_cores=max(0.0, (after.busy - before.busy) / window - spent.get(own, 0.0)),
        steal=(after.steal - before.steal) / (window * after.processors),
        processes=tuple(sorted((p for p in found if str(p.pid) != own), key=lambda p: -p.cores)),
    )


@dataclass(frozen=True)
class _Totals:
    """Ticks since boot, over all processors."""

    busy: int
    steal: int
    everything: int
    processors: int

    @property
    def per_processor(self) -> float:
        return self.everything / self.processors


def _totals(root: Path) -> _Totals | None:
    """user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)); guests' time is in user already."""
    lines = (text(root / "proc/stat", _STAT_BYTES) or "").splitlines()
    processors = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
    ticks = [int(field) for field in lines[0].split()[1:9]] if lines and lines[0].startswith("cpu ") else []
    if len(ticks) < 8 or not processors:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = ticks
    busy = user + nice + system + irq + softirq
    return _Totals(busy, steal, busy + idle + iowait + steal, processors)


def _process_ticks(root: Path) -> Mapping[str, int]:
    """Ticks that each process has computed since it began, by its number."""
    found = {}
    for folder in (root / "proc").glob("[0-9]*"):
        # The name, in parentheses, may hold anything; utime and stime are the 12th and 13th fields behind it.
        fields = (text(folder / "stat") or "").rpartition(")")[2].split()
        if len(fields) > 12:
            found[folder.name] = int(fields[11]) + int(fields[12])
    return found


def _name(root: Path, pid: str) -> str:
    return text(root / "proc" / pid / "comm") or "a process that ended"
