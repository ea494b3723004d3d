"""Outputs of a model against those of torch."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from latency import TOLERANCES, OnnxRunner, OutputDifference, build_module, export_onnx, output_difference
from tests.latency.test_dynamic_shapes import segmenting

torch = pytest.importorskip("torch", reason="torch is not installed; it is what models are held against")
pytest.importorskip("onnx", reason="onnx is not installed")

WORKLOAD = segmenting(64, 64)
X = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def module() -> torch.nn.Module:
    built = build_module(WORKLOAD)
    with torch.no_grad():
        built(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    return built


@pytest.fixture(scope="module")
def model(module: torch.nn.Module) -> bytes:
    return export_onnx(WORKLOAD, module)


def test_onnx_runtime_computes_what_torch_does(model: bytes, module: torch.nn.Module) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    runner = OnnxRunner(model)
    difference = output_difference(runner, module, "input_0", X)
    assert difference.is_within(TOLERANCES["fp32"])
    assert 0 < difference.rounding < 1e-6
    assert difference.classes_differing < 0.001
    assert difference.input_shape == (1, 3, 64, 64)
    assert runner.name == f"onnxruntime {runtime.__version__}"
    assert module.training, "the mode is left as it was"


def test_where_there_is_no_onnx_runtime_the_reference_runs(
    model: bytes, module: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    runner = OnnxRunner(model)
    assert runner.name.startswith("onnx.reference ")
    assert output_difference(runner, module, "input_0", X).is_within(TOLERANCES["fp32"])


def test_a_model_of_other_weights_differs(model: bytes) -> None:
    difference = output_difference(OnnxRunner(model), build_module(WORKLOAD, seed=1), "input_0", X)
    assert not difference.is_within(TOLERANCES["fp16"])


def test_a_model_of_another_size_differs_altogether(module: torch.nn.Module) -> None:
    class Smaller:
        def run(self, **inputs: np.ndarray) -> np.ndarray:
            return np.zeros((1, 2, 32, 32), dtype=np.float32)

    difference = output_difference(Smaller(), module, "input_0", X)  # type: ignore[arg-type]
    assert not difference.is_within(1e9)
    assert difference.output_shapes == ((1, 2, 32, 32), (1, 2, 64, 64))


def test_what_rounding_costs_the_network_itself_is_allowed_for() -> None:
    steady, shaky = (OutputDifference((1, 3, 2, 2), 2e-4, 1.0, 0.0, rounding) for rounding in (1e-6, 1e-4))
    assert not steady.is_within(TOLERANCES["fp32"])
    assert shaky.is_within(TOLERANCES["fp32"])
    assert shaky.allowed(16) == 16e-4
    assert shaky.allowed(2**14) == 0.5, "what differs by more is another network"


def test_a_network_that_hardly_rounds_may_still_be_added_in_another_order() -> None:
    assert OutputDifference((1, 3, 2, 2), 1e-5, 1.0, 0.0).is_within(TOLERANCES["fp32"])
    assert not OutputDifference((1, 3, 2, 2), 1e-4, 1.0, 0.0).is_within(TOLERANCES["fp32"])


def test_a_network_that_amplifies_rounding_is_not_taken_for_another_one() -> None:
    """Each layer takes a small difference of large numbers, as networks with random weights do."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    shaky = build_module(WORKLOAD)
    with torch.no_grad():
        for norm in (part for part in shaky.modules() if isinstance(part, torch.nn.BatchNorm2d)):
            norm.running_mean.fill_(300.0)
            norm.bias.fill_(300.0)
    found = output_difference(OnnxRunner(export_onnx(WORKLOAD, shaky)), shaky, "input_0", X)
    assert found.rounding > 1e-6
    assert found.is_within(TOLERANCES["fp32"])


def test_numbers_that_are_not_finite_are_within_nothing() -> None:
    assert not OutputDifference((1, 3, 2, 2), np.nan, 1.0, 0.0).is_within(1.0)
    assert not OutputDifference((1, 3, 2, 2), 1.0, 0.0, 0.0).is_within(1.0)
    assert OutputDifference((1, 3, 2, 2), 0.0, 0.0, 0.0).is_within(0.0)
