"""Findings: what readings mean for a time, and how to mend it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from devices import (
    DeviceState,
    Finding,
    GpuHealth,
    Health,
    Load,
    Process,
    gpu_findings,
    machine_findings,
    read_health,
)
from tests.devices.machines import AMD_DESKTOP, INTEL_LAPTOP, JETSON, RASPBERRY_PI, VIRTUAL_MACHINE, Files, Machine

QUIET = Load(processors=4, busy_cores=0.0, steal=0.0)

GOOD = Health(
    state=DeviceState(
        clock_mhz=2999,
        temperature_c=40,
        governor="performance",
        throttle_count=0,
        max_clock_mhz=3000,
        boost=False,
        power_mode="performance",
        energy_preference="performance",
        throttle_reasons="",
    ),
    cores=4,
    is_virtual=False,
    driver="intel_pstate",
    least_clock_mhz=800,
    most_clock_mhz=3000,
    cooling=(),
    thermal_margin_c=50,
    swap_used_bytes=0,
    memory_available_share=0.8,
    memory_pressure=0.0,
    on_battery=False,
    quota_cores=math.inf,
    quota_waits=0,
    has_smt=False,
    clock_source="tsc",
    timer_resolution_s=1e-9,
)

GOOD_GPU = GpuHealth(
    name="NVIDIA H100",
    number=3,
    state=DeviceState(clock_mhz=1410, temperature_c=40, max_clock_mhz=1980, throttle_reasons=""),
    persistent=True,
    clocks_set=True,
    slowdown_c=90,
    other_processes=0,
)


def by_topic(health: Health, load: Load = QUIET) -> dict[str, Finding]:
    return {finding.topic: finding for finding in machine_findings(health, load)}


def on(machine: Machine, files: Files) -> dict[str, Finding]:
    return by_topic(read_health(machine(files)))


def test_a_machine_that_was_set_up_for_timing_is_found_fine() -> None:
    found = machine_findings(GOOD, QUIET)
    assert {finding.severity for finding in found} == {"ok"}
    assert {finding.topic for finding in found} > {"governor", "turbo", "clock", "memory", "timer", "throttling"}


def test_of_a_machine_that_tells_nothing_it_is_said_what_that_means() -> None:
    found = machine_findings(Health(), Load())
    assert {finding.severity for finding in found} == {"unknown"}
    assert all(finding.what.startswith("not readable: ") and len(finding.what) > 30 for finding in found)


def test_whatever_is_wrong_comes_with_a_remedy(machine: Machine) -> None:
    for files in (INTEL_LAPTOP, AMD_DESKTOP, RASPBERRY_PI, JETSON, VIRTUAL_MACHINE):
        load = Load(4, 4.0, 0.2, (Process(7, "make", 4.0),))
        for finding in machine_findings(read_health(machine(files)), load):
            assert bool(finding.remedy) == (finding.severity in {"warning", "problem"}), finding


def test_a_laptop_on_battery_that_swaps_is_told_so(machine: Machine) -> None:
    found = on(machine, INTEL_LAPTOP)
    assert (found["battery"].severity, found["memory"].severity) == ("problem", "problem")
    assert found["temperature"].severity == "problem"
    assert found["governor"].what.startswith("powersave, leaning balance_power")
    assert found["governor"].remedy == "sudo cpupower frequency-set -g performance"
    assert found["turbo"].remedy.endswith("echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo")
    assert found["power mode"].severity == "warning"
    assert found["shared cores"].remedy == "taskset -c 0,1 paceline ..."
    assert found["throttling"].what == "heat, or too much current, lowered the clock 12 times since boot"


def test_amds_turbo_has_another_switch(machine: Machine) -> None:
    found = on(machine, AMD_DESKTOP)
    assert found["turbo"].remedy == "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    assert found["governor"].severity == "ok"
    assert found["timer"].severity == "warning"
    assert "hpet" in found["timer"].what
    assert "battery" not in found


def test_a_raspberry_pi_with_a_weak_cable_needs_another_one(machine: Machine) -> None:
    finding = on(machine, RASPBERRY_PI)["throttling"]
    assert finding.severity == "problem"
    assert "under-voltage, throttled" in finding.what
    assert "power supply" in finding.remedy


def test_a_jetson_in_a_small_power_mode_learns_the_number_of_the_largest(machine: Machine) -> None:
    found = on(machine, JETSON)
    assert found["power mode"].what.startswith("MODE_15W")
    assert found["power mode"].remedy == "sudo nvpmodel -m 0 && sudo jetson_clocks"
    assert found["clock"].severity == "warning"
    assert "thermal-cpufreq-0" in found["throttling"].what


def test_a_virtual_machine_learns_why_the_clock_is_unknown(machine: Machine) -> None:
    found = on(machine, VIRTUAL_MACHINE)
    assert found["governor"].severity == "unknown"
    assert "host of a virtual machine" in found["governor"].what


def state(**changes: Any) -> Health:
    return replace(GOOD, state=replace(GOOD.state, **changes))


@pytest.mark.parametrize(
    ("health", "topic", "severity"),
    [
        (state(governor="schedutil"), "governor", "warning"),
        (state(governor="userspace"), "governor", "warning"),
        (state(boost=True, clock_mhz=2000), "clock", "ok"),
        (state(clock_mhz=2000), "clock", "warning"),
        (state(max_clock_mhz=2000, boost=None), "clock", "warning"),
        (state(max_clock_mhz=2000, clock_mhz=2000), "clock", "ok"),
        (state(power_mode="low-power"), "power mode", "warning"),
        (state(power_mode="mode 3"), "power mode", "ok"),
        (state(throttle_reasons=None, throttle_count=None), "throttling", "ok"),
        (replace(GOOD, throttled_since_boot="throttled"), "throttling", "warning"),
        (replace(GOOD, cooling=("Processor",)), "throttling", "problem"),
        (replace(GOOD, thermal_margin_c=8), "temperature", "warning"),
        (replace(GOOD, thermal_margin_c=-1), "temperature", "problem"),
        (replace(GOOD, thermal_margin_c=None), "temperature", "ok"),
        (replace(GOOD, memory_available_share=0.05), "memory", "warning"),
        (replace(GOOD, memory_pressure=0.02), "memory", "problem"),
        (replace(GOOD, swap_used_bytes=2**31), "memory", "ok"),
        (replace(GOOD, quota_cores=4.0), "quota", "ok"),
        (replace(GOOD, quota_cores=2.0), "quota", "warning"),
        (replace(GOOD, quota_cores=0.5), "quota", "problem"),
        (replace(GOOD, timer_resolution_s=1e-3), "timer", "problem"),
        (replace(GOOD, has_smt=True), "shared cores", "warning"),
    ],
)
def test_each_reading_has_its_severity(health: Health, topic: str, severity: str) -> None:
    assert by_topic(health)[topic].severity == severity


@pytest.mark.parametrize(
    ("topic", "health"),
    [
        ("battery", replace(GOOD, on_battery=None)),
        ("quota", GOOD),
        ("steal", GOOD),
        ("turbo", state(boost=None)),
        ("power mode", state(power_mode=None)),
    ],
)
def test_what_a_machine_does_not_have_is_not_spoken_of(topic: str, health: Health) -> None:
    assert topic not in by_topic(health)


@pytest.mark.parametrize(("busy", "severity"), [(0.05, "ok"), (1.0, "warning"), (3.0, "warning"), (3.9, "problem")])
def test_others_are_a_problem_when_they_leave_no_processor(busy: float, severity: str) -> None:
    load = Load(4, busy, 0.0, (Process(42, "make", busy),))
    finding = by_topic(GOOD, load)["other load"]
    assert finding.severity == severity
    assert ("make (42)" in finding.what) == (severity != "ok")


def test_the_busiest_three_are_named_and_so_is_what_cannot_be_seen() -> None:
    busy = tuple(Process(pid, f"p{pid}", 0.5) for pid in range(5))
    assert "p2" in by_topic(GOOD, Load(4, 2.5, 0.0, busy))["other load"].what
    assert "p3" not in by_topic(GOOD, Load(4, 2.5, 0.0, busy))["other load"].what
    assert "other containers" in by_topic(GOOD, Load(4, 2.5, 0.0))["other load"].what


@pytest.mark.parametrize(("steal", "severity"), [(0.0, "ok"), (0.02, "warning"), (0.2, "problem"), (None, "unknown")])
def test_time_that_a_host_takes_matters_by_how_much(steal: float | None, severity: str) -> None:
    assert by_topic(replace(GOOD, is_virtual=True), replace(QUIET, steal=steal))["steal"].severity == severity


def gpu(**changes: Any) -> GpuHealth:
    return replace(GOOD_GPU, **changes)


def gpu_state(**changes: Any) -> GpuHealth:
    return replace(GOOD_GPU, state=replace(GOOD_GPU.state, **changes))


def test_a_gpu_with_its_clock_set_is_found_fine() -> None:
    assert {finding.severity for finding in gpu_findings(GOOD_GPU)} == {"ok"}


@pytest.mark.parametrize(
    ("health", "topic", "severity", "words"),
    [
        (gpu(other_processes=2), "other load", "warning", "2 other"),
        (gpu(other_processes=None), "other load", "unknown", "cannot be told"),
        (gpu_state(throttle_reasons="power limit"), "throttling", "warning", "power limit"),
        (gpu_state(throttle_reasons="temperature, by the driver"), "throttling", "problem", "by the driver"),
        (gpu_state(throttle_reasons=None), "throttling", "unknown", "slow block"),
        (gpu_state(temperature_c=82), "temperature", "warning", "90 °C"),
        (gpu_state(temperature_c=88), "temperature", "problem", "90 °C"),
        (gpu_state(temperature_c=None), "temperature", "unknown", "no sensor"),
        (gpu(slowdown_c=None), "temperature", "ok", "not known"),
        (gpu(clocks_set=False), "clock", "warning", "nothing says that it is locked"),
        (gpu(clocks_set=None), "clock", "unknown", "1410 MHz of at most 1980 MHz"),
        (gpu(persistent=False), "persistence", "warning", "forgets its clocks"),
        (gpu(is_part=True), "division", "warning", "MIG"),
    ],
)
def test_each_reading_of_a_gpu_has_its_severity(health: GpuHealth, topic: str, severity: str, words: str) -> None:
    finding = next(finding for finding in gpu_findings(health) if finding.topic == topic)
    assert finding.severity == severity
    assert words in finding.what
    assert bool(finding.remedy) == (severity in {"warning", "problem"})


def test_the_clock_to_lock_at_is_one_that_the_gpu_has_and_holds() -> None:
    remedies = {finding.topic: finding.remedy for finding in gpu_findings(gpu(clocks_set=False))}
    assert remedies["clock"] == "sudo nvidia-smi -i 3 -lgc 1485"
    unknown = replace(gpu_state(max_clock_mhz=None), clocks_set=False)
    assert "SUPPORTED_CLOCKS" in {f.topic: f.remedy for f in gpu_findings(unknown)}["clock"]
