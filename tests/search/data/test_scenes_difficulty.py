"""The benchmark that shows how hard the scenes are runs, and explains itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed; the benchmark trains networks with it")

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "scenes_difficulty.py"


def test_it_trains_three_networks_and_prints_their_scores(tmp_path: Path) -> None:
    options = ["--steps", "2", "--seeds", "1", "--size", "32", "64", "--val", "2", "--batch", "2", "--threads", "1"]
    # From another folder: the script finds the packages by itself.
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("machine: ")
    table = done.stdout.split("network", 1)[1]
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["small", "medium", "large"]
