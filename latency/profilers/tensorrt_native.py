"""TensorRT and TensorRT for RTX in this process, timed by CUDA events."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, final

from agent.runtimes.cuda_stream import Cuda, CudaError
from agent.runtimes.cuda_timing import LaunchTimer
from agent.runtimes.tensorrt_engines import OPTIMIZATION_LEVEL, WORKSPACE_MIB, Engine, TensorRt, timing_cache_file
from devices import Device, DeviceState, WrongUse
from latency.burst import Costs
from latency.cuda_memory import Bytes, find_cuda
from latency.environment import Environment, Runtime
from latency.model_files import onnx_model
from latency.onnx_export import OPSET, example_inputs, input_names
from latency.profiler import Missing, Profiler, ProfilingError, TimedRun
from latency.profilers.cuda_events import driver_sensors
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

_CHOICES = {"launch": ("graph", "stream"), "l2": ("warm", "cold"), "tf32": ("no", "yes")}


class TensorRtFamilyProfiler(Profiler):
    """Builds an engine for each workload it opens, and times its executions on the device.

    Every ``open`` builds anew. Two builds of one network choose different kernels where their times are close, and
    the engines differ in speed; as each burst is a process of its own with a build of its own, that spread is part of
    a measurement's interval. No best of several builds is taken: whoever deploys a network builds it once.

    Args:
        device: the GPU, or the machine it is in.
        state: reads its state.
        threads: recorded, without effect on a GPU.
        options: ``launch``: one CUDA graph for each call, or kernel by kernel; ``l2``: whether a call finds in the
            second-level cache what the last one left there, or nothing; ``tf32``: let fp32 compute with the 19 bits of
            TF32, where the GPU can, which TensorRT's own default is.

    Raises:
        NotAvailable: TensorRT, a binding of CUDA, or the driver is missing.
        WrongUse: threads is not at least 1, or there is no such option.
    """

    accelerator = "cuda"
    patience_s = 1800.0
    choices = _CHOICES

    module: ClassVar[str]
    """What is imported."""

    remedy: ClassVar[str]
    """How the module gets there."""

    def __init__(
        self, device: Device, state: Callable[[], DeviceState], threads: int = 1, options: Mapping[str, str] = {}
    ) -> None:
        if threads < 1:
            raise WrongUse(f"A profiler needs at least 1 thread; got {threads}.")
        self._options = self.chosen(options)
        self.refuse_missing()
        self._tensorrt = TensorRt(import_module(self.module))
        self._sensors = driver_sensors()
        versions = {self.name: self._tensorrt.version, "torch": metadata.version("torch"), **self._sensors.versions()}
        runtime = Runtime(self.name, versions, threads, {**self._fixed_options(), **self._options})
        super().__init__(Environment(device, runtime), state)

    def _fixed_options(self) -> Mapping[str, str]:
        level = {"builder_optimization_level": str(OPTIMIZATION_LEVEL)} if self._tensorrt.has_levels else {}
        return {"opset": str(OPSET), "workspace_mib": str(WORKSPACE_MIB), **level}

    @classmethod
    def missing(cls) -> Missing | None:
        """The module; else a binding of CUDA, the driver or the GPU."""
        try:
            module = import_module(cls.module)
        except (ImportError, OSError) as error:  # OSError: the bindings are there and the libraries are not.
            return Missing(f"{cls.module} cannot be imported ({error})", cls.remedy)
        if not hasattr(module, "Builder"):
            return Missing(f"the package {cls.module} is there but has no builder", cls.remedy)
        # A runtime without a driver may crash the process, so nothing of TensorRT is touched before this is clear.
        cuda = find_cuda()
        return cuda if isinstance(cuda, Missing) else None

    def disturbances(self) -> int:
        """How often the driver was found holding the clock down."""
        return 0 if self._sensors.disturbances is None else self._sensors.disturbances()

    @abc.abstractmethod
    def timing_cache(self) -> Path | None:
        """The file that keeps times of kernels from one build to the next; None for none."""

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """Build an engine, load it, and time its launches."""
        plan = self._build(workload)
        with _opened_cuda() as cuda, closing(self._tensorrt.load(plan)) as engine:
            timer = self._timer(cuda, engine, workload)
            yield TimedRun(timer, lambda: Costs(peak_memory_bytes=engine.memory_bytes, enqueue_s=timer.enqueue_s))

    def _build(self, workload: Workload) -> bytes:
        graph = replace(workload, precision=self._tensorrt.graph_precision(workload.precision))
        try:
            model = onnx_model(graph)
        except (WrongUse, RuntimeError, ValueError, TypeError) as error:
            raise ProfilingError("build", f"{type(error).__name__}: {error}") from error
        tf32 = self._options["tf32"] == "yes"
        return self._tensorrt.build(model, workload.precision, tf32=tf32, timing_cache=self.timing_cache())

    def _timer(self, cuda: Cuda, engine: Engine, workload: Workload) -> LaunchTimer:
        def launch() -> None:
            engine.launch(cuda.stream)

        try:
            _bind(cuda, engine, workload)
            launch()  # The first one allocates, and RTX compiles; neither may happen in a graph.
            cuda.synchronise()
            ready = cuda.capture(launch) if self._options["launch"] == "graph" else launch
            return LaunchTimer(cuda, ready, cold=self._options["l2"] == "cold")
        except CudaError as error:
            raise ProfilingError("load", str(error)) from error


@final
class TensorRtProfiler(TensorRtFamilyProfiler):
    """TensorRT 8.5 to 11.

    It has one more option, ``timing_cache``: ``none`` times all kernels in every build. ``shared`` keeps the times in a
    file: building is quicker and one build is like the other, at the price that a kernel which was once chosen by a
    disturbed time stays chosen, and that the interval no longer holds the spread between builds.
    """

    name = "tensorrt"
    module = "tensorrt"
    remedy = "`pip install 'paceline[tensorrt]'` brings it from NVIDIA's package index; a Jetson has it from JetPack."
    choices = {**_CHOICES, "timing_cache": ("none", "shared")}

    def timing_cache(self) -> Path | None:
        """One file for each version and device."""
        if self._options["timing_cache"] == "none":
            return None
        return timing_cache_file(self.name, self._tensorrt.version, self.environment.device.fingerprint)


@final
class TensorRtRtxProfiler(TensorRtFamilyProfiler):
    """TensorRT for RTX, which compiles for the GPU when an engine is loaded and times no kernels in doing so."""

    name = "tensorrt-rtx"
    module = "tensorrt_rtx"
    remedy = "`pip install 'paceline[tensorrt-rtx]'` brings it."

    def timing_cache(self) -> Path | None:
        """It has none."""
        return None


@contextmanager
def _opened_cuda() -> Iterator[Cuda]:
    kind = find_cuda()
    if isinstance(kind, Missing):
        raise ProfilingError("load", kind.reason)
    try:
        cuda = kind()
    except CudaError as error:
        raise ProfilingError("load", str(error)) from error
    with cuda:
        yield cuda


def _bind(cuda: Cuda, engine: Engine, workload: Workload) -> None:
    """Give every input and output memory, and the inputs numbers."""
    inputs = dict(zip(input_names(workload), example_inputs(workload), strict=True))
    for port in engine.ports:
        address = cuda.allocate(port.size_bytes)
        engine.bind(port, address)
        if port.is_input:
            cuda.copy_in(address, _as_bytes(inputs[port.name], port.dtype))


def _as_bytes(tensor: Tensor, dtype: str) -> Bytes:
    import torch

    types = {"FLOAT": torch.float32, "HALF": torch.float16}
    converted: Bytes = tensor.to(types[dtype]).contiguous().view(torch.uint8).numpy()
    return converted
