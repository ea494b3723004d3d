"""A look at boards made of files while something runs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import gpu
from agent import watch as module
from agent.watch import Watch
from tests.agent.boards import AGX_ORIN, AGX_XAVIER, HWMON, NANO, RASPBERRY_PI_5, TEGRASTATS, ZONES, Files, build
from tests.agent.old_pythons import run_alone
from tests.devices.fake_pynvml import Board, FakePynvml
from tests.devices.machines import VIRTUAL_MACHINE

SOON_S = 0.001
MOST_WAIT_S = 120.0
COOLING = f"{ZONES}/cooling_device0/cur_state"


@pytest.fixture(autouse=True)
def _nothing_stays_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    gpu.forget()
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
    gpu.forget()


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + MOST_WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(SOON_S)


def test_throttling_that_came_and_went_is_seen_where_it_was(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_XAVIER)
    with Watch(root, every_s=SOON_S) as watch:
        began = time.monotonic()
        quiet = time.monotonic()
        assert not watch.slowed(began, quiet)
        build(tmp_path, {COOLING: "2\n"})
        wait_until(lambda: watch.slowed(quiet, time.monotonic()))
        build(tmp_path, {COOLING: "0\n"})
        hot = time.monotonic()
        looks = len(watch._looks)
        wait_until(lambda: len(watch._looks) > looks + 2)
        cool = time.monotonic()
        wait_until(lambda: watch._looks[-1].at_s > cool)
    assert watch.slowed(began, cool)
    assert watch.slowed(quiet, hot)
    assert not watch.slowed(cool, time.monotonic())


def test_a_short_time_is_judged_by_the_looks_around_it(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_ORIN)
    with Watch(root, every_s=60) as watch:
        since = time.monotonic()
        build(tmp_path, {f"{HWMON}/hwmon5/oc1_event_cnt": "1\n"})
        assert watch.slowed(since, time.monotonic())
        later = time.monotonic()
        assert not watch.slowed(later, time.monotonic())


def test_what_happened_at_the_very_end_is_known_after_it(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_XAVIER)
    with Watch(root, every_s=60) as watch:
        since = time.monotonic()
        build(tmp_path, {COOLING: "2\n"})
    assert watch.slowed(since, time.monotonic())


def test_power_is_the_mean_between_two_moments(tmp_path: Path) -> None:
    root = build(tmp_path, NANO)
    supply = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    with Watch(root, every_s=SOON_S) as watch:
        since = time.monotonic()
        wait_until(lambda: watch._looks[-1].at_s > since)
        until = time.monotonic()
        build(tmp_path, {supply: "9000\n"})
        wait_until(lambda: watch._looks[-1].power_w == 9)
        loaded = time.monotonic()
        wait_until(lambda: watch._looks[-1].at_s > loaded)
        assert watch.power_w(since, until) == pytest.approx(2.056)
        assert watch.power_w(loaded, time.monotonic()) == pytest.approx(9)
        assert not watch.slowed(since, loaded)


def test_where_there_is_nothing_to_watch_there_is_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Watch(build(tmp_path, VIRTUAL_MACHINE)) as watch:
        assert set(threading.enumerate()) <= before
        assert not watch.slowed(0.0, time.monotonic())
        assert watch.power_w(0.0, time.monotonic()) is None


def test_looks_are_forgotten_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LOOKS", 5)
    with Watch(build(tmp_path, AGX_XAVIER), every_s=SOON_S) as watch:
        first = watch._looks[0]
        wait_until(lambda: watch._looks[0] is not first)
        assert len(watch._looks) == 5


def tegrastats(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "tegrastats"
    line = TEGRASTATS["Nano"]
    program.write_text(f"#!/bin/sh\necho $$ > '{program}.pid'\nwhile echo '{line}'; do sleep 0.01; done\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_power_that_no_file_tells_is_told_by_tegrastats_which_ends_with_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tegrastats(tmp_path, monkeypatch)
    root = build(tmp_path, {name: text for name, text in NANO.items() if "ina3221x" not in name})
    with Watch(root, every_s=SOON_S) as watch:
        since = time.monotonic()
        wait_until(lambda: watch.power_w(since, time.monotonic()) is not None)
        assert watch.power_w(since, time.monotonic()) == pytest.approx(1.022)
    process = int((tmp_path / "tegrastats.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_tegrastats_does_not_run_where_files_tell_the_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tegrastats(tmp_path, monkeypatch)
    with Watch(build(tmp_path, AGX_ORIN)) as watch:
        assert watch.power_w(0.0, time.monotonic()) == pytest.approx(6.466)
    assert not (tmp_path / "tegrastats.pid").exists()


def test_a_gpu_is_watched_where_one_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(board))
    with Watch(str(tmp_path), "cuda", every_s=60) as watch:
        since = time.monotonic()
        assert not watch.slowed(since, time.monotonic())
        assert watch.power_w(since, time.monotonic()) == pytest.approx(121.5)
        board.answers["nvmlDeviceGetCurrentClocksEventReasons"] = 0x40
        later = time.monotonic()
        assert watch.slowed(later, time.monotonic())


@pytest.mark.parametrize(("board", "slowed"), [(AGX_XAVIER, True), (RASPBERRY_PI_5, False)])
def test_heat_of_the_processors_concerns_the_gpu_of_a_jetson_alone(
    tmp_path: Path, board: Files, slowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(Board()))
    alarm = {f"{HWMON}/hwmon1/in0_lcrit_alarm": "1\n", COOLING: "1\n"}
    with Watch(build(tmp_path, board, alarm), "cuda", every_s=60) as watch:
        assert watch.slowed(0.0, time.monotonic()) is slowed
    with Watch(str(tmp_path), every_s=60) as watch:
        assert watch.slowed(0.0, time.monotonic())


def test_a_gpu_that_is_gone_does_not_end_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    monkeypatch.setitem(sys.modules, "pynvml", FakePynvml(board))
    with Watch(str(tmp_path), "cuda", every_s=60) as watch:
        gone = dict.fromkeys(("PowerUsage", "CurrentClocksEventReasons"), "GpuIsLost")
        board.answers.update({f"nvmlDeviceGet{name}": error for name, error in gone.items()})
        since = time.monotonic()
        assert not watch.slowed(since, time.monotonic())
        assert watch.power_w(since, time.monotonic()) is None or watch._looks[-1].power_w is None


def test_an_old_python_watches_too(tmp_path: Path, old_python: Path, copied_agent: Path) -> None:
    root = build(tmp_path, AGX_XAVIER)
    code = (
        "import threading, time\nfrom agent.watch import Watch\n"
        f"with Watch({root!r}, every_s=0.001) as watch:\n    since = time.monotonic()\n"
        "    while len(watch._looks) < 3: time.sleep(0.001)\n"
        "    said = '%.1f %s' % (watch.power_w(since, time.monotonic()), watch.slowed(since, time.monotonic()))\n"
        "sys.stdout.write('%s %d' % (said, threading.active_count()))"
    )
    done = run_alone(old_python, copied_agent, code)
    assert (done.stdout, done.stderr) == ("7.7 False 1", "")
