"""Profilers by name. A new runtime is one file and one line here; third parties register an entry point.

The entry-point group is ``paceline.profilers``; an entry point names a subclass of ``latency.Profiler`` whose
constructor takes (device, state, threads, options), by the name that the class has itself. One that is broken, or that
has the name of a profiler that is shipped, is left out.
"""

from collections.abc import Callable, Mapping

from devices import Device, DeviceState, unknown_name
from latency.plug_ins import third_parties
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

_GROUP = "paceline.profilers"

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


def known_profilers() -> Mapping[str, type[Profiler]]:
    """All profilers by name, those of third parties included. Constructing one may raise NotAvailable."""
    return third_parties(_GROUP, Profiler, _shipped())[0] | _shipped()


def broken_profilers() -> Mapping[str, str]:
    """Profilers of third parties that cannot be used: what is wrong with them, by name."""
    return third_parties(_GROUP, Profiler, _shipped())[1]


def _shipped() -> dict[str, type[Profiler]]:
    return {profiler.name: profiler for profiler in _SHIPPED}


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
