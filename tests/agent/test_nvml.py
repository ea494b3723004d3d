"""Asking NVML, and saying why it cannot be asked; finding GPUs is tested in tests/devices/test_nvidia.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import nvml
from agent.nvml import GpuUnavailable
from tests.agent.old_pythons import copy_agent, run_alone
from tests.devices.fake_pynvml import Board, FakePynvml


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml.forget()
    yield
    nvml.forget()


def test_a_reason_and_a_remedy_come_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(GpuUnavailable) as caught:
        nvml.find_gpu(0)
    assert caught.value.reason.endswith("is not installed.")
    assert caught.value.remedy == "`pip install nvidia-ml-py` brings it."
    assert str(caught.value) == f"{caught.value.reason} {caught.value.remedy}"


def test_a_module_for_a_later_python_is_like_none(tmp_path: Path, old_python: Path) -> None:
    folder = copy_agent(tmp_path)
    (folder / "pynvml.py").write_text("match 1:\n    case 1: pass\n")
    done = run_alone(old_python, folder, "from agent import nvml\nnvml.nvml_module()")
    assert "GpuUnavailable: NVIDIA GPUs cannot be asked" in done.stderr


def test_a_question_that_is_not_answered_is_none_unless_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(answers={"nvmlDeviceGetTemperature": None})
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(board))
    assert nvml.asked("nvmlDeviceGetTemperature", board, 0) is None
    assert nvml.asked("nvmlDeviceGetSomethingNew", board) is None
    with pytest.raises(GpuUnavailable, match="Update the driver"):
        nvml.required("nvmlDeviceGetTemperature", board, 0)


def test_gpus_are_found_once_and_anew_after_forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(Board("GPU-0")))
    first = nvml.find_gpu(0)
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(Board("GPU-1")))
    assert nvml.find_gpu(0) is first
    nvml.forget()
    assert nvml.find_gpu(0).board.uuid == "GPU-1"
