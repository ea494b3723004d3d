"""Plain values of a GPU; what they mean is tested in tests/devices/test_nvidia.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import gpu
from devices import Device, GpuHealth
from devices.device import DeviceState
from tests.agent.old_pythons import copy_agent, run_alone
from tests.devices.fake_pynvml import Board, FakePynvml

PYNVML = """
class NVMLError(Exception): pass
class NVMLError_NotSupported(NVMLError): pass
NVML_CLOCK_SM = 1
NVML_TEMPERATURE_GPU = 0
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(board): return b"Tesla T4"
def nvmlDeviceGetCudaComputeCapability(board): return (7, 5)
def nvmlDeviceGetPowerUsage(board): return 70500
def nvmlDeviceGetClockInfo(board, kind): raise NVMLError_NotSupported()
"""
"""As much of the real module as a card that tells little needs, of an age when names were bytes."""


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpu.forget()
    yield
    gpu.forget()


def test_the_values_are_the_fields_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(Board()))
    assert Device.from_json(gpu.read_gpu()).architecture == "sm_90"
    assert DeviceState.from_json(gpu.read_gpu_state()).power_w == 121.5
    assert GpuHealth.from_json(gpu.read_gpu_health()).slowdown_c == 89
    assert json.loads(json.dumps(gpu.read_gpu_health())) == gpu.read_gpu_health()


def test_power_alone_is_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    module = FakePynvml(Board())
    monkeypatch.setitem(sys.modules, "pynvml", module)
    gpu.gpu_power_w()
    module.asked.clear()
    assert gpu.gpu_power_w() == 121.5
    assert module.asked == ["nvmlDeviceGetPowerUsage"]


def test_what_a_gpu_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(answers={"nvmlDeviceGetPowerUsage": None, "nvmlDeviceGetTemperature": None})
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(board))
    assert gpu.gpu_power_w() is None
    assert set(gpu.read_gpu_state()) == {
        "clock_mhz",
        "max_clock_mhz",
        "power_mode",
        "power_limit_w",
        "throttle_reasons",
    }


def test_an_old_python_asks_a_module_that_the_host_brought(tmp_path: Path, old_python: Path) -> None:
    folder = copy_agent(tmp_path)
    (folder / "pynvml.py").write_text(PYNVML)
    code = "import json\nfrom agent import gpu\nsys.stdout.write(json.dumps([gpu.read_gpu(), gpu.read_gpu_state()]))"
    done = run_alone(old_python, folder, code)
    assert done.stderr == ""
    device, state = json.loads(done.stdout)
    assert (device["name"], device["architecture"], state) == ("Tesla T4", "sm_75", {"power_w": 70.5})
