"""What a Jetson tells, on folders and printed outputs of three generations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import jetson
from tests.agent.boards import (
    AGX_ORIN,
    AGX_XAVIER,
    HWMON,
    JETSON_CLOCKS,
    NANO,
    NVPMODEL_MODES,
    NVPMODEL_QUERY,
    RASPBERRY_PI_5,
    Files,
    build,
    install,
)
from tests.agent.old_pythons import run_alone


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of programs that is first on the PATH, and may be slow; nothing is remembered of them or of others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(jetson, "_PROGRAM_LIMIT_S", 120.0)
    _forget()
    yield folder
    _forget()


def _forget() -> None:
    jetson._queried_mode.cache_clear()
    jetson._shown_clocks_held.cache_clear()


@pytest.mark.parametrize(
    ("board", "release"),
    [
        (AGX_XAVIER, {"l4t": "35.2.1", "soc": "tegra194", "model": "Jetson-AGX"}),
        (NANO, {"l4t": "32.7.1", "soc": "tegra210", "model": "NVIDIA Jetson Nano Developer Kit"}),
        (AGX_ORIN, {"l4t": "36.4.3", "soc": "tegra234", "model": "NVIDIA Jetson AGX Orin Developer Kit"}),
        (RASPBERRY_PI_5, {"model": "Raspberry Pi 5 Model B Rev 1.0"}),
        ({}, {}),
    ],
)
def test_a_board_says_which_it_is_and_what_runs_on_it(tmp_path: Path, board: Files, release: dict[str, str]) -> None:
    root = build(tmp_path, board)
    assert jetson.read_release(root) == release
    assert jetson.is_jetson(root) is ("l4t" in release)


def test_in_a_container_a_jetson_is_known_by_its_device_tree(tmp_path: Path) -> None:
    root = build(tmp_path, {name: text for name, text in AGX_ORIN.items() if not name.startswith("etc")})
    assert jetson.is_jetson(root)
    assert jetson.read_release(root)["soc"] == "tegra234"


@pytest.mark.parametrize(
    ("board", "state"),
    [
        (AGX_XAVIER, {"gpu_clock_mhz": 1377, "clocks_held": True, "power_w": 7.7}),
        (NANO, {"gpu_clock_mhz": 76.8, "clocks_held": False, "power_w": 2.056}),
        (AGX_ORIN, {"gpu_clock_mhz": 306, "clocks_held": False, "power_w": 6.466}),
        (RASPBERRY_PI_5, {}),
    ],
)
def test_clocks_and_power_are_read(tmp_path: Path, board: Files, state: dict[str, object]) -> None:
    assert jetson.read_state(build(tmp_path, board)) == pytest.approx(state)


def test_root_is_told_the_clock_of_the_memory(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_XAVIER, {"sys/kernel/debug/bpmp/debug/clk/emc/rate": "2133000000\n"})
    assert jetson.read_state(root)["memory_clock_mhz"] == 2133


def test_clocks_are_not_held_when_one_of_them_is_not(tmp_path: Path) -> None:
    last = {"sys/devices/system/cpu/cpu7/cpufreq/scaling_min_freq": "1190400\n"}
    assert jetson.clocks_held(build(tmp_path, AGX_XAVIER, last)) is False


def test_the_power_of_rails_of_which_one_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    root = build(tmp_path, AGX_XAVIER)
    assert jetson.power_w(root) is not None
    (tmp_path / HWMON / "hwmon3/curr1_input").write_text("gone\n")
    assert jetson.power_w(root) is None


def test_the_input_of_a_thor_is_measured_by_a_chip_of_its_own(tmp_path: Path) -> None:
    chip = {"name": "ina238\n", "in1_label": "VIN\n", "power1_input": "63250000\n"}
    root = build(tmp_path, AGX_ORIN, {f"{HWMON}/hwmon9/{name}": text for name, text in chip.items()})
    assert jetson.power_w(root) == pytest.approx(63.25)


def test_the_power_mode_is_that_of_the_file_and_no_program_is_run(tmp_path: Path, programs: Path) -> None:
    install(programs, "nvpmodel", NVPMODEL_QUERY)
    assert jetson.power_mode(build(tmp_path, AGX_ORIN)) == "MODE_30W"
    assert not (programs / "nvpmodel.calls").exists()


def test_without_the_file_nvpmodel_is_asked_once(tmp_path: Path, programs: Path) -> None:
    install(programs, "nvpmodel", NVPMODEL_QUERY)
    root = build(tmp_path, NANO)
    assert [jetson.power_mode(root) for _ in range(3)] == ["MODE_15W"] * 3
    assert (programs / "nvpmodel.calls").read_text() == "-q\n"


def test_without_a_list_of_modes_nvpmodel_is_asked_for_it(tmp_path: Path, programs: Path) -> None:
    install(programs, "nvpmodel", NVPMODEL_MODES)
    assert jetson.power_modes(build(tmp_path, NANO)) == {"0": "MAXN", "2": "MODE_15W"}
    assert (programs / "nvpmodel.calls").read_text() == "-p --verbose\n"


def test_a_program_that_fails_tells_nothing(tmp_path: Path, programs: Path) -> None:
    install(programs, "nvpmodel", "NV Power Mode: MAXN", status=1)
    assert jetson.power_mode(build(tmp_path, NANO)) is None


def test_no_program_is_run_on_another_board(tmp_path: Path, programs: Path) -> None:
    install(programs, "nvpmodel", NVPMODEL_QUERY)
    assert jetson.power_mode(build(tmp_path, RASPBERRY_PI_5)) is None
    assert jetson.power_modes(str(tmp_path)) == {}
    assert not (programs / "nvpmodel.calls").exists()


def test_where_no_file_tells_the_gpus_clock_jetson_clocks_may(tmp_path: Path, programs: Path) -> None:
    install(programs, "jetson_clocks", JETSON_CLOCKS)
    root = build(tmp_path, {name: text for name, text in NANO.items() if "devfreq" not in name})
    assert jetson.clocks_held(root) is True
    assert (programs / "jetson_clocks.calls").read_text() == "--show\n"


@pytest.mark.parametrize(
    ("shown", "held"),
    [
        (JETSON_CLOCKS, True),
        (JETSON_CLOCKS.replace("GPU MinFreq=1134750000", "GPU MinFreq=114750000"), False),
        (JETSON_CLOCKS.replace("cpu0: Online=1 Governor=schedutil MinFreq=2035200", "cpu0: Online=1 MinFreq=1"), False),
        ("Please run as root", None),
        ("", None),
    ],
)
def test_shown_clocks_of_gpu_and_processors_count_and_those_of_processors_that_are_off_do_not(
    shown: str, held: bool | None
) -> None:
    assert jetson.parse_jetson_clocks(shown) is held


def test_a_mode_without_output_is_unknown() -> None:
    assert jetson.parse_nvpmodel_query("") is None
    assert jetson.parse_nvpmodel_modes("") == {}


@pytest.mark.parametrize("board", [AGX_XAVIER, AGX_ORIN])
def test_old_pythons_read_the_same(tmp_path: Path, board: Files, old_python: Path, copied_agent: Path) -> None:
    root = build(tmp_path, board)
    code = f"import json\nfrom agent import jetson\nsys.stdout.write(json.dumps(jetson.read_state({root!r})))"
    done = run_alone(old_python, copied_agent, code)
    assert done.stderr == ""
    assert json.loads(done.stdout) == jetson.read_state(root)
