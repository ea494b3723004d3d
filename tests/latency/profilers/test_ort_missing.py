"""What is missing is said, each with the command that brings it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from latency.profilers.ort_missing import missing_gpu, missing_libraries, missing_onnxruntime

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

needs_onnxruntime = pytest.mark.skipif(onnxruntime is None, reason="onnxruntime is not installed")

CPU, CUDA, NOBODYS = "CPUExecutionProvider", "CUDAExecutionProvider", "NobodysExecutionProvider"


def install(package: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``package`` look installed to importlib.metadata, as pip does."""
    (site / f"{package.replace('-', '_')}-9.9.dist-info").mkdir()
    (site / f"{package.replace('-', '_')}-9.9.dist-info" / "METADATA").write_text(f"Name: {package}\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(site)


@needs_onnxruntime
def test_nothing_is_missing_for_the_processor_where_one_package_is_installed() -> None:
    assert missing_onnxruntime(CPU, extra="ort") is None


@pytest.mark.parametrize("extra", ["ort", "ort-gpu"])
def test_no_package(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    missing = missing_onnxruntime(CUDA, extra=extra)
    assert missing is not None
    assert missing.reason == "ONNX Runtime is not installed"
    assert f"pip install 'paceline[{extra}]'" in missing.remedy


def test_the_empty_package_that_a_removal_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    missing = missing_onnxruntime(CUDA, extra="ort-gpu")
    assert missing is not None
    assert "there but empty" in missing.reason
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'paceline[ort-gpu]'" in missing.remedy


@needs_onnxruntime
def test_two_packages_in_one_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install("onnxruntime", tmp_path, monkeypatch)
    install("onnxruntime-gpu", tmp_path, monkeypatch)
    missing = missing_onnxruntime(CPU, extra="ort")
    assert missing is not None
    assert "both installed" in missing.reason
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'paceline[ort]'" in missing.remedy


def test_a_version_that_does_not_tell_where_nodes_run(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(InferenceSession=object, __version__="1.23.2")
    monkeypatch.setitem(sys.modules, "onnxruntime", old)
    missing = missing_onnxruntime(CPU, extra="ort")
    assert missing is not None
    assert "must be 1.24 or later" in missing.reason
    assert "got 1.23.2" in missing.reason
    assert "pip install --upgrade 'paceline[ort]'" in missing.remedy


@needs_onnxruntime
def test_a_provider_that_was_not_compiled_in() -> None:
    missing = missing_onnxruntime(NOBODYS, extra="ort-gpu")
    assert missing is not None
    assert missing.reason.endswith(f"has no {NOBODYS}")
    assert "pip install 'paceline[ort-gpu]'" in missing.remedy


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latency.profilers.ort_missing._DRIVER", "libno-such-driver.so.1")
    missing = missing_gpu()
    assert missing is not None
    assert "no NVIDIA driver (libno-such-driver.so.1)" in missing.reason
    assert "nvidia-smi" in missing.remedy


@pytest.mark.parametrize(("status", "gpus"), [(100, 0), (0, 0)], ids=["an error", "none"])
def test_a_driver_without_a_gpu(monkeypatch: pytest.MonkeyPatch, status: int, gpus: int) -> None:
    driver = SimpleNamespace(cuInit=lambda flags: status, cuDeviceGetCount=lambda count: gpus)
    monkeypatch.setattr("ctypes.CDLL", lambda name: driver)
    missing = missing_gpu()
    assert missing is not None
    assert missing.reason == "NVIDIA's driver finds no GPU"


@needs_onnxruntime
def test_a_provider_whose_session_can_be_created_misses_no_library() -> None:
    assert missing_libraries(CPU, "none needed") is None


@needs_onnxruntime
def test_a_provider_whose_session_cannot_be_created_is_missing_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise onnxruntime.capi.onnxruntime_pybind11_state.EPFail("libcudnn.so.9: cannot\n open")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    missing = missing_libraries(CUDA, "install cuDNN")
    assert missing is not None
    assert missing.reason == f"{CUDA} cannot be loaded: libcudnn.so.9: cannot open"
    assert missing.remedy == "install cuDNN"


@needs_onnxruntime
def test_a_provider_that_is_left_out_without_an_error_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = onnxruntime.InferenceSession

    def without_it(model: bytes, options: object, **_: object) -> object:
        return real(model, options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "InferenceSession", without_it)
    missing = missing_libraries(CUDA, "install its libraries")
    assert missing is not None
    assert missing.reason.startswith(f"{CUDA} cannot be loaded")
