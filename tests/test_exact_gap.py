"""The benchmark of the gap to the exact optimum: its tables, its share, and that it prints every strategy."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.exact_gap import DEFAULT, Knapsack, main
from devices import WrongUse
from search import Strategy, Trial


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


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What the command says."""
    monkeypatch.setattr(sys, "argv", ["exact_gap.py", "--tables", "1", *options])
    main()
    return capsys.readouterr().out


def test_every_strategy_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(monkeypatch, capsys, "--queries", "12")
    assert [line.split()[0] for line in text.splitlines()[-len(DEFAULT) :]] == list(DEFAULT)


def test_chosen_strategies_alone_are_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(monkeypatch, capsys, "--queries", "20", "--json", "--strategies", "evolution", "random")
    rows = json.loads(text)["strategies"]
    assert list(rows) == ["evolution", "random"]
    assert all(0 <= row["mean"] < 2 for row in rows.values())


@pytest.mark.parametrize("options", [["--queries", "0"], ["--strategies", "luck"]])
def test_what_cannot_be_run_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    with pytest.raises(WrongUse, match=r"At least one|luck"):
        printed(monkeypatch, capsys, *options)
