"""Every benchmark explains itself, and the one of the lookup runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py"))


def run(script: str, *options: str, within: Path) -> subprocess.CompletedProcess[str]:
    # From another folder: a script finds the packages by itself.
    command = [sys.executable, str(FOLDER / script), *options]
    return subprocess.run(command, cwd=within, capture_output=True, text=True, check=False)


def test_there_are_benchmarks() -> None:
    assert "lookup.py" in SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_explains_itself(script: str, tmp_path: Path) -> None:
    done = run(script, "--help", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert f"    python benchmarks/{script}" in (FOLDER / script).read_text(encoding="utf-8")  # how to run it


def test_the_lookup_benchmark_prints_rates_ratios_and_the_machine(tmp_path: Path) -> None:
    done = run("lookup.py", "--architectures", "50", "--repeats", "1", within=tmp_path)
    assert done.returncode == 0, done.stderr
    machine, versions, _, *rows = done.stdout.splitlines()
    assert machine.startswith("machine: ")
    assert "numpy" in versions
    assert [row[:16].rstrip() for row in rows] == ["sum_of_picks", "loop in Python", "loop with numpy"]
    assert all(row.endswith("x") and float(row.split()[-2].replace(",", "")) > 0 for row in rows)


@pytest.mark.parametrize("option", ["--architectures", "--repeats"])
@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_the_lookup_benchmark_refuses_numbers_below_1(option: str, number: str, tmp_path: Path) -> None:
    done = run("lookup.py", option, number, within=tmp_path)
    assert done.returncode == 2
    assert f"must be a whole number of at least 1; got '{number}'" in done.stderr
