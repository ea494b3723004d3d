"""What a driver tells of a GPU, and what watches it while a program runs on it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.nvml import forget
from agent.runtimes.gpu_sensors import ROOT_VARIABLE, device_watch, driver_versions, gpu_disturbances, root
from tests.agent.boards import AGX_XAVIER, ZONES, build
from tests.devices.fake_pynvml import EVENT_BITS, Board, FakePynvml

REASONS = "nvmlDeviceGetCurrentClocksEventReasons"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """The GPU that NVML tells of."""
    shown = Board()
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(shown))
    forget()
    yield shown
    forget()


@pytest.fixture
def _no_driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    forget()
    yield
    forget()


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose files tell nothing."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "bare"))


def test_the_root_is_that_of_the_machine_unless_a_variable_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert root() == str(tmp_path / "bare")
    monkeypatch.delenv(ROOT_VARIABLE)
    assert root() == "/"


@pytest.mark.usefixtures("_no_driver")
def test_without_a_driver_there_are_no_versions_no_disturbances_and_no_power() -> None:
    before = set(threading.enumerate())
    assert driver_versions() == {}
    assert gpu_disturbances()() == 0
    with device_watch() as watch:
        assert set(threading.enumerate()) <= before
        assert not watch.slowed(0.0, time.monotonic())
        assert watch.power_w(0.0, time.monotonic()) is None


@pytest.mark.usefixtures("board")
def test_versions_are_those_of_the_driver() -> None:
    assert driver_versions() == {"driver": "550.54.15", "driver_cuda": "12.4"}


def test_heat_of_a_gpu_disturbs_and_a_power_limit_does_not(board: Board) -> None:
    count = gpu_disturbances()
    board.answers[REASONS] = EVENT_BITS["SwPowerCap"]
    assert count() == 0
    board.answers[REASONS] = EVENT_BITS["HwThermalSlowdown"]
    assert count() == 1


def test_a_watch_sees_heat_and_power_of_the_gpu(board: Board) -> None:
    with device_watch() as watch:
        since = time.monotonic()
        assert not watch.slowed(since, time.monotonic())
        assert watch.power_w(since, time.monotonic()) == pytest.approx(121.5)
        board.answers[REASONS] = EVENT_BITS["HwThermalSlowdown"]
        later = time.monotonic()
        assert watch.slowed(later, time.monotonic())


@pytest.mark.usefixtures("_no_driver")
def test_a_watch_sees_heat_and_power_of_a_whole_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        ROOT_VARIABLE, build(tmp_path / "xavier", AGX_XAVIER, {f"{ZONES}/cooling_device0/cur_state": "1\n"})
    )
    with device_watch() as watch:
        since = time.monotonic()
        assert watch.slowed(since - 1, time.monotonic())
        assert watch.power_w(since, time.monotonic()) == pytest.approx(7.7, abs=0.05)
