"""The benchmarks of cost models, transfer and foreign tables, in small forms; real data where it is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("PACELINE_DATA") or ROOT.parent / "shared" / "data")

needs_data = pytest.mark.skipif(
    not (DATA / "nasbench201.npz").is_file(), reason=f"no data at {DATA}; set PACELINE_DATA to the folder that holds it"
)


def run(script: str, *options: str, within: Path) -> subprocess.CompletedProcess[str]:
    # From another folder: a script finds the packages by itself.
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    return subprocess.run(command, cwd=within, capture_output=True, text=True, check=False)


def test_a_part_of_a_table_is_chosen_predicted_and_held_against_random_parts(tmp_path: Path) -> None:
    small = ("--space", "demo", "--input", "32x64", "--runtime", "dummy", "--rounds", "1")
    done = run("gap_filling.py", *small, "--fractions", "0.2", "--seeds", "1", "--networks", "20", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("machine: ")
    rows = {line[:13]: line.split() for line in done.stdout.splitlines()}
    assert rows["20% chosen   "][2] == rows["20% at random"][3] == "26"
    assert "20%: RMSPE chosen / at random" in done.stdout


def test_a_part_needs_a_full_table_to_be_compared_with(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    table.write_text("")
    done = run("gap_filling.py", "--table", str(table), within=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")


def test_sums_are_told_from_measurements_and_neither_is_predicted_worse_than_by_ridge(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picks = rng.integers(9, size=(400, 22))
    sums_ms = rng.uniform(0.1, 1, (22, 9))[np.arange(22), picks].sum(axis=1)
    np.savez(
        tmp_path / "networks.npz",
        arch=picks,
        op_names=np.array(list("abcdefghi")),
        **{"latency_ms/table": sums_ms, "latency_ms/measured": sums_ms * rng.uniform(0.98, 1.02, 400)},
    )
    done = run("fbnet_additive.py", "--data", str(tmp_path / "networks.npz"), "--train", "300", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sums by construction: table;" in done.stdout
    assert "worse than additive ridge: none" in done.stdout


@needs_data
def test_published_sums_come_out_of_imported_tables(tmp_path: Path) -> None:
    done = run("known_sums.py", "--data", str(DATA), "--json", within=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    sums = found["sums"] if isinstance(found, dict) else found
    assert len(sums) == 6
    assert all(one["reached"] for one in sums)


@needs_data
def test_ten_measurements_of_a_new_device_are_enough(tmp_path: Path) -> None:
    options = ("--seeds", "1", "--devices", "raspi4", "eyeriss", "--json")
    done = run("transfer_nasbench201.py", "--data", str(DATA / "nasbench201.npz"), *options, within=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    devices = found.get("devices", found)
    assert devices["raspi4"]["ours"] > 0.92
    assert devices["eyeriss"]["ours"] > 0.95


@needs_data
def test_kernels_are_predicted_on_both_splits_beside_what_was_published(tmp_path: Path) -> None:
    file = DATA / "v100_tensorrt_conv_fp32.npz"
    done = run("kernels_v100.py", "--data", str(file), "--rows", "600", within=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("boosted-trees, ")]
    assert [row.split()[1] for row in rows] == ["rows", "families"]
    assert "plain boosted trees                  65.6%" in done.stdout


@needs_data
def test_devices_are_judged_by_what_the_others_tell_of_peak_figures(tmp_path: Path) -> None:
    done = run("roofline_prior.py", "--data", str(DATA), within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out: a device of your own (--table)" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line[:4] in {"V100", "GTX ", "Gala"} and "%" in line]
    assert len(rows) == 3
    for row in rows:
        by_roofline, by_macs = map(float, row[-2:])
        assert by_roofline > 0.9
        assert by_roofline > by_macs - 0.005


def test_published_times_that_are_missing_are_left_out_in_words(tmp_path: Path) -> None:
    done = run("roofline_prior.py", "--data", str(tmp_path / "nowhere"), within=tmp_path)
    assert done.returncode != 0
    assert done.stdout.count("nowhere") == 3
    assert "error: At least 3 devices are needed; got 0" in done.stderr


@pytest.mark.parametrize("script", ["transfer_nasbench201.py", "fbnet_additive.py", "kernels_v100.py", "known_sums.py"])
def test_data_that_is_missing_is_said_with_the_way_out(script: str, tmp_path: Path) -> None:
    done = run(script, "--data", str(tmp_path / "nowhere"), within=tmp_path)
    assert done.returncode != 0
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
