"""OpenVINO on the processor."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from devices import NotAvailable
from latency import OPERATORS, Failure, Measurement, ProfilingError, Workload, build_module, example_inputs, export_onnx
from latency.model_files import input_arrays
from latency.profilers import openvino_cpu
from latency.profilers.openvino_cpu import OpenVinoProfiler, executed_precisions, refuse_other_precision
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, idle, network
from tests.contracts.profiler_contract import ProfilerContract

MISSING = OpenVinoProfiler.missing()
ROOT = Path(__file__).resolve().parents[3]

needs_openvino = pytest.mark.skipif(MISSING is not None, reason="OpenVINO cannot be used here")


def capabilities() -> set[str]:
    """Precisions that OpenVINO says it computes in on this processor."""
    return set(openvino_cpu._openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def failed(workload: Workload) -> Failure:
    outcome = OpenVinoProfiler(DEVICE, idle).measure(workload, QUICK)
    assert isinstance(outcome, Failure)
    return outcome


class TestOpenVinoProfiler(ProfilerContract):
    kind = OpenVinoProfiler


@needs_openvino
def test_its_environment_tells_what_shapes_the_time() -> None:
    runtime = OpenVinoProfiler(DEVICE, idle).environment.runtime
    assert runtime.versions.keys() == {"openvino", "torch"}
    assert runtime.options == {"opset": "17", "performance_hint": "latency", "streams": "1"}


@needs_openvino
@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_computes_what_torch_does(case: str) -> None:
    workload = OPERATOR_CASES[case]
    request = OpenVinoProfiler(DEVICE, idle).compiled(workload).create_infer_request()
    request.infer([x.numpy() for x in example_inputs(workload)])
    with torch.no_grad():
        expected = build_module(workload).eval()(*example_inputs(workload))
    output = torch.from_numpy(np.array(request.get_output_tensor(0).data))
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


@needs_openvino
def test_the_call_that_is_timed_reads_its_inputs_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = OpenVinoProfiler.compiled
    requests: list[Any] = []

    class Watched:
        def __init__(self, model: Any) -> None:
            self._model = model

        def create_infer_request(self) -> Any:
            requests.append(self._model.create_infer_request())
            return requests[-1]

    monkeypatch.setattr(OpenVinoProfiler, "compiled", lambda self, workload: Watched(compiled(self, workload)))
    inputs = input_arrays(block())
    monkeypatch.setattr(openvino_cpu, "input_arrays", lambda workload: inputs)
    with OpenVinoProfiler(DEVICE, idle).load(block()) as call:
        call()
        before = np.array(requests[0].get_output_tensor(0).data)
        inputs[0][:] = 0
        call()
        assert not np.allclose(requests[0].get_output_tensor(0).data, before)


@needs_openvino
def test_single_precision_is_computed_in_single_precision_throughout() -> None:
    executed = executed_precisions(OpenVinoProfiler(DEVICE, idle).compiled(network()))
    assert len(executed) > 10
    assert set(executed.values()) == {"f32"}


@needs_openvino
def test_unasked_openvino_computes_in_bf16_where_it_can_so_it_must_be_asked() -> None:
    if "BF16" not in capabilities():
        pytest.skip("this processor has no bf16")
    core = openvino_cpu._openvino().Core()
    unasked = core.compile_model(core.read_model(export_onnx(network())), "CPU")
    with pytest.raises(ProfilingError, match="must be f32; OpenVINO takes bf16") as raised:
        refuse_other_precision(
            unasked.get_property("INFERENCE_PRECISION_HINT").to_string(), executed_precisions(unasked), "f32"
        )
    assert raised.value.stage == "load"
    with pytest.raises(ProfilingError, match=r"every node must be computed in f32; got .* in bf16"):
        refuse_other_precision("f32", executed_precisions(unasked), "f32")


@needs_openvino
@pytest.mark.parametrize(("precision", "capability"), [("bf16", "BF16"), ("fp16", "FP16")])
def test_a_precision_is_measured_where_the_processor_has_it_and_refused_elsewhere(
    precision: str, capability: str
) -> None:
    outcome = OpenVinoProfiler(DEVICE, idle).measure(replace(block(), precision=precision), QUICK)
    if capability in capabilities():
        assert isinstance(outcome, Measurement), outcome
    else:
        assert isinstance(outcome, Failure)
        assert outcome.stage == "load"
        assert f"must be {openvino_cpu._HINTS[precision]}; OpenVINO takes" in outcome.reason


@needs_openvino
def test_a_precision_it_has_no_name_for_fails_to_build() -> None:
    outcome = failed(replace(block(), precision="int8"))
    assert outcome.stage == "build"
    assert "measures fp32, bf16, fp16; got int8" in outcome.reason


@needs_openvino
def test_a_workload_that_cannot_be_built_says_why() -> None:
    outcome = failed(block(groups=3))
    assert outcome.stage == "build"
    assert "divisible" in outcome.reason


@needs_openvino
def test_a_model_the_runtime_cannot_read_fails_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_cpu, "onnx_model", lambda workload: b"no model")
    outcome = failed(block())
    assert outcome.stage == "load"
    assert "Unable to read the model" in outcome.reason


@needs_openvino
def test_threads_streams_and_hints_reach_the_model() -> None:
    compiled = OpenVinoProfiler(DEVICE, idle).compiled(block())
    names = ("INFERENCE_NUM_THREADS", "NUM_STREAMS", "PERFORMANCE_HINT", "EXECUTION_DEVICES")
    assert [compiled.get_property(name) for name in names] == [1, 1, "LATENCY", ["CPU"]]


@needs_openvino
def test_more_threads_than_openvino_takes_are_a_failure_and_not_the_time_of_fewer() -> None:
    outcome = OpenVinoProfiler(DEVICE, idle, threads=10_000).measure(block(), QUICK)
    assert isinstance(outcome, Failure)
    assert outcome.stage == "load"
    assert "the threads must be 10000; OpenVINO takes" in outcome.reason


@needs_openvino
def test_the_model_is_released_when_the_run_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, models = OpenVinoProfiler.compiled, []

    def watched(self: OpenVinoProfiler, workload: Workload) -> Any:
        model = compiled(self, workload)
        models.append(weakref.ref(model))
        return model

    monkeypatch.setattr(OpenVinoProfiler, "compiled", watched)
    assert isinstance(OpenVinoProfiler(DEVICE, idle).measure(block(), QUICK), Measurement)
    gc.collect()
    assert [model() for model in models] == [None]


@needs_openvino
def test_a_block_of_hundreds_of_times_the_macs_takes_longer() -> None:
    small, large = block(8, size=8), block(32, source=32, size=64)
    macs = OPERATORS["inverted_residual"].macs
    assert macs(large) > 400 * macs(small)
    times = []
    for workload in (small, large):
        outcome = OpenVinoProfiler(DEVICE, idle).measure(workload, QUICK)
        assert isinstance(outcome, Measurement)
        times.append(min(outcome.samples_s))
    assert times[0] < times[1]


@needs_openvino
def test_nothing_is_reported_home_and_no_id_is_filed(tmp_path: Path) -> None:
    code = (
        "import sys; from latency.profilers.openvino_cpu import OpenVinoProfiler as P; assert P.missing() is None; "
        "assert 'openvino' in sys.modules; print(*[m for m in sys.modules if m.startswith('openvino_telemetry')])"
    )
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "JENKINS_URL"}}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert list(tmp_path.rglob("*ga_cid*")) == []


def test_a_missing_runtime_is_said_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(NotAvailable, match=r"pip install 'paceline\[openvino\]'"):
        OpenVinoProfiler(DEVICE, idle)


@needs_openvino
def test_an_openvino_without_a_plug_in_for_the_processor_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        available_devices = ("NPU",)

    monkeypatch.setattr(openvino_cpu._openvino(), "Core", Core)
    missing = OpenVinoProfiler.missing()
    assert missing is not None
    assert missing.reason == "OpenVINO must have the device CPU; got NPU"
    assert "pip install --force-reinstall openvino" in missing.remedy
