"""The benchmark of zero-cost proxies: which cells are drawn, what a correlation is, and a run on a few small cells."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import zero_cost
from benchmarks.zero_cost import PROXIES, Drawn, Noise
from devices import WrongUse
from search.spaces.nasbench201_cells import write_cells
from tests.tiny_cells import ACCURACY, CELLS, tiny_cells


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cells(tmp_path_factory.mktemp("cells") / "cells.npz")


def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: object) -> str:
    monkeypatch.setattr(sys, "argv", ["zero_cost.py", *map(str, options)])
    zero_cost.main()
    return capsys.readouterr().out


def test_cells_are_drawn_once_each_with_their_accuracies(cells: Path) -> None:
    drawn = Drawn.read(cells, 40)
    assert len(np.unique(drawn.cells, axis=0)) == 40
    rows = [CELLS.tolist().index(cell) for cell in drawn.cells.tolist()]
    np.testing.assert_allclose(drawn.truth["cifar100"], ACCURACY[rows] + 5)
    np.testing.assert_allclose(drawn.short["cifar100"], ACCURACY[rows])
    np.testing.assert_array_equal(Drawn.read(cells, 40).cells, drawn.cells)


def test_cells_without_a_path_are_not_drawn(tmp_path: Path) -> None:
    arch = np.array(write_cells(np.array([(3, 3, 3, 3, 3, 3), (3, 0, 3, 0, 0, 0), (0, 0, 0, 1, 0, 0)])))
    file = tmp_path / "cells.npz"
    np.savez(file, arch=arch, **{"accuracy_200ep_test/cifar10": np.array([90.0, 10.0, 60.0])})
    assert sorted(Drawn.read(file, 2).truth["cifar10"].tolist()) == [60.0, 90.0]
    with pytest.raises(WrongUse, match="has 2 cells with a path from input to output; 3 were asked for"):
        Drawn.read(file, 3)


def test_correlations_are_of_ranks_and_of_the_better_half() -> None:
    accuracy = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
    scores = np.array([1.0, 2.0, 3.0, 600.0, 50.0, 4.0])
    found = Drawn(CELLS[:6], {"cifar10": accuracy}, {}).correlations({"cifar10": scores})["cifar10"]
    assert found["spearman"] == pytest.approx(1 - 6 * (2**2 + 2**2) / (6 * 35))
    assert found["kendall"] == pytest.approx((15 - 2 * 3) / 15)
    assert found["best_half"] == pytest.approx(-1)
    assert 0 < found["spread"] < 1


def test_a_score_that_is_the_same_for_all_has_no_correlation() -> None:
    found = Drawn(CELLS[:4], {"cifar10": np.arange(4.0)}, {}).correlations({"cifar10": np.array([1.0, 2.0, 3.0, 3.0])})
    assert math.isnan(found["cifar10"]["best_half"])
    assert found["cifar10"]["spearman"] > 0.9


def test_noise_is_the_same_at_every_reading() -> None:
    noise = Noise((8, 12))
    first, labels = noise.read(3)
    assert first.shape == (8, 12, 3)
    assert labels.shape == (8, 12)
    np.testing.assert_array_equal(noise.read(3)[0], first)
    assert (noise.read(4)[0] != first).mean() > 0.9


def test_every_score_is_printed(
    cells: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="torch is not installed; proxies look at its networks")
    options = ("--data", cells, "--cells", 5, "--input", 16, "--batch", 4)
    rows = json.loads(main(monkeypatch, capsys, *options, "--json"))
    assert list(rows) == ["macs", *PROXIES, "12 epochs"]
    assert all(-1 <= row["cifar100"]["spearman"] <= 1 for row in rows.values())
    assert rows["12 epochs"]["cifar100"]["spearman"] == pytest.approx(1), "the same order, 5 higher"
    assert all(rows[name]["s"] > 0 for name in PROXIES)


def test_the_table_has_a_line_for_each_score() -> None:
    figures = {"spearman": 0.5, "spread": 0.125, "kendall": 0.25, "best_half": -0.75}
    rows = {"macs": {"s": 0.0, "cifar10": figures}, "12 epochs": {"cifar10": figures}}
    arguments = zero_cost.argparse.Namespace(cells=5, input=32, seeds=1, batch=8)
    *_, macs, epochs = zero_cost._text(rows, ["cifar10", "cifar100"], arguments).splitlines()
    assert macs.split() == ["macs", "0.500", "+-", "0.125", "0.250", "-0.750", "-", "0.000"]
    assert epochs.split()[-2:] == ["-0.750", "-"], "what training for 12 epochs costs is not known here"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "none.npz"), "none.npz is missing"),
        (("--cells", "3"), "4 cells or more"),
        (("--cells", "97"), "has 96 cells"),
        (("--batch", "1"), "batches of 2 to 256"),
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
