"""The benchmark of MAC limits against latency limits, on cells whose best choices are known, and on the real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search import read_cells

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("PACELINE_DATA") or ROOT.parent / "shared" / "data")


def run(*options: object, within: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "mac_vs_latency.py"), *map(str, options)]
    return subprocess.run(command, cwd=within, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten cells of rising MACs; on one device time is MACs, on the other a cell of many is as fast as one of few."""
    words = ["nor_conv_1x1", "nor_conv_3x3"]
    names = [[words[edge < count] for edge in range(6)] for count in range(7)]
    names += [["skip_connect"] * (6 - count) + ["nor_conv_1x1"] * count for count in (1, 3, 5)]
    arch = [f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|" for a, b, c, d, e, f in names]
    assert len(read_cells(arch)) == 10
    macs = np.array(
        [sum({"skip_connect": 0, "nor_conv_1x1": 1, "nor_conv_3x3": 9}[op] for op in cell) for cell in names]
    )
    accuracy = 60 + macs / 2.0
    path = tmp_path_factory.mktemp("cells") / "cells.npz"
    np.savez(
        path,
        arch=np.array(arch),
        **{
            "accuracy_12ep_val/cifar10": accuracy,
            "accuracy_200ep_test/cifar10": accuracy + 5,
            "latency_ms/sum": 1.0 + macs,
            "latency_ms/wide": np.where(macs > 30, 8.0, 1.0 + macs),
        },
    )
    return path


def test_where_time_is_macs_nothing_is_gained_and_elsewhere_what_can_be(cells: Path, tmp_path: Path) -> None:
    done = run("--data", cells, "--cells", 8, "--seeds", 3, "--out", tmp_path / "runs", "--json", within=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sum"]["spearman"] == pytest.approx(1)
    for percentile in (10, 30, 60):
        assert found["sum"][f"gained_{percentile}"] == found["sum"][f"saved_{percentile}"] == 0
    # At the 60th percentile the best by MACs has 22 of them and takes 23 ms; 54 take 8 ms on the other device.
    assert found["wide"]["latency_ms_60"] == 23
    assert found["wide"]["gained_60"] == pytest.approx((54 - 22) / 2)
    assert found["wide"]["saved_60"] == pytest.approx(1 - 8 / 23)
    assert found["wide"]["spearman"] < 1
    assert list(found) == ["wide", "sum"], "those first that MACs tell least of"
    assert json.loads((tmp_path / "runs" / "mac_vs_latency.json").read_text()) == found


def test_a_table_and_a_plot_are_made(cells: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; the plot is drawn with it")
    done = run("--data", cells, "--cells", 8, "--seeds", 2, "--out", tmp_path / "runs", within=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "16.00" in lines["wide"]
    assert "0.00" in lines["sum"]
    assert "below 0 on test images: 0 of 6" in done.stdout
    assert (tmp_path / "runs" / "mac_vs_latency.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "none.npz"), "none.npz is missing"),
        (("--images", "mnist"), "must have accuracy_12ep_val/mnist"),
        (("--cells", "11"), "each of 1 to 10 cells"),
    ],
)
def test_what_cannot_be_done_is_said(cells: Path, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = run("--data", cells, *options, within=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr


@pytest.mark.skipif(
    not (DATA / "nasbench201.npz").is_file(), reason=f"no data at {DATA}; set PACELINE_DATA to the folder that holds it"
)
def test_on_real_devices_the_right_limit_gains_accuracy_and_time(tmp_path: Path) -> None:
    options = ("--devices", "pixel3", "titanxp_1", "samsung_a50", "--seeds", 3)
    done = run("--data", DATA / "nasbench201.npz", *options, "--json", within=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["samsung_a50"]["spearman"] > 0.95 > found["titanxp_1"]["spearman"]
    for device in ("pixel3", "titanxp_1"):
        assert sum(found[device][f"gained_{percentile}"] for percentile in (10, 30, 60)) > 1
        assert sum(found[device][f"saved_{percentile}"] for percentile in (10, 30, 60)) > 0.2
    for figures in found.values():
        assert all(figures[f"seen_{percentile}"] >= 0 for percentile in (10, 30, 60))
