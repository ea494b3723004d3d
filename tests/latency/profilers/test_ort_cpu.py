"""ONNX Runtime on the processor."""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from devices import Device, NotAvailable, WrongUse
from latency import OPERATORS, Failure, Measurement, OrtCpuProfiler, Workload
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, idle
from tests.contracts.profiler_contract import ProfilerContract, State

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

needs_onnxruntime = pytest.mark.skipif(onnxruntime is None, reason="onnxruntime is not installed")


def failed(workload: Workload) -> Failure:
    outcome = OrtCpuProfiler(DEVICE, idle).measure(workload, QUICK)
    assert isinstance(outcome, Failure)
    return outcome


@needs_onnxruntime
class TestOrtCpuProfiler(ProfilerContract):
    def make_profiler(self, device: Device, state: State, threads: int = 1) -> OrtCpuProfiler:
        return OrtCpuProfiler(device, state, threads)


@needs_onnxruntime
def test_its_environment_tells_what_shapes_the_time() -> None:
    runtime = OrtCpuProfiler(DEVICE, idle).environment.runtime
    assert runtime.versions["onnxruntime"] == onnxruntime.__version__
    assert "torch" in runtime.versions
    assert runtime.options["opset"] == "17"


@needs_onnxruntime
@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_runs(case: str) -> None:
    with OrtCpuProfiler(DEVICE, idle).open(OPERATOR_CASES[case]) as run:
        assert run(1) > 0


@needs_onnxruntime
def test_a_block_of_hundreds_of_times_the_macs_takes_longer() -> None:
    small, large = block(8, size=8), block(32, source=32, size=64)
    macs = OPERATORS["inverted_residual"].macs
    assert macs(large) > 400 * macs(small)
    times = []
    for workload in (small, large):
        outcome = OrtCpuProfiler(DEVICE, idle).measure(workload, QUICK)
        assert isinstance(outcome, Measurement)
        times.append(min(outcome.samples_s))
    assert times[0] < times[1]


@needs_onnxruntime
def test_a_precision_it_does_not_measure_fails_to_build() -> None:
    outcome = failed(replace(block(), precision="int8"))
    assert outcome.stage == "build"
    assert "fp32" in outcome.reason
    assert "int8" in outcome.reason


@needs_onnxruntime
@pytest.mark.parametrize(
    ("workload", "reason"),
    [
        (Workload("no_such_operator", ((8, 8, 8),)), "There is no operator"),
        (Workload("convolution", ((8, 8, 8),), {"channels": 8}), "takes the attributes"),
        (block(groups=3), "divisible"),
    ],
    ids=["unknown operator", "missing attributes", "groups that do not divide"],
)
def test_a_workload_that_cannot_be_built_says_why(workload: Workload, reason: str) -> None:
    outcome = failed(workload)
    assert outcome.stage == "build"
    assert reason in outcome.reason


@needs_onnxruntime
def test_a_model_the_runtime_cannot_read_fails_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    # `latency.profilers` is a function at the root of the package, so the module is found by its full name.
    monkeypatch.setattr(sys.modules[OrtCpuProfiler.__module__], "export_onnx", lambda workload: b"no model")
    assert failed(block()).stage == "load"


@needs_onnxruntime
@pytest.mark.parametrize("name", ["Fail", "InvalidGraph", "NotImplemented", "RuntimeException"])
def test_every_refusal_of_the_runtime_is_a_failure_to_load(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    error = getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)

    def refuse(*_: object, **__: object) -> None:
        raise error("no kernel for this one")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    outcome = failed(block())
    assert outcome.stage == "load"
    assert "no kernel for this one" in outcome.reason


@needs_onnxruntime
def test_threads_reach_the_session_and_the_session_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[weakref.ref[Any]] = []
    threads = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, model: bytes, options: Any, **others: Any) -> None:
            super().__init__(model, options, **others)
            threads.append((options.intra_op_num_threads, options.inter_op_num_threads))
            sessions.append(weakref.ref(self))

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert isinstance(OrtCpuProfiler(DEVICE, idle, 2).measure(block(), QUICK), Measurement)
    gc.collect()
    assert threads == [(2, 1)]
    assert sessions[0]() is None


@needs_onnxruntime
def test_fewer_than_one_thread_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least 1 thread; got 0"):
        OrtCpuProfiler(DEVICE, idle, 0)


def test_a_missing_runtime_is_said_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotAvailable, match=r"pip install 'paceline\[ort\]'"):
        OrtCpuProfiler(DEVICE, idle)


def test_the_empty_package_that_a_removal_leaves_is_said_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(NotAvailable, match="pip install --force-reinstall onnxruntime"):
        OrtCpuProfiler(DEVICE, idle)
