"""Readers of /proc and /sys, on folders that look like somebody else's machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest

from devices import DeviceState, read_device, read_state

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

CPUS = "sys/devices/system/cpu"

Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Write files below a root: the path relative to it, then the text."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


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
    assert astuple(read_state(tmp_path)) == (None,) * 6


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


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc and /sys")
def test_this_machine_is_the_same_each_time_it_is_read() -> None:
    assert read_device() == read_device()
    clock_mhz = read_state().clock_mhz
    assert clock_mhz is None or clock_mhz > 0
