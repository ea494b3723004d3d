"""The benchmark of MAC limits against latency limits, on cells whose best choices are known, and on the real ones."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import mac_vs_latency
from benchmarks.mac_vs_latency import Networks, Search, correlations_of_fbnet
from benchmarks.mac_vs_latency_shown import CONTROL, PERCENTILES, Gains, Shown
from devices import WrongUse
from latency import operator_of
from search import open_space
from search.known_architectures.accel_nasbench import COLUMNS
from tests.tiny_cells import ACCURACY, WORK, tiny_cells

DATA = Path(os.environ.get("PACELINE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cells(tmp_path_factory.mktemp("cells") / "cells.npz")


@pytest.fixture(scope="module")
def search(cells: Path) -> Search:
    """Searches that look at every cell within their limit: they end where an exhaustive one does."""
    return Search(Networks.read(cells, "cifar100"), seeds=2, queries=96)


def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: object) -> str:
    monkeypatch.setattr(sys, "argv", ["mac_vs_latency.py", *map(str, options)])
    mac_vs_latency.main()
    return capsys.readouterr().out


def accel_file(path: Path) -> Path:
    """Twelve networks, one twice and one that failed on the FPGA; the GPU is faster for larger ones."""
    arch = np.array([(1, 3, 1, 0) * 7] * 12)
    arch[:11, 2::4] = [[1 + (row >> unit) % 2 for unit in range(7)] for row in range(11)]
    macs = np.arange(12.0) + 100
    macs[11] = macs[0]
    latency = macs / 10
    latency[4] = np.nan
    throughput = {"perf/latency_zcu102": latency, "perf/throughput_a100": macs * 10}
    np.savez(
        path, arch=arch, columns=np.array(COLUMNS), val_top1=macs / 2, macs_m=macs, params_m=macs / 20, **throughput
    )
    return path


def fbnet_file(path: Path) -> Path:
    """Time is MACs on one device, as counted by hand for the first two units at 32x32 without strides."""
    picks = np.random.default_rng(0).integers(9, size=(30, 22))
    units = open_space("fbnet", (128, 128)).units
    macs = np.zeros(len(picks))
    for place, unit in enumerate(units):
        costs = np.array([float(operator_of(each.workload).macs(each.workload)) for each in unit.candidates])
        if place == 0:
            costs /= 4  # 32x32 in place of 64x64.
        if place == 1:  # 16 channels at 32x32, to 24: a 1x1, a depthwise one and a 1x1, or the 1x1 of the skip.
            kinds = ((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1))
            blocks = [16 * e * (16 // g + k * k + 24 // g) for k, e, g in kinds]
            costs = 32.0 * 32 * np.array([*blocks, 16 * 24])
        macs += costs[picks[:, place]]
    np.savez(path, arch=picks, op_names=np.array(["?"] * 9), **{"latency_ms/fpga": macs, "latency_ms/odd": -macs})
    return path


def test_where_time_is_macs_nothing_is_gained(search: Search) -> None:
    gains = search.device(search.networks.times_s["sum"])
    assert gains.spearman == pytest.approx(1)
    for values in (gains.gained, gains.seen, gains.saved, gains.kept, *gains.exhaustive.values()):
        np.testing.assert_allclose(values, 0, atol=1e-12)
    assert gains.average == pytest.approx(dict.fromkeys(("gained", "seen", "saved", "kept"), 0), abs=1e-12)


def test_what_is_gained_where_time_is_the_opposite_of_macs(search: Search) -> None:
    gains = search.device(search.networks.times_s["dear"])
    assert gains.spearman == pytest.approx(-1)
    for place, percentile in enumerate(PERCENTILES):
        a = ACCURACY[np.percentile(WORK, percentile) >= WORK].max()
        took = 60 - WORK[a == ACCURACY][0]
        np.testing.assert_allclose(gains.gained[place], ACCURACY.max() - a)
        np.testing.assert_allclose(gains.saved[place], 1 - (60 - WORK.max()) / took)
        assert gains.exhaustive["gained"][place] == pytest.approx(ACCURACY.max() - a)
        assert gains.exhaustive["saved"][place] == pytest.approx(1 - (60 - WORK.max()) / took)
        assert (gains.kept[place] >= 0).all()


def test_a_search_that_looks_at_less_gains_no_more_than_there_is_in_what_it_sees(cells: Path) -> None:
    networks = Networks.read(cells, "cifar100")
    gains = Search(networks, seeds=3, queries=12).device(networks.times_s["flat"])
    assert gains.gained.shape == gains.saved.shape == (3, 3)
    assert (gains.saved >= 0).all(), "the first network is kept where none is faster"
    assert (gains.seen <= ACCURACY.max() - ACCURACY.min()).all()


def test_networks_that_failed_and_repetitions_are_left_out_and_throughputs_are_times(tmp_path: Path) -> None:
    networks = Networks.read(accel_file(tmp_path / "accel.npz"), "cifar100")
    assert len(networks.macs) == len(networks.listed.picks) == 10
    assert list(networks.times_s) == ["zcu102", "throughput_a100"]
    np.testing.assert_allclose(networks.times_s["throughput_a100"], 1 / (networks.macs / 1e6 * 10))
    assert networks.spearman(networks.times_s["throughput_a100"]) == pytest.approx(-1)
    assert networks.spearman(networks.times_s["zcu102"]) == pytest.approx(1)
    np.testing.assert_array_equal(networks.seen, networks.tested)


def test_macs_of_fbnet_are_those_for_cifar(tmp_path: Path) -> None:
    assert correlations_of_fbnet(fbnet_file(tmp_path / "fbnet.npz")) == pytest.approx({"fpga": 1.0, "odd": -1.0})


def test_a_table_and_a_plot_are_made(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; the plot is drawn with it")
    files = (cells, accel_file(tmp_path / "accel.npz"), fbnet_file(tmp_path / "fbnet.npz"))
    out = tmp_path / "runs"
    said = main(monkeypatch, capsys, "--data", *files, "--seeds", 2, "--queries", 5, "--out", out)
    assert "test accuracy after 200 epochs on cifar100" in said
    assert "fpga             1.000" in said
    found = json.loads((out / "mac_vs_latency.json").read_text())
    cells_of, networks_of = (list(devices) for devices in found["spaces"].values())
    assert networks_of == ["throughput_a100", "zcu102", CONTROL], "those first that MACs tell least of"
    assert (cells_of[0], cells_of[-1], set(cells_of[1:-1])) == ("dear", CONTROL, {"flat", "sum"})
    assert said.index("\ndear ") < said.index("\nsum ") < said.index(f"\n{CONTROL} ")
    assert (out / "mac_vs_latency.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_means_over_seeds_with_their_error() -> None:
    def gains(*seeds: float) -> Gains:
        searched = np.zeros((3, len(seeds), 4))
        searched[:, :, 0] = seeds
        return Gains.of(0.5, searched, np.ones((3, 4)), np.full(4, 0.25))

    devices = {"one": gains(1.0, 3.0), "two": gains(2.0, 0.0), CONTROL: gains(9.0, 9.0)}
    text = Shown({"space": devices}, {}, 2, 10).text()
    one, two, _, mean = (line.split() for line in text.partition("5th to 95th\n")[2].splitlines()[:4])
    assert one[:5] == ["one", "0.500", "2.00", "+-1.00", "(1.00)"]
    assert two[:5] == ["two", "0.500", "1.00", "+-1.00", "(1.00)"]
    assert mean[3:7] == ["0.500", "1.50", "+-0.00", "(1.00)"], "of the devices without the control"
    assert one[-1] == "0.25"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "none.npz"), "none.npz must be an npz file; it cannot be read"),
        (("--images", "mnist"), "must have accuracy_12ep_val/mnist"),
        (("--devices", "nano"), "nano is in none of the files; they have dear, flat, sum"),
        (("--seeds", "1"), "2 seeds or more"),
    ],
)
def test_what_cannot_be_done_is_said(
    cells: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    words: str,
) -> None:
    with pytest.raises(WrongUse, match=words):
        main(monkeypatch, capsys, "--data", cells, *options)


def test_a_file_without_accuracies_cannot_be_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WrongUse, match="must have accuracies"):
        main(monkeypatch, capsys, "--data", fbnet_file(tmp_path / "fbnet.npz"))


def test_on_real_devices_the_right_limit_gains_accuracy_and_time() -> None:
    file = DATA / "nasbench201.npz"
    if not file.is_file():
        pytest.skip(f"no data at {DATA}; set PACELINE_DATA to the folder that holds it")
    networks = Networks.read(file, "cifar100")
    search = Search(networks, seeds=2, queries=30)
    found: dict[str, Any] = {device: search.device(networks.times_s[device]) for device in ("titanxp_1", "samsung_a50")}
    assert found["samsung_a50"].spearman > 0.95 > found["titanxp_1"].spearman
    assert found["titanxp_1"].average["gained"] > 1
    assert found["titanxp_1"].average["saved"] > 0.1
    assert all((gains.exhaustive["seen"] >= 0).all() for gains in found.values())
