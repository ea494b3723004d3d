"""ONNX Runtime on the processor of a device."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from agent.loop import ProfilingError
from agent.runtimes.ort_cpu import OrtCpuRuntime
from tests.contracts.examples import decoder
from tests.contracts.runtime_contract import RuntimeContract, model_of


class TestOrtCpuRuntime(RuntimeContract):
    kind = OrtCpuRuntime


def played(monkeypatch: pytest.MonkeyPatch, **names: object) -> None:
    """A module that has these names and no others."""
    module = ModuleType("onnxruntime")
    module.__dict__.update(names)
    monkeypatch.setitem(sys.modules, "onnxruntime", module)


def test_a_model_of_two_inputs_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    with OrtCpuRuntime(1, {}).open(model_of(decoder(), tmp_path)) as run:
        assert run(2) > 0


def test_half_precision_is_refused_with_what_it_measures(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = model_of(decoder(), tmp_path)._replace(precision="fp16")
    with pytest.raises(ProfilingError, match="measures fp32; got fp16"), OrtCpuRuntime(1, {}).open(model):
        pass


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    missing = OrtCpuRuntime.missing()
    assert missing is not None
    assert "cannot be imported" in missing.reason
    assert "pip install --user onnxruntime" in missing.remedy


def test_one_that_is_too_old_for_the_models_is_refused_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, InferenceSession=object, __version__="1.10.0")
    missing = OrtCpuRuntime.missing()
    assert missing is not None
    assert missing.reason == "ONNX Runtime must be 1.12 or later to read opset 17; got 1.10.0"


def test_a_package_that_is_empty_or_has_no_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch)
    assert "empty" in str(OrtCpuRuntime.missing())
    nothing = SimpleNamespace()
    played(monkeypatch, InferenceSession=nothing, __version__="1.19.2", get_available_providers=lambda: ["Other"])
    assert "has no CPUExecutionProvider" in str(OrtCpuRuntime.missing())
