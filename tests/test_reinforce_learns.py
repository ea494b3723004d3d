"""The benchmark of the controller: rewards in order, parts of a run, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reinforce_learns import STRATEGIES, Problem, blocks, cells, main, networks
from devices import WrongUse
from search import ListedFeasible, Strategy, Trial, UniformStrategy

PICKS = np.array([[n, m] for n in range(5) for m in range(4)])
PROBLEM = Problem("sums", ListedFeasible(PICKS, PICKS[:, 0].astype(float), 3.0), lambda picks: float(sum(picks)))


class Given(Strategy):
    """Proposes what it was given, two at a time."""

    def __init__(self, *picks: tuple[int, ...]) -> None:
        self._left, self.told = list(picks), list[Trial]()

    def ask(self, count: int) -> list[tuple[int, ...]]:
        asked, self._left = self._left[: min(2, count)], self._left[min(2, count) :]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += trials


def test_rewards_are_scores_in_the_order_of_queries_and_told() -> None:
    strategy = Given((0, 1), (3, 3), (2, 0), (1, 1))
    assert PROBLEM.rewards(strategy, 3).tolist() == [1.0, 6.0, 2.0]
    assert [trial.score for trial in strategy.told] == [1.0, 6.0, 2.0]


@pytest.mark.parametrize("picks", [[(4, 0)], []], ids=["above the limit", "nothing left"])
def test_what_is_not_within_the_limit_ends_the_benchmark(picks: list[tuple[int, ...]]) -> None:
    with pytest.raises(WrongUse, match="Given must propose 1 networks within the limit"):
        PROBLEM.rewards(Given(*picks), 1)


def test_parts_are_means_of_tenths_of_each_run() -> None:
    rewards = np.stack([np.arange(20.0), np.ones(20)])
    assert blocks(rewards)[0].tolist() == [0.5 + 2 * part for part in range(10)]
    assert blocks(rewards)[1].tolist() == [1.0] * 10


def test_random_draws_of_networks_do_not_get_better() -> None:
    problem = networks()
    rewards = np.stack([problem.rewards(UniformStrategy(problem.feasible, seed), 200) for seed in range(3)])
    parts = blocks(rewards)
    assert abs(parts[:, 5:].mean() - parts[:, :5].mean()) < 5 * rewards.std() / 300**0.5


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse):
        cells(tmp_path / "none.npz", "raspi4", "cifar10")


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What the command says of two short runs."""
    monkeypatch.setattr(sys, "argv", ["reinforce_learns.py", "--seeds", "2", "--queries", "20", *options])
    main()
    return capsys.readouterr().out


def test_every_strategy_is_told_and_drawn_with_its_gain_over_random(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; the plot is drawn with it")
    result = json.loads(told(monkeypatch, capsys, "--json", "--out", str(tmp_path / "runs")))[0]
    assert list(result["scores"]) == list(STRATEGIES)
    of, random = (np.array(result["scores"][name]["mean"]) for name in ("REINFORCE", "random"))
    assert result["gains"]["REINFORCE"]["mean"] == pytest.approx(of - random)
    assert (tmp_path / "runs" / "reinforce_learns.png").read_bytes().startswith(b"\x89PNG")


def test_ten_parts_and_the_best_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(monkeypatch, capsys).splitlines()
    assert [line.split()[0] for line in lines[-11:]] == [*map(str, range(1, 11)), "best"]


def test_one_seed_has_no_spread(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WrongUse, match="At least 2 seeds"):
        told(monkeypatch, capsys, "--seeds", "1")
