"""What bears on times, on folders that look like somebody else's machine."""

from __future__ import annotations

import math
import platform
from dataclasses import fields
from pathlib import Path

import pytest

from devices import Health, read_health, read_state
from tests.devices.machines import (
    AMD_DESKTOP,
    CPUS,
    INTEL_LAPTOP,
    JETSON,
    RASPBERRY_PI,
    VIRTUAL_MACHINE,
    ZONES,
    Machine,
)

KNOWN_WITHOUT_FILES = {"state", "cores", "power_modes", "timer_resolution_s"}


def test_of_a_machine_that_tells_nothing_nothing_is_claimed(tmp_path: Path) -> None:
    health = read_health(tmp_path)
    assert {f.name for f in fields(Health) if getattr(health, f.name) is not None} <= KNOWN_WITHOUT_FILES


def test_a_laptop_on_battery(machine: Machine) -> None:
    root = machine(INTEL_LAPTOP)
    health = read_health(root)
    assert health.state == read_state(root)
    assert health.on_battery is True
    assert (health.driver, health.least_clock_mhz, health.most_clock_mhz) == ("intel_pstate", 400, 4700)
    assert health.thermal_margin_c == pytest.approx(2)  # to the passive limit; a fan that starts is none
    assert health.cooling == ()  # the fan runs, which slows nothing down
    assert health.has_smt is True
    assert health.one_of_each == "0,1"
    assert health.is_virtual is False


def test_a_laptop_that_swaps(machine: Machine) -> None:
    health = read_health(machine(INTEL_LAPTOP))
    assert health.swap_used_bytes == 2_000_000 * 1024
    assert health.memory_available_share == pytest.approx(1 / 16)
    assert health.memory_pressure == pytest.approx(0.035)


@pytest.mark.parametrize(
    ("changes", "on_battery"),
    [
        ({"AC/online": "1\n"}, False),
        ({"AC/type": "UPS\n"}, True),
        ({"AC/type": "USB\n", "AC/online": "1\n"}, False),
        ({"AC/type": "UPS\n", "BAT0/status": "Charging\n"}, False),
        ({"BAT0/scope": "Device\n"}, None),
    ],
)
def test_mains_are_told_from_battery(machine: Machine, changes: dict[str, str], on_battery: bool | None) -> None:
    files = {**INTEL_LAPTOP, **{f"sys/class/power_supply/{name}": text for name, text in changes.items()}}
    assert read_health(machine(files)).on_battery is on_battery


def test_the_battery_of_a_mouse_is_not_that_of_a_desktop(machine: Machine) -> None:
    assert read_health(machine(AMD_DESKTOP)).on_battery is None


def test_a_desktop_without_swap_uses_none(machine: Machine) -> None:
    assert read_health(machine(AMD_DESKTOP)).swap_used_bytes == 0


def test_a_jetson_that_cools_by_slowing_down(machine: Machine) -> None:
    health = read_health(machine(JETSON))
    assert health.power_modes == {"0": "MAXN", "2": "MODE_15W"}
    assert health.cooling == ("thermal-cpufreq-0",)
    assert health.thermal_margin_c == pytest.approx(55.5)


def test_a_limit_that_nobody_set_is_none(machine: Machine) -> None:
    trips = {f"{ZONES}/thermal_zone1/trip_point_0_temp": "-274000\n"}
    assert read_health(machine({**JETSON, **trips})).thermal_margin_c is None


def test_a_raspberry_pi_remembers(machine: Machine) -> None:
    assert read_health(machine(RASPBERRY_PI)).throttled_since_boot == "under-voltage, throttled"


def test_a_quota_of_the_first_control_groups_is_found_at_the_mount_of_a_container(machine: Machine) -> None:
    health = read_health(machine(VIRTUAL_MACHINE))
    assert health.quota_cores == pytest.approx(1.5)
    assert health.quota_waits == 4


def test_the_tightest_quota_of_all_groups_above_counts(machine: Machine) -> None:
    groups = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "0::/a/b\n",
        f"{groups}/cpu.stat": "usage_usec 5\n",
        f"{groups}/a/cpu.max": "50000 100000\n",
        f"{groups}/a/b/cpu.max": "max 100000\n",
        f"{groups}/a/b/cpu.stat": "nr_periods 2\nnr_throttled 1\n",
    }
    health = read_health(machine(files))
    assert health.quota_cores == pytest.approx(0.5)
    assert health.quota_waits == 1


def test_no_bound_is_infinite_and_not_unknown(machine: Machine) -> None:
    assert read_health(machine(INTEL_LAPTOP)).quota_cores == math.inf


def test_cores_are_shared_where_siblings_are_listed_and_nothing_else_is_said(machine: Machine) -> None:
    files = {f"{CPUS}/cpu{n}/topology/thread_siblings_list": f"{n // 2 * 2}-{n // 2 * 2 + 1}\n" for n in range(24)}
    health = read_health(machine(files))
    assert health.has_smt is True
    assert health.one_of_each == "0,2,4,6,8,10,12,14,16,18,20,22"


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc and /sys")
def test_this_machine_can_be_asked() -> None:
    health = read_health()
    assert health.cores
    assert health.timer_resolution_s
    assert health.memory_available_share is None or 0 < health.memory_available_share <= 1
