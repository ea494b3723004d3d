"""The file of a search's trials: what a kill leaves, and whose it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devices import WrongUse
from search import Trial
from search.history import History

TRIALS = [Trial((0, index), 1.0 + index, feasible=True, score=index / 8) for index in range(4)]
ROOT = Path(__file__).resolve().parents[2]


def fits(trial: Trial) -> bool:
    return len(trial.picks) == 2


def filled(path: Path, identity: dict[str, object] | None = None) -> History:
    history = History(path, identity)
    for trial in TRIALS:
        history.append(trial)
    return history


@pytest.mark.parametrize("identity", [None, {"seed": 3, "limits": (1.0, 2.0)}])
def test_what_was_appended_is_read_back(tmp_path: Path, identity: dict[str, object] | None) -> None:
    path = tmp_path / "runs" / "history.jsonl"
    assert filled(path, identity).read(fits) == TRIALS
    assert History(path, identity).read(fits) == TRIALS
    assert len(path.read_text().splitlines()) == len(TRIALS) + (identity is not None)


def test_without_a_path_nothing_is_kept() -> None:
    history = History(None)
    history.append(TRIALS[0])
    assert history.read(fits) == []


def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    filled(path, {"seed": 1})
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        kept = max(0, whole[:length].count(b"\n") - 1)
        assert History(path, {"seed": 1}).read(fits) == TRIALS[:kept]
        assert path.read_bytes() == b"".join(lines[: whole[:length].count(b"\n")])
    assert History(path, {"seed": 1}).read(fits) == TRIALS[:-1]
    History(path, {"seed": 1}).append(TRIALS[-1])
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("written", "own", "named"),
    [
        ({"seed": 1, "strategy": "random"}, {"seed": 2, "strategy": "random"}, "with other seed"),
        ({"seed": 1}, None, "with other seed"),
        (None, {"seed": 1}, "with other seed"),
        ({"seed": 1, "limit": 3.0}, {"seed": 2}, "with other limit and seed"),
    ],
)
def test_the_history_of_another_search_is_refused_with_what_differs(
    tmp_path: Path, written: dict[str, object] | None, own: dict[str, object] | None, named: str
) -> None:
    filled(tmp_path / "history.jsonl", written)
    with pytest.raises(WrongUse, match=f"belongs to another search, {named}"):
        History(tmp_path / "history.jsonl", own).read(fits)


def test_the_history_of_a_later_version_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "history.jsonl", {"seed": 1})
    text = (tmp_path / "history.jsonl").read_text()
    (tmp_path / "history.jsonl").write_text(text.replace('"schema": 1', '"schema": 2'))
    with pytest.raises(WrongUse, match="it has schema 2, and this version knows 1"):
        History(tmp_path / "history.jsonl", {"seed": 1}).read(fits)


def test_trials_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    filled(tmp_path / "history.jsonl")
    with pytest.raises(WrongUse, match="do not fit this space, cost and limit"):
        History(tmp_path / "history.jsonl").read(lambda trial: trial.picks[1] < 3)


def test_an_empty_file_is_a_history_without_trials(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").touch()
    assert History(tmp_path / "history.jsonl", {"seed": 1}).read(fits) == []
    assert filled(tmp_path / "history.jsonl", {"seed": 1}).read(fits) == TRIALS


_SEARCH = """
import sys, os, signal
import numpy as np
from pathlib import Path
from search.cost import Goal
from search.listed import ListedCost, ListedNetworks
from search.loop import run
from search.strategies import ListedFeasible, RegularizedEvolution

picks = np.array([(a, b) for a in range(8) for b in range(8)])
names = tuple(map(str, range(8)))
networks = ListedNetworks("grid", {"a": names, "b": names}, picks, (0, 0))
cost = ListedCost("macs", networks, 1.0 + picks.sum(axis=1))
asked = []

def score(network):
    asked.append(network)
    if len(asked) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return float(network[0])

strategy = RegularizedEvolution(ListedFeasible(picks, cost.costs, 9.0), 5, population=6, tournament=3)
trials = run(strategy, score, cost, 9.0, 20, Path(sys.argv[1]), identity={"seed": 5})
print(len(trials), len(asked))
"""


def test_a_search_that_was_killed_for_good_loses_one_evaluation_and_ends_as_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(history: Path, dies_at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _SEARCH, str(history), str(dies_at)]
        # Another order of every set in each process.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(dies_at)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    killed, whole = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    assert search(killed, 8).returncode == -signal.SIGKILL
    assert len(killed.read_text().splitlines()) == 1 + 7
    went_on = search(killed, 99)
    assert went_on.stdout.split() == ["20", "13"], went_on.stderr
    monkeypatch.setattr(sys, "argv", ["-c", str(whole), "99"])
    exec(_SEARCH, {})  # noqa: S102 - the same search in this process
    assert killed.read_bytes() == whole.read_bytes()
    assert len({tuple(json.loads(line)["picks"]) for line in whole.read_text().splitlines()[1:]}) == 20
