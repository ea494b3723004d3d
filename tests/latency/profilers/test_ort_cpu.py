"""ONNX Runtime on the processor."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import NotAvailable, WrongUse
from latency import OPERATORS, Failure, Measurement, OrtCpuProfiler, Workload, example_inputs, export_onnx
from latency.profilers import ort_session
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, idle
from tests.contracts.profiler_contract import ProfilerContract

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

needs_onnxruntime = pytest.mark.skipif(onnxruntime is None, reason="onnxruntime is not installed")


def failed(workload: Workload, profiler: OrtCpuProfiler | None = None) -> Failure:
    outcome = (profiler or OrtCpuProfiler(DEVICE, idle)).measure(workload, QUICK)
    assert isinstance(outcome, Failure)
    return outcome


class TestOrtCpuProfiler(ProfilerContract):
    kind = OrtCpuProfiler


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
@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_a_precision_it_does_not_measure_fails_to_build(precision: str) -> None:
    outcome = failed(replace(block(), precision=precision))
    assert outcome.stage == "build"
    assert "fp32" in outcome.reason
    assert f"got {precision}" in outcome.reason


@needs_onnxruntime
def test_half_precision_is_refused_because_the_processor_would_compute_it_in_single_precision(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "run")
    half = replace(block(), precision="fp16")
    session = onnxruntime.InferenceSession(export_onnx(half), options, providers=["CPUExecutionProvider"])
    session.run(None, {"input_0": example_inputs(half)[0].numpy()})
    events = json.loads(Path(session.end_profiling()).read_text())
    kinds = {kind for event in events if event["cat"] == "Node" for kind in event["args"]["output_type_shape"][0]}
    if kinds == {"float16"}:
        pytest.fail("this ONNX Runtime computes in fp16 on this processor: OrtCpuProfiler may measure it")
    assert "float" in kinds
    assert "between conversions" in failed(half).reason


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
    monkeypatch.setattr(ort_session, "onnx_model", lambda workload: b"no model")
    assert failed(block()).stage == "load"


@needs_onnxruntime
@pytest.mark.parametrize("name", ["Fail", "InvalidGraph", "NotImplemented", "RuntimeException"])
def test_every_refusal_of_the_runtime_is_a_failure_to_load(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    error = getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)

    def refuse(*_: object, **__: object) -> None:
        raise error("no kernel for this one")

    profiler = OrtCpuProfiler(DEVICE, idle)
    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    outcome = failed(block(), profiler)
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


def test_it_is_not_opened_where_onnxruntime_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotAvailable, match=r"pip install 'paceline\[ort\]'"):
        OrtCpuProfiler(DEVICE, idle)


@pytest.mark.parametrize(("threads", "stops"), [(1, None), (2, "1")])
def test_threads_of_a_session_that_nobody_runs_do_not_spin(threads: int, stops: str | None) -> None:
    profiler = OrtCpuProfiler(DEVICE, idle, threads)
    options = profiler.session_options()
    assert profiler.environment.runtime.options.get("spinning") == (None if stops is None else "within a run")
    if stops is None:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("session.force_spinning_stop")
    else:
        assert options.get_session_config_entry("session.force_spinning_stop") == stops
