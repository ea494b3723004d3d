"""Lines of tegrastats of each generation, and the program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.tegrastats import Tegrastats, parse_line
from tests.agent.boards import TEGRASTATS


@pytest.mark.parametrize(
    ("board", "power_w", "gpu_mhz", "memory_mhz", "clocks_mhz"),
    [
        ("TX1", 2.532, 76, 408, [102]),
        ("TX2", 3.056, 624, 1600, [345, 346]),
        ("Nano", 1.022, 76, 204, [204, 204]),
        ("Nano without root", 3.075, None, None, [1479, 1479]),
        ("AGX Xavier", 0.467 + 0.467 + 1.245 + 0.311 + 1.482, 114, 1331, [1190, 1190]),
        ("AGX Orin", 2.399 + 0.4 + 4.032, 305, 2133, [729, 729]),
        ("Orin Nano", 12.479, 621, 2133, [729, 729]),
    ],
)
def test_a_line_of_each_generation_is_read(
    board: str, power_w: float, gpu_mhz: float | None, memory_mhz: float | None, clocks_mhz: list[float]
) -> None:
    reading = parse_line(TEGRASTATS[board])
    assert reading.power_w == pytest.approx(power_w)
    assert (reading.gpu_clock_mhz, reading.memory_clock_mhz) == (gpu_mhz, memory_mhz)
    assert reading.clocks_mhz == clocks_mhz


@pytest.mark.parametrize(
    ("board", "hottest_c"),
    [("TX2", 37.5), ("Nano", 44), ("AGX Xavier", 36.5), ("AGX Orin", 42.593), ("Orin Nano", 53.968)],
)
def test_sensors_that_say_the_same_for_ever_and_those_that_are_off_do_not_count(board: str, hottest_c: float) -> None:
    temperatures_c = parse_line(TEGRASTATS[board]).temperatures_c
    assert max(temperatures_c.values()) == hottest_c
    assert min(temperatures_c.values()) > 0


def test_memory_is_no_rail() -> None:
    assert set(parse_line(TEGRASTATS["AGX Xavier"]).rails_w) == {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}
    assert set(parse_line(TEGRASTATS["Nano"]).rails_w) == {"POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"}


def test_a_power_without_its_mean_is_read() -> None:
    assert parse_line("RAM 1/2MB VDD_GPU_SOC 2171mW").power_w == 2.171


@pytest.mark.parametrize("line", ["", "tegrastats: permission denied", "RAM 1/2MB CPU [off,off] MTS fg 0% bg 0%"])
def test_a_line_without_power_has_none(line: str) -> None:
    reading = parse_line(line)
    assert (reading.power_w, reading.rails_w, reading.clocks_mhz, reading.gpu_clock_mhz) == (None, {}, [], None)


def test_the_program_is_read_line_by_line_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\n[ \"$1 $2\" = '--interval 20' ] && echo '{TEGRASTATS['Nano']}'\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    running = Tegrastats(interval_ms=20)
    reading = running.read()
    running.end()
    after = running.read()
    running.close()
    assert reading is not None
    assert reading.power_w == 1.022
    assert after is None


@pytest.mark.skipif(shutil.which("tegrastats") is not None, reason="this machine is a Jetson")
def test_without_the_program_it_is_said_that_it_is_missing() -> None:
    with pytest.raises(FileNotFoundError, match="tegrastats"):
        Tegrastats()
