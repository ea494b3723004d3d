"""The benchmark of the gap to the exact optimum: its tables, its share, and that it prints every strategy."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.exact_gap import STRATEGIES, Knapsack
from devices import WrongUse
from search.strategies import Strategy, Trial

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "exact_gap.py"


class Given(Strategy):
    """Proposes what it was given."""

    def __init__(self, *picks: tuple[int, ...]) -> None:
        self._left = list(picks)

    def ask(self, count: int) -> list[tuple[int, ...]]:
        asked, self._left = self._left[:count], self._left[count:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Nothing to learn."""


def test_the_gap_is_nothing_at_the_optimum_and_one_for_an_average_network() -> None:
    knapsack = Knapsack.drawn(0, 50.0, shape=(3, 4))
    every = np.array(list(itertools.product(range(4), repeat=3)))
    within = every[knapsack.feasible.contains(every)]
    scores = knapsack.score(within)
    assert knapsack.gap(Given(tuple(within[scores.argmax()].tolist())), 1) == pytest.approx(0.0, abs=1e-12)
    gaps = [knapsack.gap(Given(tuple(row)), 1) for row in within.tolist()]
    assert np.mean(gaps) == pytest.approx(1.0, abs=0.1)


def test_no_more_queries_are_made_than_allowed() -> None:
    knapsack = Knapsack.drawn(0, 50.0, shape=(3, 4))
    rows = [tuple(row) for row in knapsack.feasible.listed(64).tolist()]
    assert knapsack.gap(Given(*rows), len(rows)) == pytest.approx(0.0, abs=1e-12)
    assert knapsack.gap(Given(*rows), 1) == knapsack.gap(Given(rows[0]), 1)


def test_a_network_above_the_limit_ends_the_benchmark() -> None:
    knapsack = Knapsack.drawn(0, 10.0, shape=(3, 4))
    dearest = tuple(knapsack.costs.argmax(axis=1).tolist())
    with pytest.raises(WrongUse, match="Given must propose networks within the limit only"):
        knapsack.gap(Given(dearest), 1)


def test_every_strategy_is_printed(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--tables", "1", "--queries", "25", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["strategies"]
    assert list(rows) == list(STRATEGIES)
    assert all(0 <= row["mean"] < 2 for row in rows.values())
