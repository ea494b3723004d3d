"""Readers of /proc and /sys, on folders that look like somebody else's machine."""

from __future__ import annotations

import os
import platform
from dataclasses import astuple
from pathlib import Path

import pytest

from agent.linux import is_virtual
from agent.throttling import throttled_since_boot
from devices import DeviceState, read_device, read_state
from tests.devices.machines import (
    AMD_DESKTOP,
    CPUS,
    INTEL_LAPTOP,
    JETSON,
    RASPBERRY_PI,
    RASPBERRY_THROTTLED,
    VIRTUAL_MACHINE,
    Machine,
)

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz
stepping\t: 4
flags\t\t: sse fpu avx512f

processor\t: 1
vendor_id\t: SomebodyElse
model name\t: another one
flags\t\t: sse
"""

ARM = """\
processor\t: 0
BogoMIPS\t: 62.50
Features\t: fp asimd evtstrm
CPU implementer\t: 0x4e
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0x004
CPU revision\t: 0
"""


def test_an_x86_machine_is_named_by_its_first_processor(machine: Machine) -> None:
    root = machine({"proc/cpuinfo": X86, "proc/meminfo": "MemFree: 1 kB\nMemTotal:       32617404 kB\n"})
    device = read_device(root)
    assert device.name == "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz"
    assert device.family == "GenuineIntel 6 85 4"
    assert device.features == "avx512f fpu sse"
    assert device.memory_bytes == 31 * 2**30
    assert (device.kind, device.architecture, device.system) == ("cpu", platform.machine(), platform.system())


def test_the_order_of_the_feature_flags_is_no_part_of_the_identity(machine: Machine) -> None:
    first = read_device(machine({"proc/cpuinfo": X86}))
    second = read_device(machine({"proc/cpuinfo": X86.replace("sse fpu avx512f", "avx512f sse fpu")}))
    fewer = read_device(machine({"proc/cpuinfo": X86.replace(" avx512f", "")}))
    assert first.fingerprint == second.fingerprint
    assert fewer.fingerprint != first.fingerprint


def test_an_arm_machine_is_named_by_its_board(machine: Machine) -> None:
    root = machine({"proc/cpuinfo": ARM, "proc/device-tree/model": "Jetson AGX Xavier\0"})
    device = read_device(root)
    assert device.name == "Jetson AGX Xavier"
    assert device.family == "0x4e 0x004 0"
    assert device.features == "asimd fp"


def test_a_machine_that_tells_nothing_has_a_name_and_no_numbers(tmp_path: Path) -> None:
    device = read_device(tmp_path)
    assert device.name
    assert (device.family, device.features, device.memory_bytes, device.l3_cache_bytes) == (None, None, None, None)


def test_the_cores_are_those_this_process_may_use(machine: Machine) -> None:
    assert read_device(machine({"proc/cpuinfo": X86})).cores == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("text", "size"), [("28160K\n", 28160 * 1024), ("", None), ("lots\n", None)])
def test_the_last_level_cache_is_read_or_unknown(machine: Machine, text: str, size: int | None) -> None:
    assert read_device(machine({f"{CPUS}/cpu0/cache/index3/size": text})).l3_cache_bytes == size


def test_bytes_that_are_no_text_do_not_stop_the_reader(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_bytes(b"model name : Caf\xe9 9000\n")
    assert read_device(tmp_path).name == "Caf\N{REPLACEMENT CHARACTER} 9000"


def test_a_state_that_cannot_be_read_is_unknown_and_never_zero(tmp_path: Path) -> None:
    assert set(astuple(read_state(tmp_path))) == {None}


def test_without_frequency_scaling_clock_and_governor_are_unknown(machine: Machine) -> None:
    root = machine({"proc/loadavg": "0.52 0.58 0.59 1/389 12345\n", f"{CPUS}/cpu0/online": "1\n"})
    assert read_state(root) == DeviceState(load_1min=0.52)


def test_the_clock_is_the_mean_over_processors_in_mhz(machine: Machine) -> None:
    files = {f"{CPUS}/cpu{n}/cpufreq/scaling_cur_freq": f"{khz}\n" for n, khz in enumerate((1000000, 2000000, 3600000))}
    state = read_state(machine({**files, f"{CPUS}/cpu0/cpufreq/scaling_governor": "schedutil\n"}))
    assert state.clock_mhz == pytest.approx(2200)
    assert state.governor == "schedutil"


def test_a_processor_whose_clock_cannot_be_read_does_not_count_as_0(machine: Machine) -> None:
    files = {
        f"{CPUS}/cpu0/cpufreq/scaling_cur_freq": "1000000\n",
        f"{CPUS}/cpu1/cpufreq/scaling_cur_freq": "<unknown>\n",
        f"{CPUS}/cpu2/cpufreq/scaling_governor": "performance\n",
    }
    state = read_state(machine(files))
    assert state.clock_mhz == pytest.approx(1000)
    assert state.governor is None  # that of the first processor, which has none


def test_the_temperature_is_that_of_the_hottest_zone_that_can_be_read(machine: Machine) -> None:
    zones = {0: "41000\n", 1: "67500\n", 2: "gone\n", 10: "55000\n"}
    root = machine({f"sys/class/thermal/thermal_zone{n}/temp": text for n, text in zones.items()})
    assert read_state(root).temperature_c == pytest.approx(67.5)


def test_throttling_is_summed_over_processors(machine: Machine) -> None:
    counts = {n: machine({f"{CPUS}/cpu{n}/thermal_throttle/core_throttle_count": f"{n}\n"}) for n in (0, 2, 11)}
    assert read_state(counts[0]).throttle_count == 13


def test_no_throttling_is_zero_and_not_unknown(machine: Machine) -> None:
    root = machine({f"{CPUS}/cpu0/thermal_throttle/core_throttle_count": "0\n"})
    assert read_state(root).throttle_count == 0


def test_an_intel_laptop_tells_its_settings(machine: Machine) -> None:
    state = read_state(machine(INTEL_LAPTOP))
    assert (state.governor, state.energy_preference, state.power_mode) == ("powersave", "balance_power", "balanced")
    assert state.boost is True
    assert state.max_clock_mhz == pytest.approx(4700)
    assert state.throttle_count == 12
    assert state.memory_stall_s == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("file", "text", "boost"),
    [
        ("intel_pstate/no_turbo", "1\n", False),
        ("intel_pstate/no_turbo", "0\n", True),
        ("cpufreq/boost", "1\n", True),
        ("cpufreq/boost", "0\n", False),
        ("cpufreq/boost", "", None),
    ],
)
def test_turbo_is_read_from_whichever_switch_there_is(
    machine: Machine, file: str, text: str, boost: bool | None
) -> None:
    assert read_state(machine({f"{CPUS}/{file}": text})).boost is boost


def test_an_amd_processor_is_as_hot_as_its_own_sensor_and_not_as_the_disk(machine: Machine) -> None:
    state = read_state(machine(AMD_DESKTOP))
    assert state.temperature_c == pytest.approx(55.125)
    assert (state.governor, state.energy_preference) == ("performance", "performance")


def test_a_raspberry_pi_says_what_holds_its_clock_down_now_and_what_did(machine: Machine) -> None:
    root = machine(RASPBERRY_PI)
    assert read_state(root).throttle_reasons == "under-voltage, throttled"
    assert throttled_since_boot(str(root)) == "under-voltage, throttled"


@pytest.mark.parametrize(("text", "now", "before"), [("0", "", ""), ("80000", "", "soft temperature limit")])
def test_a_raspberry_pi_that_is_fine_says_so(machine: Machine, text: str, now: str, before: str) -> None:
    root = machine({RASPBERRY_THROTTLED: text})
    assert (read_state(root).throttle_reasons, throttled_since_boot(str(root))) == (now, before)


def test_what_is_no_hexadecimal_number_is_unknown(machine: Machine) -> None:
    assert read_state(machine({RASPBERRY_THROTTLED: "no\n"})).throttle_reasons is None


def test_a_jetson_tells_its_power_mode_by_name(machine: Machine) -> None:
    state = read_state(machine(JETSON))
    assert state.power_mode == "MODE_15W"
    assert state.temperature_c == pytest.approx(41)


def test_a_power_mode_without_a_list_of_names_keeps_its_number(machine: Machine) -> None:
    assert read_state(machine({"var/lib/nvpmodel/status": "pmode:0003 fmode:quiet\n"})).power_mode == "mode 3"


def test_a_virtual_machine_tells_the_time_its_host_took(machine: Machine) -> None:
    root = machine(VIRTUAL_MACHINE)
    state = read_state(root)
    assert is_virtual(str(root)) is True
    assert state.steal_s == pytest.approx(250 / os.sysconf("SC_CLK_TCK"))
    assert state.cpu_stall_s == pytest.approx(2204.374563)
    assert (state.clock_mhz, state.governor, state.boost) == (None, None, None)


def test_bare_metal_has_no_steal(machine: Machine) -> None:
    root = machine(INTEL_LAPTOP)
    assert is_virtual(str(root)) is False
    assert read_state(root).steal_s is None


def test_an_arm_machine_is_virtual_when_its_device_tree_says_so(machine: Machine) -> None:
    assert is_virtual(str(machine(RASPBERRY_PI))) is None
    assert is_virtual(str(machine({"proc/device-tree/hypervisor/compatible": "linux,kvm"}))) is True


def test_of_a_large_server_some_processors_are_asked_from_all_over(machine: Machine) -> None:
    files = {f"{CPUS}/cpu{n}/thermal_throttle/core_throttle_count": "1\n" for n in range(256)}
    clocks = {f"{CPUS}/cpu{n}/cpufreq/scaling_cur_freq": f"{1000000 + n}\n" for n in range(256)}
    state = read_state(machine({**files, **clocks}))
    assert state.throttle_count == 16
    assert state.clock_mhz is not None
    assert 1000.05 < state.clock_mhz < 1000.2


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc and /sys")
def test_this_machine_is_the_same_each_time_it_is_read() -> None:
    assert read_device() == read_device()
    clock_mhz = read_state().clock_mhz
    assert clock_mhz is None or clock_mhz > 0
