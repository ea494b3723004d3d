"""PyTorch on an NVIDIA GPU, timed by events on its stream."""

from __future__ import annotations

import abc
import math
import resource
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any, final

from agent.runtimes.cuda_timing import FLUSH_PER_L2, LEAST_FLUSH_BYTES
from agent.runtimes.wall_clock import without_collection
from devices import (
    Device,
    DeviceState,
    GpuDisturbances,
    NotAvailable,
    WrongUse,
    gpu_energy_j,
    gpu_versions,
)
from latency.burst import Costs
from latency.environment import Environment, Runtime
from latency.measurement import Measurement
from latency.profiler import Missing, Profiler, TimedRun
from latency.profilers.torch_modules import MEMORY_FORMATS, compiled, load_module, missing_torch, run_once
from latency.sampling import median
from latency.workload import Workload

_WARM_UP_CALLS = 3
"""Before a capture: torch's own recipe, because libraries choose algorithms and workspaces in their first calls."""

_ENQUEUE_LOOKS = 15
"""Launches whose median is the host's time."""

_ENERGY_SPAN_S = 0.2
"""Time over which energy is counted, several times the 20 to 100 ms after which a GPU brings its counter up to date."""

_ENERGY_STEP_S = 0.002
"""Time between two looks at the counter: the error at each end of the span."""

_SHORTEST_CALL_S = 1e-6
"""Events tell no shorter times apart."""

_LAUNCH_BOUND_SHARE = 0.9
"""In a stream that waits for its host, time and launch are equal up to noise and to the first launch."""


class Gpu(abc.ABC):
    """What timing needs of a GPU and of its host's clock: small enough to simulate.

    Attributes:
        place: torch's name of the device that modules are put on.
    """

    place: str

    @abc.abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Version of each library that shapes the time."""

    @abc.abstractmethod
    def clock_s(self) -> float:
        """The host's clock, in seconds."""

    @abc.abstractmethod
    def mark(self) -> Any:
        """Put a mark behind everything launched so far, without waiting for it."""

    @abc.abstractmethod
    def between_s(self, first: Any, last: Any) -> float:
        """Seconds that the GPU took from one mark to the other; it must have passed both."""

    @abc.abstractmethod
    def synchronise(self) -> None:
        """Wait until everything launched so far is done."""

    @abc.abstractmethod
    def captured(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """What launches all kernels of ``call`` at once, as a CUDA graph, after some calls to warm up."""

    @abc.abstractmethod
    def flush_l2(self) -> None:
        """Launch a write that leaves nothing of what was there in the L2 cache."""

    @abc.abstractmethod
    def transient_bytes(self, call: Callable[[], Any]) -> int:
        """Most memory that ``call`` holds at a time beyond what is held before it."""


@final
class TorchGpu(Gpu):
    """The GPU that torch calls the current one."""

    place = "cuda"

    def __init__(self) -> None:
        self._torch: Any = import_module("torch")
        self._cuda: Any = self._torch.cuda
        self._flushed: Any = None

    def versions(self) -> Mapping[str, str]:
        """PyTorch, CUDA's runtime and cuDNN."""
        cudnn = self._torch.backends.cudnn.version()
        own = {"torch": metadata.version("torch"), "cuda": self._torch.version.cuda}
        return own if cudnn is None else {**own, "cudnn": str(cudnn)}

    def clock_s(self) -> float:
        """The host's clock of the highest resolution."""
        return time.perf_counter()

    def mark(self) -> Any:
        """An event on the current stream."""
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def between_s(self, first: Any, last: Any) -> float:
        """Time between two events, to half a microsecond."""
        return float(first.elapsed_time(last)) / 1e3

    def synchronise(self) -> None:
        """Wait for all streams."""
        self._cuda.synchronize()

    def captured(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Warm up on a side stream, capture one call, and return its replay."""
        side, here = self._cuda.Stream(), self._cuda.current_stream()
        side.wait_stream(here)
        with self._cuda.stream(side):
            for _ in range(_WARM_UP_CALLS):
                call()
        here.wait_stream(side)
        graph = self._cuda.CUDAGraph()
        with self._cuda.graph(graph):
            output = call()

        def replay() -> Any:
            graph.replay()
            return output  # The graph writes into its memory, which must not be given to others.

        return replay

    def flush_l2(self) -> None:
        """Write a buffer of several times the size of the cache."""
        if self._flushed is None:
            cache_bytes = self._cuda.get_device_properties("cuda").L2_cache_size
            size = max(FLUSH_PER_L2 * cache_bytes, LEAST_FLUSH_BYTES)
            self._flushed = self._torch.empty(size, dtype=self._torch.uint8, device="cuda")
        self._flushed.zero_()

    def transient_bytes(self, call: Callable[[], Any]) -> int:
        """Highest mark of torch's allocator."""
        self.synchronise()
        held: int = self._cuda.memory_allocated()
        self._cuda.reset_peak_memory_stats()
        call()
        self.synchronise()
        peak: int = self._cuda.max_memory_allocated()
        return peak - held


@final
@dataclass(frozen=True)
class GpuSensors:
    """What a driver tells of a GPU; None for what it does not tell.

    Attributes:
        energy_j: reads a counter of the energy the GPU has used, in joules.
        disturbances: reads a count that grows when the clock is found held down by heat or power.
        versions: of the driver.
    """

    energy_j: Callable[[], float | None] | None = None
    disturbances: Callable[[], int] | None = None
    versions: Callable[[], Mapping[str, str]] = dict


def driver_sensors() -> GpuSensors:
    """What the driver tells of the first GPU that CUDA shows; nothing where it cannot be asked."""
    try:
        versions = gpu_versions()
        return GpuSensors(gpu_energy_j, GpuDisturbances(), lambda: versions)
    except NotAvailable:
        return GpuSensors()


@final
class CudaEventsProfiler(Profiler):
    """Times torch modules on an NVIDIA GPU by events on its stream, in inference mode.

    Options:

    * ``launch``: ``graph`` replays one captured call, so that a block of many small kernels is not as slow as the host
      that launches them; ``stream`` launches kernel by kernel, as the module does it.
    * ``l2``: ``warm`` runs call after call, so that what fits finds its weights and inputs in the L2 cache; ``cold``
      flushes it before each call and times each call by itself.
    * ``compile``: have Inductor compile the module.
    * ``tf32``: let the arithmetic of fp32 use the 19 bits of TF32.
    * ``memory_format``: order of the elements of weights and inputs.
    * ``energy``: count the energy of a call, for some tenths of a second after each burst.

    Args:
        device: the GPU.
        state: reads its state.
        threads: recorded; the GPU has its own.
        options: see above; the first value of ``choices`` is the default.
        gpu: the GPU to use in place of torch's current one.
        sensors: what reads its driver; by default what ``devices`` offers.

    Raises:
        NotAvailable: torch sees no GPU, or what compiles for it is missing.
        WrongUse: threads is not at least 1, or there is no such option.
    """

    name = "cuda-events"
    accelerator = "cuda"
    choices = {
        "launch": ("graph", "stream"),
        "l2": ("warm", "cold"),
        "compile": ("no", "yes"),
        "tf32": ("no", "yes"),
        "memory_format": MEMORY_FORMATS,
        "energy": ("no", "yes"),
    }

    def __init__(
        self,
        device: Device,
        state: Callable[[], DeviceState],
        threads: int = 1,
        options: Mapping[str, str] = {},
        *,
        gpu: Gpu | None = None,
        sensors: GpuSensors | None = None,
    ) -> None:
        if threads < 1:
            raise WrongUse(f"A profiler needs at least 1 thread; got {threads}.")
        self._options = self.chosen(options)
        if gpu is None:
            self.refuse_missing()
        if self._options["compile"] == "yes" and find_spec("triton") is None:
            raise NotAvailable("compile=yes needs Triton, and it is not installed. `pip install triton` brings it.")
        self._gpu = gpu or TorchGpu()
        self._sensors = sensors or driver_sensors()
        versions = {**self._gpu.versions(), **self._sensors.versions()}
        recorded = {**self._options, "cudnn_benchmark": "no"}
        super().__init__(Environment(device, Runtime(self.name, versions, threads, recorded)), state)

    @classmethod
    def missing(cls) -> Missing | None:
        """PyTorch for CUDA, and a GPU with a driver it can use."""
        return missing_torch() or _missing_gpu()

    def disturbances(self) -> int:
        """How often the clock was held down, and, where each launch counts, how often the host lost its core."""
        held_down = 0 if self._sensors.disturbances is None else self._sensors.disturbances()
        by_host = self._options["launch"] == "stream"
        return held_down + (resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if by_host else 0)

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """Put ``workload`` on the GPU, run it there, and capture it where that was asked for."""
        import torch

        with _arithmetic(tf32=self._options["tf32"] == "yes"):
            module, inputs = load_module(workload, self._gpu.place, self._options["memory_format"])
            launch = partial(compiled(module, "default") if self._options["compile"] == "yes" else module, *inputs)
            with torch.inference_mode():
                run_once(launch, module, inputs, workload, self._gpu.place)
                own_bytes = sum(tensor.nbytes for tensor in (*module.state_dict().values(), *inputs))
                peak_bytes = own_bytes + self._gpu.transient_bytes(launch)
                call = self._gpu.captured(launch) if self._options["launch"] == "graph" else launch
            take = cold_s if self._options["l2"] == "cold" else warm_s

            @torch.inference_mode()
            def run(calls: int) -> float:
                with without_collection():
                    return take(self._gpu, call, calls)

            @torch.inference_mode()
            def costs() -> Costs:
                counter_j = self._sensors.energy_j if self._options["energy"] == "yes" else None
                return Costs(peak_bytes, energy_j(self._gpu, call, counter_j), enqueue_s(self._gpu, launch))

            yield TimedRun(run, costs)


def warm_s(gpu: Gpu, call: Callable[[], Any], calls: int) -> float:
    """Seconds that the GPU takes for so many calls in a row, by one pair of marks around them all.

    One call more runs ahead of the first mark. While the GPU is at it the host launches the next ones, so that the GPU
    does not wait for the first launch in the timed span; and it brings back to the cache what others drove out.
    """
    call()
    first = gpu.mark()
    for _ in range(calls):
        call()
    last = gpu.mark()
    gpu.synchronise()
    return gpu.between_s(first, last)


def cold_s(gpu: Gpu, call: Callable[[], Any], calls: int) -> float:
    """Seconds that the GPU takes for so many calls, each by its own pair of marks behind a flush of the L2 cache.

    The flush also keeps the GPU busy while the host launches the call. Each pair adds up to half a microsecond of
    error, which the median of samples does not undo: compare cold times with cold times.
    """
    spans = []
    for _ in range(calls):
        gpu.flush_l2()
        first = gpu.mark()
        call()
        spans.append((first, gpu.mark()))
    gpu.synchronise()
    return math.fsum(gpu.between_s(first, last) for first, last in spans)


def enqueue_s(gpu: Gpu, launch: Callable[[], Any]) -> float:
    """Seconds the host needs to launch one call kernel by kernel, without waiting for it: the median of some."""
    times = []
    for _ in range(_ENQUEUE_LOOKS):
        gpu.synchronise()  # A full queue would make the host wait.
        started_s = gpu.clock_s()
        launch()
        times.append(gpu.clock_s() - started_s)
    gpu.synchronise()
    return median(times)


def energy_j(gpu: Gpu, call: Callable[[], Any], counter_j: Callable[[], float | None] | None) -> float | None:
    """Energy of one call among many in a row, in joules, idle power included.

    The counter is brought up to date many milliseconds apart. The calls that are counted are those between two of its
    steps, so that its own delay does not count.

    Args:
        gpu: where the call runs.
        call: what to run.
        counter_j: reads the counter, in joules.

    Returns:
        The energy; None when there is no counter, or it stands still.
    """
    if counter_j is None or counter_j() is None:
        return None
    step = max(1, int(_ENERGY_STEP_S / max(warm_s(gpu, call, 1), _SHORTEST_CALL_S)))
    first_j, _ = _next_step(gpu, partial(_run, gpu, call, step), counter_j)
    calls, started_s = 0, gpu.clock_s()
    while gpu.clock_s() - started_s < _ENERGY_SPAN_S:
        calls += _run(gpu, call, step)
    last_j, more = _next_step(gpu, partial(_run, gpu, call, step), counter_j)
    return (last_j - first_j) / (calls + more) if last_j > first_j else None


def _run(gpu: Gpu, call: Callable[[], Any], calls: int) -> int:
    """Run so many calls to their end; returns how many."""
    for _ in range(calls):
        call()
    gpu.synchronise()
    return calls


def _next_step(gpu: Gpu, run: Callable[[], int], counter_j: Callable[[], float | None]) -> tuple[float, int]:
    """Run until the counter steps, or for the span of a measurement: what it says then, and the calls that ran."""
    before_j, calls, started_s = counter_j() or 0.0, 0, gpu.clock_s()
    while True:
        calls += run()
        now_j = counter_j() or 0.0
        if now_j != before_j or gpu.clock_s() - started_s > _ENERGY_SPAN_S:
            return now_j, calls


def is_launch_bound(measurement: Measurement) -> bool | None:
    """Whether the host cannot launch the workload, kernel by kernel, as fast as the GPU runs it.

    Such a workload gains from CUDA graphs, from fusion, or from a larger batch, and not from fewer operations. Replayed
    as a graph it takes less time than its launch; launched by the stream it takes about as long as its launch.

    Returns:
        None where the time of such a launch was not measured: on a processor, and where only whole graphs are launched.
    """
    runtime = measurement.environment.runtime
    if runtime.name != CudaEventsProfiler.name and runtime.options.get("launch") == "graph":
        return None
    launch_s = measurement.costs.enqueue_s
    return None if launch_s is None else launch_s > _LAUNCH_BOUND_SHARE * measurement.time_s


def _missing_gpu() -> Missing | None:
    import torch

    if torch.version.cuda is None:
        return Missing(
            f"PyTorch {metadata.version('torch')} was built without CUDA",
            "`pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130` brings the build "
            "for NVIDIA GPUs.",
        )
    with warnings.catch_warnings(record=True) as said:  # A driver that is too old is told as a warning.
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return None
    reason = " ".join(str(warning.message) for warning in said) or "there is none, or no driver"
    return Missing(f"PyTorch finds no NVIDIA GPU: {reason}", "`nvidia-smi` must list one; install NVIDIA's driver.")


@contextmanager
def _arithmetic(*, tf32: bool) -> Iterator[None]:
    """Set what decides how fp32 is computed and how algorithms are chosen, and restore it afterwards.

    These settings belong to the whole process; a training in it may have changed them.
    """
    backends: Any = import_module("torch").backends
    settings = (
        (backends.cuda.matmul, "allow_tf32", tf32),
        (backends.cudnn, "allow_tf32", tf32),
        # The search tries algorithms in turns and takes the fastest: by chance another one in another process.
        (backends.cudnn, "benchmark", False),
    )
    before = [getattr(owner, name) for owner, name, _ in settings]
    try:
        for owner, name, value in settings:
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name, _), value in zip(settings, before, strict=True):
            setattr(owner, name, value)
