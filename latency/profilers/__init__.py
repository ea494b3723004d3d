"""Profilers by name. A new runtime is one file and one line here; third parties register an entry point.

The entry-point group is ``paceline.profilers``; an entry point names a subclass of ``latency.Profiler`` whose
constructor takes (device, state, threads).
"""

from collections.abc import Callable, Mapping
from importlib import metadata

from devices import Device, DeviceState, unknown_name
from latency.profiler import Profiler
from latency.profilers.dummy import DummyProfiler
from latency.profilers.ort_cpu import OrtCpuProfiler

ProfilerFactory = Callable[[Device, Callable[[], DeviceState], int], Profiler]

_SHIPPED: tuple[type[Profiler], ...] = (OrtCpuProfiler, DummyProfiler)


def known_profilers() -> Mapping[str, ProfilerFactory]:
    """All profilers by name, those of third parties included. Constructing one may raise NotAvailable."""
    found: dict[str, ProfilerFactory] = {profiler.name: profiler for profiler in _SHIPPED}
    for entry_point in metadata.entry_points(group="paceline.profilers"):
        found[entry_point.name] = entry_point.load()
    return found


def open_profiler(name: str, device: Device, state: Callable[[], DeviceState], threads: int = 1) -> Profiler:
    """The profiler of that name, ready to measure on ``device``.

    Raises:
        WrongUse: there is no such profiler.
        NotAvailable: its runtime is not installed.
    """
    known = known_profilers()
    if name not in known:
        raise unknown_name("runtime", name, known)
    return known[name](device, state, threads)


__all__ = ["DummyProfiler", "OrtCpuProfiler", "ProfilerFactory", "known_profilers", "open_profiler"]
