"""What a driver tells of a GPU while a program runs on it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.nvml import forget
from agent.runtimes.gpu_sensors import (
    ROOT_VARIABLE,
    GpuWatch,
    device_watch,
    driver_versions,
    gpu_disturbances,
    root,
)
from agent.watch import Watch
from tests.agent.boards import AGX_XAVIER, build
from tests.devices.fake_pynvml import EVENT_BITS, Board, FakePynvml

SOON_S = 0.001
MOST_WAIT_S = 20.0


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


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + MOST_WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(SOON_S)


@pytest.mark.usefixtures("_no_driver")
def test_without_a_driver_there_are_no_versions_no_disturbances_and_no_power() -> None:
    before = threading.active_count()
    assert driver_versions() == {}
    assert gpu_disturbances()() == 0
    with GpuWatch(SOON_S) as watch:
        assert not watch.slowed(0.0, time.monotonic())
        assert watch.power_w(0.0, time.monotonic()) is None
    assert threading.active_count() == before


def test_which_watch_is_taken_depends_on_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    assert root() == "/"
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "empty"))
    assert isinstance(device_watch(), GpuWatch)
    monkeypatch.setenv(ROOT_VARIABLE, build(tmp_path / "xavier", AGX_XAVIER))
    assert isinstance(device_watch(), Watch)


@pytest.mark.usefixtures("board")
def test_versions_are_those_of_the_driver() -> None:
    assert driver_versions() == {"driver": "550.54.15", "driver_cuda": "12.4"}


@pytest.mark.usefixtures("board")
def test_power_is_the_mean_between_two_moments() -> None:
    with GpuWatch(SOON_S) as watch:
        wait_until(lambda: len(watch._looks) > 2)
        since = time.monotonic()
        wait_until(lambda: watch._looks[-1].at_s > since)
        assert watch.power_w(since, time.monotonic()) == pytest.approx(121.5)
        assert watch.power_w(since - 1000, since - 900) is None
    assert not watch._thread.is_alive()


def test_heat_that_comes_is_seen_and_a_power_limit_is_not(board: Board) -> None:
    reasons = "nvmlDeviceGetCurrentClocksEventReasons"
    board.answers[reasons] = EVENT_BITS["SwPowerCap"]
    with GpuWatch(SOON_S) as watch:
        began = time.monotonic()
        wait_until(lambda: len(watch._looks) > 3)
        assert not watch.slowed(began, time.monotonic())
        board.answers[reasons] = EVENT_BITS["HwThermalSlowdown"]
        wait_until(lambda: watch.slowed(began, time.monotonic()))
        board.answers[reasons] = 0
        looks = len(watch._looks)
        wait_until(lambda: len(watch._looks) > looks + 5)
        cool = time.monotonic()
        wait_until(lambda: watch._looks[-1].at_s > cool + 2 * SOON_S)
        assert not watch.slowed(cool, time.monotonic())


def test_a_gpu_that_is_lost_ends_the_watch_and_not_the_program(board: Board) -> None:
    board.answers["nvmlDeviceGetClockInfo"] = "GpuIsLost"
    with GpuWatch(SOON_S) as watch:
        wait_until(lambda: not watch._thread.is_alive())
        assert watch.power_w(0.0, time.monotonic()) is None
