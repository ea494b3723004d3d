"""Scores from a table."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from search.evaluators import TabularEvaluator
from search.spaces.nasbench201_cells import write_cells
from search.tabular_benchmark import TabularBenchmark

CELLS = np.array([(3, 3, 3, 3, 3, 3), (3, 0, 3, 1, 0, 1)])
COLUMN = "accuracy_12ep_val/cifar10"


def benchmark(path: Path, first: float = 90.0) -> TabularBenchmark:
    np.savez(path, arch=np.array(write_cells(CELLS)), **{COLUMN: np.array([first, 85.5])})
    return TabularBenchmark.read(path)


def test_scores_are_looked_up(tmp_path: Path) -> None:
    evaluator = TabularEvaluator(benchmark(tmp_path / "cells.npz"), COLUMN)
    assert evaluator.score((3, 0, 3, 1, 0, 1)) == 85.5
    assert math.isnan(evaluator.score((0,) * 6))
    assert evaluator.meaning == "validation accuracy after 12 epochs on cifar10, %"
    assert evaluator.words(85.5) == "85.50 %"


def test_other_numbers_are_another_evaluator(tmp_path: Path) -> None:
    keys = [TabularEvaluator(benchmark(tmp_path / "cells.npz", first), COLUMN).key for first in (90.0, 90.0, 91.0)]
    assert keys[0] == keys[1] != keys[2]


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="Did you mean 'accuracy_12ep_val/cifar10'"):
        TabularEvaluator(benchmark(tmp_path / "cells.npz"), "accuracy_12ep_val/cifar")
