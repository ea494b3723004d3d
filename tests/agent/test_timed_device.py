"""The device whose time is taken, as the agent tells it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import gpu
from agent.gpu import GpuUnavailable
from agent.linux import read_device
from agent.timed_device import read_timed_device, state_reader
from tests.agent.boards import AGX_ORIN, AGX_XAVIER, RASPBERRY_PI_5, build
from tests.devices.fake_pynvml import Board, FakePynvml

Furnish = Callable[[FakePynvml | None], None]


@pytest.fixture
def furnish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Furnish]:
    """Give this process an NVML; None for none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpu.forget()
    yield lambda nvml: monkeypatch.setitem(sys.modules, "pynvml", nvml)
    gpu.forget()


def test_a_xavier_is_the_device_itself_with_its_gpu(furnish: Furnish, tmp_path: Path) -> None:
    furnish(None)
    root = build(tmp_path, AGX_XAVIER)
    assert read_timed_device("cuda", root) == read_device(root)
    state = state_reader("cuda", root)()
    assert (state["gpu_clock_mhz"], state["clocks_held"], state["power_mode"]) == (1377, True, "MAXN")


def test_of_a_jetson_with_nvml_the_gpu_tells_its_clock_and_the_board_its_power(
    furnish: Furnish, tmp_path: Path
) -> None:
    furnish(FakePynvml(Board(answers={"nvmlDeviceGetPowerUsage": None, "nvmlDeviceGetTemperature": None})))
    state = state_reader("cuda", build(tmp_path, AGX_ORIN))()
    assert (state["clock_mhz"], state["power_mode"]) == (1755, "MODE_30W")
    assert state["power_w"] == pytest.approx(6.466)
    assert state["temperature_c"] == pytest.approx(51.7)


def test_a_gpu_beside_a_processor_is_a_device_of_its_own(furnish: Furnish, tmp_path: Path) -> None:
    furnish(FakePynvml(Board()))
    root = build(tmp_path, RASPBERRY_PI_5)
    assert read_timed_device("cuda", root)["kind"] == "cuda"
    assert read_timed_device("cpu", root)["kind"] == "cpu"
    assert state_reader("cuda", root)()["power_mode"] == "P0"
    assert state_reader("cpu", root)()["max_clock_mhz"] == 2400


def test_another_machine_without_nvml_has_no_gpu_to_time(furnish: Furnish, tmp_path: Path) -> None:
    furnish(None)
    root = build(tmp_path, RASPBERRY_PI_5)
    with pytest.raises(GpuUnavailable, match="nvidia-ml-py"):
        read_timed_device("cuda", root)
    with pytest.raises(GpuUnavailable, match="nvidia-ml-py"):
        state_reader("cuda", root)()
