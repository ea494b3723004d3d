"""Tabular benchmarks: small files in their layouts, and the real ones where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices import WrongUse
from search.known_architectures.accel_nasbench import COLUMNS
from search.spaces.nasbench201_cells import write_cells
from search.tabular_benchmark import TabularBenchmark

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PACELINE_DATA") or ROOT.parent / "shared" / "data")

CELLS = np.array([(3, 3, 3, 3, 3, 3), (3, 0, 3, 1, 0, 1), (0, 0, 0, 0, 0, 0), (1, 2, 4, 0, 0, 3)])


def cells_file(path: Path, **changed: Any) -> Path:
    arrays = {
        "arch": np.array(write_cells(CELLS)),
        "accuracy_12ep_val/cifar10": np.array([90.0, 85.0, 10.0, 70.0]),
        "latency_ms/nano": np.array([9.0, 5.0, 0.0, 6.0]),
        **changed,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def accel_file(path: Path) -> Path:
    usual = (4, 3, 2, 1) * 7
    arch = np.array([usual, (1, *usual[1:]), usual, (6, 5, 4, 0) * 7])
    np.savez(
        path,
        arch=arch,
        columns=np.array(COLUMNS),
        val_top1=np.array([60.0, 61.0, 62.0, 70.0]),
        macs_m=np.array([100.0, 90.0, 100.0, 700.0]),
        params_m=np.array([2.0, 1.9, 2.0, 7.0]),
        **{"perf/latency_zcu102": np.array([2.0, np.nan, 2.0, 9.0]), "perf/throughput_a100": np.ones(4)},
    )
    return path


def test_cells_with_accuracies_latencies_and_counts(tmp_path: Path) -> None:
    benchmark = TabularBenchmark.read(cells_file(tmp_path / "cells.npz"))
    assert benchmark.networks.name == "nasbench201"
    assert benchmark.networks.names((3, 0, 3, 1, 0, 1))[:2] == ("nor_conv_3x3", "none")
    assert benchmark.scores["accuracy_12ep_val/cifar10"][1] == 85.0
    assert benchmark.meaning("accuracy_12ep_val/cifar10") == "validation accuracy after 12 epochs on cifar10"
    assert benchmark.data("accuracy_12ep_val/imagenet16") == ((16, 16), 120)
    latency = benchmark.cost("latency", "nano", "mine")
    assert latency.title == "latency on mine"
    assert latency.cost_of((3, 3, 3, 3, 3, 3)) == pytest.approx(0.009)
    assert np.isnan(latency.cost_of((0,) * 6)), "a time of 0 ms is a failure that was written as a number"


def test_counts_of_cells_are_the_benchmarks_own(tmp_path: Path) -> None:
    benchmark = TabularBenchmark.read(cells_file(tmp_path / "cells.npz"))
    # The largest cell has 220.12 M FLOPs and 1.5315 M parameters (Dong and Yang, 2020, and their files).
    assert benchmark.cost("macs").cost_of((3,) * 6) == 220_119_680
    assert benchmark.cost("parameters").cost_of((3,) * 6) == 1_531_546
    # What all cells share: stem, two reductions, the classifier.
    assert benchmark.cost("macs").cost_of((0,) * 6) == 442_368 + 2 * 3_670_016 + 640


def test_networks_of_accel_nasbench_once_each(tmp_path: Path) -> None:
    benchmark = TabularBenchmark.read(accel_file(tmp_path / "accel.npz"))
    assert len(benchmark.networks.picks) == 3
    first = tuple(benchmark.networks.picks[0].tolist())
    assert benchmark.networks.names(first)[:4] == ("4", "3", "2", "1")
    assert benchmark.scores["val_top1"].tolist() == [60.0, 61.0, 70.0], "of a repeated network, the first row"
    assert list(benchmark.latency_s) == ["zcu102"], "a throughput is no latency"
    assert np.isnan(benchmark.cost("latency", "zcu102").costs[1])
    assert benchmark.cost("macs").limit("100%") == pytest.approx(100e6), "the network in the middle"
    assert benchmark.data("val_top1") == ((224, 224), 1000)


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("latency", "nana", "no device in .* 'nana'. Did you mean 'nano'"),
        ("latency", None, "no device in .* Known: nano"),
        ("memory", None, "no cost in .* 'memory'"),
    ],
)
def test_what_a_file_does_not_hold_is_refused(tmp_path: Path, name: str, device: str | None, message: str) -> None:
    with pytest.raises(WrongUse, match=message):
        TabularBenchmark.read(cells_file(tmp_path / "cells.npz")).cost(name, device)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"accuracy_12ep_val/cifar10": None}, "must hold accuracies beside architectures"),
        ({"latency_ms/nano": np.ones(3)}, "one latency_ms/nano for each of its 4 networks"),
        ({"arch": None}, "must have the arrays arch"),
        ({"arch": np.array([*write_cells(CELLS[:3]), "|nonsense|"])}, "A cell is"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongUse, match=message):
        TabularBenchmark.read(cells_file(tmp_path / "cells.npz", **changed))


def test_a_network_with_a_value_that_the_space_has_not_is_refused(tmp_path: Path) -> None:
    path = accel_file(tmp_path / "accel.npz")
    with np.load(path) as arrays:
        changed = dict(arrays)
    changed["arch"][1, 0] = 5  # Between two expansions, which a search by order takes for the larger one.
    np.savez(path, **changed)
    with pytest.raises(WrongUse, match=r"must have values of the space alone, such as expansions \(1, 4, 6\)"):
        TabularBenchmark.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"none\.npz must be an npz file"):
        TabularBenchmark.read(tmp_path / "none.npz")


@pytest.mark.skipif(
    not (DATA / "nasbench201.npz").is_file(), reason=f"no data at {DATA}; set PACELINE_DATA to the folder that holds it"
)
@pytest.mark.parametrize(("name", "networks"), [("nasbench201", 15_625), ("accel_nasbench", 5_125)])
def test_the_real_files_are_read(name: str, networks: int) -> None:
    benchmark = TabularBenchmark.read(DATA / f"{name}.npz")
    assert len(benchmark.networks.picks) == networks
    assert all(np.isfinite(scores).all() for scores in benchmark.scores.values())
