"""Profilers by name. A new runtime is one file and one line here; third parties register an entry point.

The entry-point group is ``paceline.profilers``; an entry point names a subclass of ``latency.Profiler`` whose
constructor takes (device, state, threads, options), by the name that the class has itself. One that is broken, or that
has the name of a profiler that is shipped, is left out.
"""

from collections.abc import Callable, Mapping
from importlib import metadata

from devices import Device, DeviceState, unknown_name
from latency.profiler import Profiler
from latency.profilers.cuda_events import CudaEventsProfiler, is_launch_bound
from latency.profilers.dummy import DummyProfiler
from latency.profilers.openvino_cpu import OpenVinoProfiler
from latency.profilers.ort_cpu import OrtCpuProfiler
from latency.profilers.ort_gpu import OrtCudaProfiler, OrtTensorrtProfiler
from latency.profilers.replay import ReplayProfiler
from latency.profilers.tensorrt_native import TensorRtProfiler, TensorRtRtxProfiler
from latency.profilers.torch_modules import TorchCompileProfiler, TorchEagerProfiler
from latency.profilers.trtexec import TrtexecProfiler

_SHIPPED: tuple[type[Profiler], ...] = (
    OrtCpuProfiler,
    OrtCudaProfiler,
    OrtTensorrtProfiler,
    TensorRtProfiler,
    TensorRtRtxProfiler,
    TrtexecProfiler,
    OpenVinoProfiler,
    TorchEagerProfiler,
    TorchCompileProfiler,
    CudaEventsProfiler,
    ReplayProfiler,
    DummyProfiler,
)


_BROKEN = (ImportError, AttributeError, SyntaxError, RuntimeError, OSError, TypeError, ValueError, NameError)
"""What a module of a third party raises while it is imported when something is wrong with it."""


def known_profilers() -> Mapping[str, type[Profiler]]:
    """All profilers by name, those of third parties included. Constructing one may raise NotAvailable."""
    return _third_parties()[0] | _shipped()


def broken_profilers() -> Mapping[str, str]:
    """Profilers of third parties that cannot be used: what is wrong with them, by name."""
    return _third_parties()[1]


def _shipped() -> dict[str, type[Profiler]]:
    return {profiler.name: profiler for profiler in _SHIPPED}


def _third_parties() -> tuple[dict[str, type[Profiler]], dict[str, str]]:
    found, broken = dict[str, type[Profiler]](), dict[str, str]()
    for entry_point in metadata.entry_points(group="paceline.profilers"):
        try:
            loaded = entry_point.load()
        except _BROKEN as error:
            broken[entry_point.name] = f"its module cannot be imported ({type(error).__name__}: {error})"
            continue
        if wrong := _wrong(entry_point, loaded):
            broken[entry_point.name] = wrong
        else:
            found[entry_point.name] = loaded
    return found, broken


def _wrong(entry_point: metadata.EntryPoint, loaded: object) -> str | None:
    """What keeps that from being a profiler of a third party; None when nothing does."""
    name, value = entry_point.name, entry_point.value
    if not (isinstance(loaded, type) and issubclass(loaded, Profiler)):
        return f"{value} must be a subclass of latency.Profiler; got {loaded!r}"
    if getattr(loaded, "name", None) != name:
        return f"{value} must have the name of its entry point; got {getattr(loaded, 'name', None)!r}"
    if name in _shipped():
        return f"{value} must have a name of its own; {name} is shipped with paceline"
    return None


def find_profiler(name: str) -> type[Profiler]:
    """The profiler of that name.

    Raises:
        WrongUse: there is no such profiler.
    """
    known = known_profilers()
    if name not in known:
        raise unknown_name("runtime", name, known)
    return known[name]


def open_profiler(
    name: str,
    device: Device,
    state: Callable[[], DeviceState],
    threads: int = 1,
    options: Mapping[str, str] = {},
) -> Profiler:
    """The profiler of that name, ready to measure on ``device``.

    Raises:
        WrongUse: there is no such profiler, or no such option.
        NotAvailable: its runtime is missing, with the reason and the remedy.
    """
    construct: Callable[..., Profiler] = find_profiler(name)
    return construct(device, state, threads, options)


__all__ = [
    "DummyProfiler",
    "OrtCpuProfiler",
    "ReplayProfiler",
    "broken_profilers",
    "find_profiler",
    "is_launch_bound",
    "known_profilers",
    "open_profiler",
]
