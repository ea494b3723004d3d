"""The benchmark of searches under a limit: regrets by hand, paired differences, and a run that goes on where it was."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import nasbench201_limit
from benchmarks.nasbench201_limit import OURS, Problem
from benchmarks.nasbench201_limit_shown import DEFAULT, Found, Outcome, Results, Task
from search.strategies import FeasibleSet, Strategy, Trial
from search.tabular_benchmark import TabularBenchmark
from tests.tiny_cells import ACCURACY, CELLS, WORK, tiny_cells

OURS_ONLY = ("--searches", "random", "surrogate")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cells(tmp_path_factory.mktemp("cells") / "cells.npz")


@pytest.fixture
def problem(data: Path) -> Problem:
    """At most 20 of work, or 21 ms; the second best by score is the best by what counts."""
    found = Problem.of(TabularBenchmark.read(data), "cifar100", "sum", 50)
    second = np.flatnonzero(WORK <= 20)[np.argsort(ACCURACY[WORK <= 20])[-2]]
    truth = found.truth.copy()
    truth[second] += 7
    return replace(found, limit_s=0.021, truth=truth)


def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: object) -> str:
    monkeypatch.setattr(sys, "argv", ["nasbench201_limit.py", *map(str, options)])
    nasbench201_limit.main()
    return capsys.readouterr().out


class Proposes(Strategy):
    """Proposes some cells once, whatever their latency."""

    def __init__(self, rows: Sequence[int]) -> None:
        self._left = [tuple(cell) for cell in CELLS[list(rows)].tolist()]

    def ask(self, count: int) -> list[tuple[int, ...]]:
        asked, self._left = self._left[:count], self._left[count:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Nothing to learn."""


def test_a_limit_is_a_percentile_of_the_latencies(data: Path) -> None:
    problem = Problem.of(TabularBenchmark.read(data), "cifar100", "sum", 30)
    assert problem.limit_s == pytest.approx(np.percentile(1.0 + WORK, 30) / 1e3)
    listed = problem.feasible.listed(1000)
    assert listed is not None
    assert {tuple(row) for row in listed.tolist()} == {
        tuple(cell) for cell, work in zip(CELLS.tolist(), WORK, strict=True) if (1 + work) / 1e3 <= problem.limit_s
    }


def test_a_search_of_everything_ends_at_the_floor(problem: Problem) -> None:
    outcome = problem.outcome("random", 0, 200)
    within = int((WORK <= 20).sum())
    best, second = np.sort(ACCURACY[WORK <= 20])[:-3:-1]
    assert outcome.queries == outcome.proposals == within < 96
    assert outcome.over == 0
    assert outcome.gap == 0
    assert outcome.regret == pytest.approx(problem.floor) == pytest.approx(second + 7 - best)


@pytest.mark.parametrize("name", list(OURS))
def test_ours_keep_to_limit_and_queries(problem: Problem, name: str) -> None:
    if name == "REINFORCE":
        pytest.importorskip("torch", reason="torch is not installed; the controller is its network")
    outcome = problem.outcome(name, 1, 24)
    assert (outcome.queries, outcome.over) == (24, 0)
    assert outcome.regret >= 0


def test_cells_above_the_limit_are_counted_and_are_no_queries(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [int(WORK.argmax()), int(WORK.argmin())]

    def proposes(_feasible: FeasibleSet, _seed: int) -> Strategy:
        return Proposes(rows)

    monkeypatch.setitem(OURS, "surrogate", proposes)  # type: ignore[misc]
    outcome = problem.outcome("surrogate", 0, 5)
    assert (outcome.over, outcome.queries) == (1, 1)
    assert outcome.gap == pytest.approx(ACCURACY[WORK <= 20].max() - ACCURACY[rows[1]])


def results(regrets: dict[str, list[list[float]]]) -> tuple[list[Task], Results]:
    """Of two problems and three seeds, by search."""
    problems = [("cifar100", "one", 10.0), ("cifar100", "two", 60.0)]
    tasks = [(*problem, seed) for seed in range(3) for problem in problems]
    found: Results = {
        task: {
            name: Outcome(values[problems.index(task[:3])][task[3]], 0.1, 20, 40, 0, 1.5)
            for name, values in regrets.items()
        }
        for task in tasks
    }
    return tasks, found


def test_means_errors_and_paired_differences() -> None:
    regrets = {DEFAULT: [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], "pymoo GA": [[2.0, 2.0, 5.0], [0.0, 0.0, 3.0]]}
    tasks, found = results(regrets)
    shown = Found.of(found, np.array([0.5, 0.1]), tasks, list(regrets), 20)
    row = shown.row(DEFAULT)
    assert (row["p10"], row["p60"], row["mean"]) == (2.0, 0.0, 1.0)
    assert row["error"] == pytest.approx(np.std([0.5, 1.0, 1.5], ddof=1) / 3**0.5)
    assert (row["proposals"], row["short"], row["over"]) == (2.0, 0, 0)
    than = shown.against("pymoo GA")
    assert than["more"] == pytest.approx(1.0)
    assert than["by_seeds"] == pytest.approx(np.std([0.5, 0.0, 2.5], ddof=1) / 3**0.5)
    assert than["by_problems"] == pytest.approx(0.0)
    assert than["problems"] == 2
    assert f"{DEFAULT} beats 1 of 1 peers on mean regret: pymoo GA" in shown.text()
    assert "floor" in shown.text()


def test_a_peer_that_is_better_is_not_said_to_be_beaten() -> None:
    tasks, found = results({DEFAULT: [[1.0, 1.0, 1.0]] * 2, "pymoo GA": [[0.5, 0.5, 0.5]] * 2})
    text = Found.of(found, np.array([0.0, 0.0]), tasks, [DEFAULT, "pymoo GA"], 20).text()
    assert "beats 0 of 1 peers on mean regret: none" in text


def test_searches_that_ended_early_are_counted() -> None:
    tasks, found = results({DEFAULT: [[1.0, 2.0, 3.0]] * 2})
    found[tasks[0]][DEFAULT] = replace(found[tasks[0]][DEFAULT], queries=17)
    found[tasks[1]][DEFAULT] = replace(found[tasks[1]][DEFAULT], queries=26)
    assert Found.of(found, np.array([0.0, 0.0]), tasks, [DEFAULT], 20).row(DEFAULT)["short"] == 1


def test_a_single_seed_has_no_error() -> None:
    tasks, found = results({DEFAULT: [[1.0, 2.0, 3.0]] * 2})
    shown = Found.of(found, np.array([0.0, 0.0]), tasks[:2], [DEFAULT], 20)
    assert math.isnan(shown.row(DEFAULT)["error"])


def test_a_run_goes_on_where_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs" / "limit.jsonl"
    common = ("--data", data, "--queries", 22, "--limits", 30, 60, "--out", out, "--json", *OURS_ONLY)
    first = main(monkeypatch, capsys, *common, "--devices", "sum", "--seeds", 1)
    lines = out.read_text().splitlines()
    assert len(lines) == 2
    out.write_text("\n".join(lines) + "\n" + lines[1][:40])  # As if it had been killed while it wrote.
    assert main(monkeypatch, capsys, *common, "--devices", "sum", "--seeds", 1) == first
    assert out.read_text().count("\n") == 2, "nothing is searched again"
    found = json.loads(first)
    assert set(found["searches"]) == {"random", "surrogate"}
    assert found["searches"]["surrogate"]["p30"] >= 0
    assert set(found["against"]) == {"random"}


def test_outcomes_of_other_numbers_of_queries_are_not_taken(tmp_path: Path) -> None:
    out = tmp_path / "limit.jsonl"
    task: Task = ("cifar100", "sum", 30.0, 0)
    outcome = Outcome(0.5, 0.1, 20, 20, 0, 1.0)
    row = {"task": task, "queries": 20, "outcomes": {"random": asdict(outcome)}}
    out.write_text(json.dumps(row) + "\n")
    assert nasbench201_limit._earlier(out, 20) == {task: {"random": outcome}}
    assert nasbench201_limit._earlier(out, 30) == {}


def test_processes_find_the_same(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--data", data, "--queries", 8, "--seeds", 2, "--devices", "sum", "--limits", 60, "--json")
    options += ("--searches", "random", "evolution")
    found = [json.loads(main(monkeypatch, capsys, *options, "--processes", count)) for count in (1, 2)]
    for row in (row for one in found for row in one["searches"].values()):
        del row["seconds"]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "none.npz"), "none.npz is missing"),
        (("--dataset", "mnist"), "no accuracies on mnist"),
        (("--devices", "nano"), "nano"),
        (("--searches", "luck"), "There is no search luck; there are random"),
        (("--queries", "0"), "must be 1 or more"),
    ],
)
def test_what_cannot_be_done_is_said(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    words: str,
) -> None:
    with pytest.raises(nasbench201_limit.WrongUse, match=words):
        main(monkeypatch, capsys, "--data", data, *options)


def test_a_file_of_something_else_is_not_gone_on_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "notes.jsonl"
    out.write_text('{"task": 3}\n')
    with pytest.raises(nasbench201_limit.WrongUse, match=r"notes\.jsonl is no file of this benchmark"):
        main(monkeypatch, capsys, "--data", data, "--out", out, *OURS_ONLY)
    assert out.read_text() == '{"task": 3}\n'
