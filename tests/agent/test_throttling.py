"""What slows a machine down, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import throttling
from agent.throttling import Throttles
from tests.agent.boards import AGX_ORIN, AGX_XAVIER, HWMON, RASPBERRY_PI_5, ZONES, Files, build
from tests.devices.machines import CPUS, INTEL_LAPTOP, RASPBERRY_PI, RASPBERRY_THROTTLED, VIRTUAL_MACHINE


@pytest.mark.parametrize(
    ("machine", "count", "reasons"),
    [
        (INTEL_LAPTOP, 12, None),
        (AGX_ORIN, 52, ""),
        (AGX_XAVIER, None, ""),
        (RASPBERRY_PI, None, "under-voltage, throttled"),
        (RASPBERRY_PI_5, None, None),
        (VIRTUAL_MACHINE, None, None),
    ],
)
def test_each_machine_tells_what_it_can(tmp_path: Path, machine: Files, count: int | None, reasons: str | None) -> None:
    root = build(tmp_path, machine)
    assert (throttling.throttle_count(root), throttling.throttle_reasons(root)) == (count, reasons)
    assert Throttles(root).tells is (machine is not VIRTUAL_MACHINE)


@pytest.mark.parametrize(
    ("machine", "file", "text"),
    [
        (INTEL_LAPTOP, f"{CPUS}/cpu2/thermal_throttle/core_throttle_count", "4\n"),
        (AGX_ORIN, f"{HWMON}/hwmon5/oc3_event_cnt", "38\n"),
        (AGX_ORIN, f"{ZONES}/cooling_device3/cur_state", "1\n"),
        (AGX_XAVIER, f"{ZONES}/cooling_device1/cur_state", "2\n"),
        (RASPBERRY_PI_5, f"{HWMON}/hwmon1/in0_lcrit_alarm", "1\n"),
        ({RASPBERRY_THROTTLED: "50000"}, RASPBERRY_THROTTLED, "50008"),
    ],
)
def test_the_count_grows_when_something_slows_the_machine_down(
    tmp_path: Path, machine: Files, file: str, text: str
) -> None:
    root = build(tmp_path, machine)
    before = throttling.throttle_events(root)
    assert throttling.throttle_events(root) == before
    build(tmp_path, {file: text})
    assert throttling.throttle_events(root) > before


def test_a_fan_and_a_hot_case_slow_nothing_down(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_ORIN)
    assert "pwm-fan" not in throttling.slowing_devices(root).values()
    assert "hot-surface-alert" not in throttling.slowing_devices(root).values()
    assert throttling.throttle_reasons(root) == ""


def test_what_is_only_told_of_a_moment_counts_each_time(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_XAVIER, {f"{ZONES}/cooling_device0/cur_state": "1\n"})
    throttles = Throttles(root)
    assert [throttles.count() for _ in range(3)] == [1, 2, 3]
    build(tmp_path, {f"{ZONES}/cooling_device0/cur_state": "0\n"})
    assert throttles.count() == 3
    assert throttling.throttle_reasons(root) == ""


def test_cooling_devices_are_named_where_they_are_active(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_XAVIER, {f"{ZONES}/cooling_device1/cur_state": "5\n"})
    assert throttling.throttle_reasons(root) == "thermal-devfreq-0"


def test_the_firmware_of_a_raspberry_pi_is_found_under_its_newer_name(tmp_path: Path) -> None:
    file = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
    root = build(tmp_path, RASPBERRY_PI_5, {file: "4\n", f"{HWMON}/hwmon1/in0_lcrit_alarm": "1\n"})
    assert throttling.throttle_reasons(root) == "throttled"


def test_a_machine_that_tells_nothing_counts_nothing(tmp_path: Path) -> None:
    assert throttling.throttle_events(str(tmp_path)) == 0
    assert Throttles(str(tmp_path)).count() == 0
