"""ONNX Runtime on a GPU: what can be known without one, and all of the contract where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from devices import NotAvailable
from latency import Measurement, Profiler, Workload, open_profiler
from latency.profilers import ort_gpu
from latency.profilers.cuda_events import GpuSensors
from latency.profilers.ort_cpu import OrtCpuProfiler
from latency.profilers.ort_gpu import Launches, OrtCudaProfiler, OrtGpuProfiler, OrtTensorrtProfiler
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, idle
from tests.contracts.profiler_contract import ProfilerContract

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

needs_onnxruntime = pytest.mark.skipif(onnxruntime is None, reason="onnxruntime is not installed")

KINDS: tuple[type[OrtGpuProfiler], ...] = (OrtCudaProfiler, OrtTensorrtProfiler)
BOTH = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


class TestOrtCudaProfiler(ProfilerContract):
    kind = OrtCudaProfiler


class TestOrtTensorrtProfiler(ProfilerContract):
    kind = OrtTensorrtProfiler


def opened(kind: type[Profiler], **options: str) -> Any:
    if (missing := kind.missing()) is not None:
        pytest.skip(f"{kind.name}: {missing.reason}")
    return open_profiler(kind.name, DEVICE, idle, 1, options)


@BOTH
def test_what_the_driver_tells_is_recorded_and_disturbs(
    kind: type[OrtGpuProfiler], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    sensors = GpuSensors(disturbances=lambda: 10**9, versions=lambda: {"driver": "580.95"})
    monkeypatch.setattr(ort_gpu, "driver_sensors", lambda: sensors)
    monkeypatch.setattr(kind, "missing", lambda: None)
    profiler = kind(DEVICE, idle)
    assert profiler.environment.runtime.versions["driver"] == "580.95"
    assert profiler.disturbances() >= 10**9


@contextmanager
def launches_on_the_processor(waits: list[bool]) -> Iterator[Launches]:
    """Launches of a real session, whose device does not run by itself; ``waits`` gets one entry for each call."""
    profiler = OrtCpuProfiler(DEVICE, idle)
    session = profiler.session(block())
    binding = profiler.bound(session, block())

    class Watched:
        def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
            waits.append(options is None)
            if options is not None:
                assert options.get_run_config_entry("disable_synchronize_execution_providers") == "1"
            session.run_with_iobinding(binding, options)

    yield Launches(Watched(), binding)


@needs_onnxruntime
@pytest.mark.parametrize("calls", [1, 2, 5])
def test_only_the_last_call_of_a_sample_is_waited_for(calls: int) -> None:
    waits: list[bool] = []
    with launches_on_the_processor(waits) as launches:
        assert launches.time_s(calls) > 0
    assert waits == [False] * (calls - 1) + [True]


@needs_onnxruntime
def test_each_launch_whose_time_is_a_cost_finds_the_device_idle() -> None:
    waits: list[bool] = []
    with launches_on_the_processor(waits) as launches:
        costs = launches.costs()
    assert costs.enqueue_s is not None
    assert costs.enqueue_s > 0
    assert (costs.energy_j, costs.peak_memory_bytes) == (None, None)
    assert waits == [False, True] * 5


@BOTH
def test_its_time_is_that_of_a_gpu(kind: type[OrtGpuProfiler]) -> None:
    assert kind.accelerator == "cuda"
    assert kind.memory == "cuda"


@BOTH
def test_where_it_is_not_there_the_processor_is_not_timed_in_its_place(kind: type[OrtGpuProfiler]) -> None:
    if kind.missing() is None:
        pytest.skip(f"{kind.name} is there")
    with pytest.raises(NotAvailable, match=f"{kind.name} cannot be used here"):
        kind(DEVICE, idle)


@BOTH
def test_the_processor_is_forbidden(kind: type[OrtGpuProfiler]) -> None:
    options = opened(kind).session_options()
    assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"


def test_tf32_is_off_unless_it_is_asked_for() -> None:
    assert OrtCudaProfiler.chosen({}) == {"tf32": "no"}
    assert opened(OrtCudaProfiler).provider_options(block())["use_tf32"] == "0"
    assert opened(OrtCudaProfiler, tf32="yes").provider_options(block())["use_tf32"] == "1"


def test_tensorrt_may_use_half_precision_exactly_where_the_graph_does() -> None:
    profiler = opened(OrtTensorrtProfiler)
    assert profiler.provider_options(block())["trt_fp16_enable"] == "0"
    assert profiler.provider_options(replace(block(), precision="fp16"))["trt_fp16_enable"] == "1"


@pytest.mark.gpu
@BOTH
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_runs_on_the_gpu(kind: type[OrtGpuProfiler], case: str, precision: str) -> None:
    workload = replace(OPERATOR_CASES[case], precision=precision)
    with opened(kind).open(workload) as run:
        assert run(3) > 0


@pytest.mark.gpu
@BOTH
def test_inputs_and_output_lie_on_the_gpu(kind: type[OrtGpuProfiler]) -> None:
    profiler = opened(kind)
    session = profiler.session(block())
    binding = profiler.bound(session, block())
    session.run_with_iobinding(binding)
    assert [value.device_name() for value in binding.get_outputs()] == ["cuda"]


@pytest.mark.gpu
@BOTH
def test_a_sample_lasts_until_the_gpu_is_done(kind: type[OrtGpuProfiler]) -> None:
    profiler = opened(kind)
    large = Workload("convolution", ((256, 256, 256),), {"channels": 256, "kernel": 3, "stride": 1})
    outcome = profiler.measure(large, QUICK)
    assert isinstance(outcome, Measurement), outcome
    # 77 billion multiplications and additions: no GPU does them in the tenth of a millisecond that launching takes.
    assert outcome.time_s > 1e-4
