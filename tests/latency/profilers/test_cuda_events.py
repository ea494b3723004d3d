"""PyTorch on an NVIDIA GPU: the logic on simulated GPUs, and what needs a real one on a real one."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, final
from unittest.mock import Mock, create_autospec

import pytest
import torch

from devices import Device, NotAvailable, WrongUse
from latency import Costs, Failure, Measurement, Workload
from latency.environment import Environment, Runtime
from latency.profilers import cuda_events
from latency.profilers.cuda_events import (
    CudaEventsProfiler,
    Gpu,
    GpuSensors,
    TorchGpu,
    cold_s,
    driver_sensors,
    energy_j,
    enqueue_s,
    is_launch_bound,
    warm_s,
)
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, burst, idle, measurement
from tests.contracts.profiler_contract import ProfilerContract, State

KERNEL_S, LAUNCH_S, REPLAY_S, FLUSH_S, REFILL_S = 10e-6, 50e-6, 2e-6, 40e-6, 7e-6
"""One kernel on the GPU; what its launch, its replay in a graph cost the host; a flush; what a cold cache adds."""

QUEUE_LENGTH = 6
"""What the GPU has not begun; with so much of it the host waits. Real ones hold about a thousand."""

SILENT = GpuSensors()


@final
class SimulatedGpu(Gpu):
    """A stream and a host, each with its own time: the GPU works off what the host launched, one thing at a time."""

    place = "cpu"

    def __init__(self) -> None:
        self.host_s = 0.0
        self.busy_until_s = 0.0
        self.cold = False
        self.log: list[str] = []
        self.queue: list[float] = []

    def versions(self) -> Mapping[str, str]:
        return {"simulated": "1"}

    def clock_s(self) -> float:
        return self.host_s

    def _launch(self, what: str, host_s: float, gpu_s: float) -> None:
        self.log.append(what)
        self.queue = [done_s for done_s in self.queue if done_s > self.host_s]
        if len(self.queue) == QUEUE_LENGTH:
            self.host_s = self.queue[0]
        self.host_s += host_s
        self.busy_until_s = max(self.busy_until_s, self.host_s) + gpu_s
        self.queue.append(self.busy_until_s)

    def kernel(self) -> None:
        self._launch("kernel", LAUNCH_S, KERNEL_S + self.cold * REFILL_S)
        self.cold = False

    def replay(self) -> None:
        self._launch("replay", REPLAY_S, KERNEL_S + self.cold * REFILL_S)
        self.cold = False

    def mark(self) -> float:
        self.log.append("mark")
        return max(self.busy_until_s, self.host_s)

    def between_s(self, first: float, last: float) -> float:
        assert self.host_s >= last, "torch refuses to read an event that the GPU has not passed"
        return last - first

    def synchronise(self) -> None:
        self.log.append("wait")
        self.host_s = max(self.host_s, self.busy_until_s)

    def captured(self, call: Callable[[], Any]) -> Callable[[], Any]:
        call()
        self.log.append("capture")
        return self.replay

    def flush_l2(self) -> None:
        self._launch("flush", REPLAY_S, FLUSH_S)
        self.cold = True

    def transient_bytes(self, call: Callable[[], Any]) -> int:
        call()
        return 1000


@final
class SynchronousGpu(Gpu):
    """The processor in the role of a GPU that is done when a launch returns. Its modules run for real."""

    place = "cpu"

    def __init__(self) -> None:
        self.flushes = 0
        self.captures = 0

    def versions(self) -> Mapping[str, str]:
        return {"torch": torch.__version__}

    def clock_s(self) -> float:
        return time.perf_counter()

    def mark(self) -> float:
        return time.perf_counter()

    def between_s(self, first: float, last: float) -> float:
        return last - first

    def synchronise(self) -> None:
        pass

    def captured(self, call: Callable[[], Any]) -> Callable[[], Any]:
        self.captures += 1
        return call

    def flush_l2(self) -> None:
        self.flushes += 1

    def transient_bytes(self, call: Callable[[], Any]) -> int:
        call()
        return 1000


def make_profiler(
    options: Mapping[str, str] = {}, *, gpu: Gpu | None = None, sensors: GpuSensors = SILENT
) -> CudaEventsProfiler:
    return CudaEventsProfiler(DEVICE, idle, 1, options, gpu=gpu or SynchronousGpu(), sensors=sensors)


def measured(profiler: CudaEventsProfiler, workload: Workload | None = None) -> Measurement:
    outcome = profiler.measure(workload or block(), QUICK)
    assert isinstance(outcome, Measurement), outcome
    return outcome


class TestCudaEventsProfilerOnAStandIn(ProfilerContract):
    kind = CudaEventsProfiler

    def make_profiler(self, device: Device, state: State, threads: int = 1) -> CudaEventsProfiler:
        return CudaEventsProfiler(device, state, threads, gpu=SynchronousGpu(), sensors=SILENT)


@pytest.mark.gpu
class TestCudaEventsProfiler(ProfilerContract):
    kind = CudaEventsProfiler


def test_a_warm_sample_is_the_time_of_its_calls_on_the_gpu() -> None:
    gpu = SimulatedGpu()
    assert warm_s(gpu, gpu.replay, 20) == pytest.approx(20 * KERNEL_S)


def test_a_warm_sample_has_one_pair_of_marks_behind_a_call_of_its_own_and_waits_once() -> None:
    gpu = SimulatedGpu()
    warm_s(gpu, gpu.replay, 3)
    assert gpu.log == ["replay", "mark", "replay", "replay", "replay", "mark", "wait"]


def test_the_first_launch_of_a_warm_sample_is_not_in_its_time() -> None:
    gpu = SimulatedGpu()
    assert warm_s(gpu, gpu.replay, 1) == pytest.approx(KERNEL_S), "not the launch as well"


def test_a_stream_that_waits_for_its_host_takes_as_long_as_the_launches() -> None:
    gpu = SimulatedGpu()
    assert warm_s(gpu, gpu.kernel, 20) == pytest.approx(20 * LAUNCH_S)


def test_a_cold_sample_is_the_sum_of_its_calls_and_leaves_the_flushes_out() -> None:
    gpu = SimulatedGpu()
    assert cold_s(gpu, gpu.replay, 20) == pytest.approx(20 * (KERNEL_S + REFILL_S))


def test_a_cold_sample_flushes_before_the_marks_of_each_call_and_waits_once() -> None:
    gpu = SimulatedGpu()
    cold_s(gpu, gpu.replay, 2)
    assert gpu.log == ["flush", "mark", "replay", "mark", "flush", "mark", "replay", "mark", "wait"]


@pytest.mark.parametrize("take", [warm_s, cold_s])
def test_more_calls_take_longer(take: Callable[[Gpu, Callable[[], Any], int], float]) -> None:
    gpu = SimulatedGpu()
    times = [take(gpu, gpu.replay, calls) for calls in (1, 2, 10)]
    assert times == sorted(times)
    assert times[2] == pytest.approx(10 * times[0])


def test_enqueueing_takes_the_time_of_the_host_and_not_that_of_the_gpu() -> None:
    gpu = SimulatedGpu()
    assert enqueue_s(gpu, gpu.kernel) == pytest.approx(LAUNCH_S)
    slow = SimulatedGpu()
    assert enqueue_s(slow, lambda: slow._launch("long kernel", LAUNCH_S, 1.0)) == pytest.approx(LAUNCH_S)


class Meter:
    """An energy counter that is brought up to date every ``period_s`` of the host's clock."""

    def __init__(self, gpu: SimulatedGpu, power_w: float, period_s: float = 0.07) -> None:
        self.gpu, self.power_w, self.period_s = gpu, power_w, period_s

    def __call__(self) -> float:
        return math.floor(self.gpu.host_s / self.period_s) * self.period_s * self.power_w


@pytest.mark.parametrize("begun_s", [0.0, 0.012, 0.049])
def test_energy_is_that_of_one_call_however_late_the_counter_is(begun_s: float) -> None:
    gpu = SimulatedGpu()
    gpu.host_s = begun_s
    found_j = energy_j(gpu, gpu.replay, Meter(gpu, 300.0))
    assert found_j == pytest.approx(300.0 * KERNEL_S, rel=0.03)


def test_energy_of_a_call_that_is_longer_than_the_span_is_that_of_whole_calls() -> None:
    gpu = SimulatedGpu()
    found_j = energy_j(gpu, lambda: gpu._launch("long kernel", LAUNCH_S, 1.0), Meter(gpu, 300.0))
    assert found_j == pytest.approx(300.0, rel=0.06)


def test_no_energy_is_told_where_there_is_no_counter_or_it_stands_still() -> None:
    gpu = SimulatedGpu()
    assert energy_j(gpu, gpu.replay, None) is None
    assert energy_j(gpu, gpu.replay, lambda: None) is None
    assert energy_j(gpu, gpu.replay, lambda: 5.0) is None
    assert gpu.host_s < 2, "it gives up"


def test_by_default_calls_are_captured_and_replayed_in_a_warm_cache() -> None:
    gpu = SimulatedGpu()
    with make_profiler(gpu=gpu).open(block()) as run:
        gpu.log.clear()
        assert run(3) == pytest.approx(3 * KERNEL_S)
    assert gpu.log == ["replay", "mark", "replay", "replay", "replay", "mark", "wait"]


def test_a_cold_graph_is_replayed_once_for_each_call() -> None:
    gpu = SimulatedGpu()
    with make_profiler({"l2": "cold"}, gpu=gpu).open(block()) as run:
        gpu.log.clear()
        assert run(3) == pytest.approx(3 * (KERNEL_S + REFILL_S))
    assert gpu.log.count("replay") == gpu.log.count("flush") == 3


def test_nothing_is_flushed_in_a_warm_cache_and_nothing_captured_for_a_stream() -> None:
    gpu = SynchronousGpu()
    measured(make_profiler({"launch": "stream"}, gpu=gpu))
    assert (gpu.flushes, gpu.captures) == (0, 0)
    measured(make_profiler({"launch": "graph", "l2": "cold"}, gpu=gpu))
    assert gpu.flushes > 0
    assert gpu.captures == 1


def test_costs_are_memory_energy_and_the_launch_by_the_plain_stream() -> None:
    counter = iter(range(1, 10**9))
    gpu = SynchronousGpu()
    sensors = GpuSensors(energy_j=lambda: float(next(counter)))
    costs = measured(make_profiler({"energy": "yes"}, gpu=gpu, sensors=sensors)).costs
    own_bytes = block_bytes()
    assert costs.peak_memory_bytes == own_bytes + 1000
    assert costs.energy_j is not None
    assert costs.enqueue_s is not None


def test_energy_is_not_counted_unless_it_is_asked_for() -> None:
    sensors = GpuSensors(energy_j=lambda: pytest.fail("the counter was read"))
    assert measured(make_profiler(gpu=SynchronousGpu(), sensors=sensors)).costs.energy_j is None


def block_bytes() -> int:
    """Weights, statistics and the input of ``block()``: 8 -> 24 -> 24 -> 8 channels of 8 x 8, four bytes each."""
    weights, input_elements = 8 * 24 + 24 * 9 + 24 * 8, 8 * 8 * 8
    statistics = 4 * (24 + 24 + 8)
    batches_seen = 3 * 8
    return 4 * (weights + statistics + input_elements) + batches_seen


def test_a_launch_is_timed_by_the_stream_where_calls_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[Callable[[], Any]] = []

    def noted(_gpu: Gpu, launch: Callable[[], Any]) -> float:
        launched.append(launch)
        return 1e-3

    monkeypatch.setattr(cuda_events, "enqueue_s", noted)
    gpu = SimulatedGpu()
    with make_profiler(gpu=gpu).open(block()) as run:
        assert run.costs().enqueue_s == 1e-3
    assert launched[0] != gpu.replay


def test_modules_run_in_inference_mode_and_the_caller_does_not() -> None:
    seen = []

    @final
    class Looking(Gpu):
        place = "cpu"
        versions, clock_s, mark = SynchronousGpu.versions, SynchronousGpu.clock_s, SynchronousGpu.mark
        between_s, synchronise = SynchronousGpu.between_s, SynchronousGpu.synchronise
        flush_l2 = SynchronousGpu.flush_l2

        def transient_bytes(self, call: Callable[[], Any]) -> int:
            seen.append(torch.is_inference_mode_enabled())
            return 1000

        def captured(self, call: Callable[[], Any]) -> Callable[[], Any]:
            return lambda: seen.append(torch.is_inference_mode_enabled())

    with make_profiler(gpu=Looking()).open(block()) as run:
        assert not torch.is_inference_mode_enabled()
        run(1)
        run.costs()
    assert set(seen) == {True}


@pytest.mark.parametrize("tf32", ["no", "yes"])
def test_the_arithmetic_is_set_while_a_workload_is_open_and_restored(tf32: str) -> None:
    backends = torch.backends
    before = (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.benchmark)
    asked_for = tf32 == "yes"
    with make_profiler({"tf32": tf32}).open(block()):
        assert backends.cuda.matmul.allow_tf32 is asked_for
        assert backends.cudnn.allow_tf32 is asked_for
        assert backends.cudnn.benchmark is False
    assert (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.benchmark) == before


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_each_precision_is_measured_in_each_memory_format(precision: str) -> None:
    for memory_format in ("contiguous", "channels_last"):
        profiler = make_profiler({"memory_format": memory_format})
        assert measured(profiler, replace(block(), precision=precision)).workload.precision == precision


def test_a_module_that_did_not_reach_the_gpu_fails_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    load = cuda_events.load_module
    monkeypatch.setattr(cuda_events, "load_module", lambda workload, _place, *others: load(workload, "cpu", *others))
    gpu = SynchronousGpu()
    monkeypatch.setattr(gpu, "place", "cuda")
    outcome = make_profiler(gpu=gpu).measure(block(), QUICK)
    assert isinstance(outcome, Failure)
    assert outcome.stage == "load"
    assert "must be on cuda in torch.float32; it is on cpu" in outcome.reason


def test_int8_fails_to_build() -> None:
    outcome = make_profiler().measure(replace(block(), precision="int8"), QUICK)
    assert isinstance(outcome, Failure)
    assert outcome.stage == "build"


def test_disturbances_are_those_of_the_clock_and_by_the_stream_those_of_the_host_too() -> None:
    slowed = iter((1, 2, 2))
    sensors = GpuSensors(disturbances=lambda: next(slowed))
    profiler = make_profiler(sensors=sensors)
    assert [profiler.disturbances() for _ in range(3)] == [1, 2, 2]
    assert make_profiler().disturbances() == 0
    by_stream = make_profiler({"launch": "stream"}, sensors=GpuSensors(disturbances=lambda: 10**12))
    assert by_stream.disturbances() >= 10**12


def test_its_environment_tells_libraries_driver_and_every_option() -> None:
    profiler = make_profiler({"tf32": "yes"}, sensors=GpuSensors(versions=lambda: {"driver": "580.95"}))
    runtime = profiler.environment.runtime
    assert runtime.versions == {"torch": torch.__version__, "driver": "580.95"}
    assert runtime.options == {
        "launch": "graph",
        "l2": "warm",
        "compile": "no",
        "tf32": "yes",
        "memory_format": "contiguous",
        "cudnn_benchmark": "no",
        "energy": "no",
    }


def test_compiling_is_asked_of_inductor_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def compiled(module: torch.nn.Module, mode: str) -> torch.nn.Module:
        modes.append(mode)
        return module

    monkeypatch.setattr(cuda_events, "compiled", compiled)
    monkeypatch.setattr(cuda_events, "find_spec", lambda _: object())
    measured(make_profiler({"compile": "no"}))
    assert modes == []
    measured(make_profiler({"compile": "yes"}))
    assert modes == ["default"]


def test_compiling_without_triton_is_refused_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_events, "find_spec", lambda _: None)
    with pytest.raises(NotAvailable, match=r"compile=yes needs Triton.*pip install triton"):
        make_profiler({"compile": "yes"})


def test_fewer_than_one_thread_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least 1 thread; got 0"):
        CudaEventsProfiler(DEVICE, idle, 0)


def test_without_cuda_in_torch_it_says_which_build_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    missing = CudaEventsProfiler.missing()
    assert missing is not None
    assert torch.__version__ in missing.reason
    assert "pip install --force-reinstall torch" in missing.remedy


def test_without_a_gpu_it_says_what_torch_says_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    missing = CudaEventsProfiler.missing()
    assert missing is not None
    assert "no NVIDIA GPU: there is none, or no driver" in missing.reason

    def too_old() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", too_old)
    missing = CudaEventsProfiler.missing()
    assert missing is not None
    assert "no NVIDIA GPU: The NVIDIA driver on your system is too old" in missing.reason


def test_a_driver_that_cannot_be_asked_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Mapping[str, str]:
        raise NotAvailable("no driver")

    monkeypatch.setattr(cuda_events, "gpu_versions", refuse)
    assert driver_sensors() == GpuSensors()


def test_a_driver_that_can_be_asked_tells_versions_energy_and_disturbances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_events, "gpu_versions", lambda: {"driver": "580.95"})
    monkeypatch.setattr(cuda_events, "gpu_energy_j", lambda: 3.0)
    monkeypatch.setattr(cuda_events, "GpuDisturbances", lambda: lambda: 4)
    sensors = driver_sensors()
    assert sensors.versions() == {"driver": "580.95"}
    assert sensors.energy_j is not None
    assert sensors.disturbances is not None
    assert (sensors.energy_j(), sensors.disturbances()) == (3.0, 4)


@pytest.mark.parametrize(("launch_s", "bound"), [(None, None), (2e-3, True), (0.95e-3, True), (0.5e-3, False)], ids=str)
def test_a_workload_is_launch_bound_when_its_launch_takes_as_long_as_itself(
    launch_s: float | None, bound: bool | None
) -> None:
    one = replace(burst(1e-3), costs=Costs(enqueue_s=launch_s))
    assert is_launch_bound(replace(measurement(), bursts=(one,))) is bound


@pytest.mark.parametrize(
    ("runtime", "launch", "bound"),
    [
        ("cuda-events", "graph", True),
        ("tensorrt", "stream", True),
        ("tensorrt", "graph", None),
        ("trtexec", "graph", None),
    ],
)
def test_the_launch_of_a_whole_graph_says_nothing_of_kernels(runtime: str, launch: str, bound: bool | None) -> None:
    one = replace(burst(1e-3), costs=Costs(enqueue_s=2e-3))
    environment = Environment(DEVICE, Runtime(runtime, {}, 1, {"launch": launch}))
    assert is_launch_bound(replace(measurement(), environment=environment, bursts=(one,))) is bound


class Recorded:
    """``torch.cuda`` as its own signatures have it, with nothing behind; and a GPU that uses it."""

    def __init__(self) -> None:
        self.cuda: Any = create_autospec(torch.cuda)
        self.gpu = TorchGpu()
        self.gpu._cuda = self.cuda


def test_a_capture_follows_calls_on_a_side_stream_and_its_replays_keep_the_output() -> None:
    recorded = Recorded()
    side, here, outputs = recorded.cuda.Stream.return_value, recorded.cuda.current_stream.return_value, []

    def call() -> object:
        on_side = recorded.cuda.stream.return_value.__enter__.called
        left_side = recorded.cuda.stream.return_value.__exit__.called
        capturing = recorded.cuda.graph.return_value.__enter__.called
        outputs.append("capture" if capturing and left_side else "side" if on_side else "lost")
        return outputs

    replay = recorded.gpu.captured(call)
    assert outputs == ["side", "side", "side", "capture"]
    side.wait_stream.assert_called_once_with(here)
    here.wait_stream.assert_called_once_with(side)
    recorded.cuda.stream.assert_called_once_with(side)
    recorded.cuda.graph.assert_called_once_with(recorded.cuda.CUDAGraph.return_value)
    assert replay() is outputs
    recorded.cuda.CUDAGraph.return_value.replay.assert_called_once_with()
    assert len(outputs) == 4, "a replay launches nothing by itself"


@pytest.mark.parametrize(("cache_bytes", "written_bytes"), [(50 * 2**20, 200 * 2**20), (2**19, 64 * 2**20)])
def test_a_flush_writes_twice_the_cache_and_enough_to_keep_the_gpu_busy(
    cache_bytes: int, written_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded()
    recorded.cuda.get_device_properties.return_value.L2_cache_size = cache_bytes
    buffers = []

    def empty(size: int, *, dtype: torch.dtype, device: str) -> Mock:
        buffers.append((size, dtype, device))
        return Mock(spec=torch.Tensor)

    monkeypatch.setattr(torch, "empty", empty)
    recorded.gpu.flush_l2()
    recorded.gpu.flush_l2()
    assert buffers == [(written_bytes, torch.uint8, "cuda")], "one buffer for all flushes"
    assert recorded.gpu._flushed.zero_.call_count == 2


def test_events_are_told_in_seconds_and_memory_beyond_what_was_held() -> None:
    recorded = Recorded()
    recorded.cuda.Event.return_value.elapsed_time.return_value = 2.5
    first, last = recorded.gpu.mark(), recorded.gpu.mark()
    recorded.cuda.Event.assert_called_with(enable_timing=True)
    assert recorded.gpu.between_s(first, last) == 2.5e-3
    recorded.cuda.memory_allocated.return_value = 300
    recorded.cuda.max_memory_allocated.return_value = 1000
    called = []
    assert recorded.gpu.transient_bytes(lambda: called.append(recorded.cuda.reset_peak_memory_stats.called)) == 700
    assert called == [True]


# From here on a GPU is needed.


@pytest.fixture
def gpu() -> TorchGpu:
    if (missing := CudaEventsProfiler.missing()) is not None:
        pytest.skip(f"cuda-events: {missing.reason}")
    return TorchGpu()


@pytest.mark.gpu
@pytest.mark.parametrize("launch", CudaEventsProfiler.choices["launch"])
@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_runs_on_the_gpu(gpu: TorchGpu, case: str, launch: str) -> None:
    if OPERATOR_CASES[case].operator == "identity":
        pytest.skip("it launches nothing, and is never measured")
    with make_profiler({"launch": launch}, gpu=gpu).open(OPERATOR_CASES[case]) as run:
        assert run(1) > 0


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("option", [{"l2": "cold"}, {"tf32": "yes"}, {"memory_format": "channels_last"}], ids=str)
def test_every_precision_and_option_runs_on_the_gpu(gpu: TorchGpu, precision: str, option: dict[str, str]) -> None:
    assert measured(make_profiler(option, gpu=gpu), replace(block(), precision=precision)).costs.enqueue_s


@pytest.mark.gpu
@pytest.mark.slow
def test_a_compiled_block_runs_on_the_gpu_and_in_a_graph(gpu: TorchGpu) -> None:
    assert measured(make_profiler({"compile": "yes"}, gpu=gpu)).costs.peak_memory_bytes


@pytest.mark.gpu
def test_a_small_block_is_launch_bound_and_gains_from_a_graph(gpu: TorchGpu) -> None:
    graph, stream = (measured(make_profiler({"launch": launch}, gpu=gpu)) for launch in ("graph", "stream"))
    assert is_launch_bound(graph)
    assert is_launch_bound(stream)
    assert min(graph.samples_s) < min(stream.samples_s)


@pytest.mark.gpu
def test_a_large_block_is_not_launch_bound(gpu: TorchGpu) -> None:
    assert is_launch_bound(measured(make_profiler(gpu=gpu), block(64, source=64, size=512, batch=16))) is False


@pytest.mark.gpu
def test_reading_what_a_flush_drove_out_takes_longer_than_what_is_cached(gpu: TorchGpu) -> None:
    cache_bytes = torch.cuda.get_device_properties("cuda").L2_cache_size
    source = torch.ones(cache_bytes // 4 // 4, device="cuda")
    target = torch.empty((), device="cuda")

    def read() -> None:
        torch.sum(source, dim=0, out=target)

    call = gpu.captured(read)
    warm = [warm_s(gpu, call, 50) / 50 for _ in range(5)]
    cold = [cold_s(gpu, call, 50) / 50 for _ in range(5)]
    assert min(cold) > min(warm)


@pytest.mark.gpu
def test_memory_of_a_call_is_its_output_and_what_it_holds_meanwhile(gpu: TorchGpu) -> None:
    x = torch.ones(2**20, device="cuda")
    assert gpu.transient_bytes(lambda: x + 1) == x.nbytes
    assert gpu.transient_bytes(lambda: (x + 1) * 2) == 2 * x.nbytes


@pytest.mark.gpu
def test_energy_of_a_call_is_between_idling_and_twice_the_power_limit(gpu: TorchGpu) -> None:
    counter = driver_sensors().energy_j
    if counter is None or counter() is None:
        pytest.skip("the driver tells no energy of this GPU")
    x = torch.ones(4096, 4096, device="cuda")
    call = gpu.captured(lambda: x @ x)
    call_s = warm_s(gpu, call, 20) / 20
    found_j = energy_j(gpu, call, counter)
    assert found_j is not None
    assert 5 < found_j / call_s < 2000, "watts"
