"""What the sessions of all providers share, tried with the one that is always there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np
import pytest
import torch

from latency import Failure, Workload, build_module
from latency.model_files import input_arrays
from latency.profilers.ort_session import OrtProfiler
from tests.contracts.examples import DEVICE, OPERATOR_CASES, QUICK, block, decoder, idle

onnxruntime: Any = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


class PlainProfiler(OrtProfiler):
    def provider_options(self, workload: Workload) -> Mapping[str, str]:
        return {}


@final
class LostProfiler(PlainProfiler):
    """Wants a provider that ONNX Runtime drops without an error, as it does with one it cannot load."""

    name = "lost"
    provider = "AzureExecutionProvider"
    extra = "ort"


@final
class ProcessorProfiler(PlainProfiler):
    """Runs half precision on the processor, to look at bindings."""

    name = "processor"
    provider = "CPUExecutionProvider"
    extra = "ort"
    precisions = {"fp32": "", "fp16": "", "bf16": "the reason"}


def sessions_made_with(monkeypatch: pytest.MonkeyPatch, seen: Callable[[Any, Mapping[str, Any]], None]) -> None:
    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, model: bytes, options: Any, **others: Any) -> None:
            seen(options, others)
            super().__init__(model, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)


def test_a_session_whose_nodes_are_elsewhere_is_a_failure_to_load() -> None:
    if LostProfiler.provider not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has one provider")
    outcome = LostProfiler(DEVICE, idle).measure(block(), QUICK)
    assert isinstance(outcome, Failure)
    assert outcome.stage == "load"
    assert "every node must be in AzureExecutionProvider" in outcome.reason
    assert "(Conv) in CPUExecutionProvider" in outcome.reason


def test_onnxruntime_may_not_fall_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    sessions_made_with(monkeypatch, lambda options, others: seen.append(others))
    ProcessorProfiler(DEVICE, idle).session(block())
    assert seen == [{"providers": [("CPUExecutionProvider", {})], "enable_fallback": 0}]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("case", ["inverted residual of two images", "lr_aspp", "network"])
def test_what_is_bound_is_computed_and_written_to_its_room(case: str, precision: str) -> None:
    workload = replace(OPERATOR_CASES[case], precision=precision)
    profiler = ProcessorProfiler(DEVICE, idle)
    session = profiler.session(workload)
    binding = profiler.bound(session, workload)
    (room,) = binding.get_outputs()
    session.run_with_iobinding(binding)
    (output,) = binding.get_outputs()
    assert output.data_ptr() == room.data_ptr()
    assert output.numpy().dtype == np.dtype("float16" if precision == "fp16" else "float32")
    with torch.no_grad():
        expected = build_module(workload).eval()(*(torch.from_numpy(x).float() for x in input_arrays(workload)))
    torch.testing.assert_close(torch.from_numpy(output.numpy()).float(), expected, rtol=2e-2, atol=2e-2)


def test_every_input_is_bound() -> None:
    profiler = ProcessorProfiler(DEVICE, idle)
    with profiler.open(decoder()) as run:
        assert run(2) > 0


@pytest.mark.parametrize(
    ("workload", "reason"),
    [
        (replace(block(), precision="int8"), "processor measures fp32, fp16; got int8"),
        (replace(block(), precision="bf16"), "the reason"),
    ],
    ids=["unknown", "with a reason"],
)
def test_a_precision_it_does_not_measure_is_refused_with_the_reason(workload: Workload, reason: str) -> None:
    outcome = ProcessorProfiler(DEVICE, idle).measure(workload, QUICK)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.reason) == ("build", reason)


def test_a_model_that_has_no_form_in_half_precision_fails_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Workload) -> bytes:
        raise ValueError("cannot be converted")

    monkeypatch.setattr("latency.profilers.ort_session.onnx_model", refuse)
    outcome = ProcessorProfiler(DEVICE, idle).measure(replace(block(), precision="fp16"), QUICK)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.reason) == ("build", "ValueError: cannot be converted")
