"""Searches that were put together: which strategy, what is kept beside a result, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devices import NoAnswer, WrongUse
from paceline.search_goals import Settings, goals_of, open_ground, wanted_costs
from paceline.search_run import (
    BUDGET,
    DIFFERENTIABLE,
    Plan,
    checkpoint_of,
    chosen_strategy,
    history_of,
    put_away,
    result_of,
    run_plan,
)
from paceline.search_scores import Materials, read_choice
from search import Goal, Recipe, Trial
from tests.paceline.conftest import Command
from tests.paceline.small_benchmark import SCORE, small_benchmark

SETTINGS = Settings("demo", (32, 64), None, None, "scenes", [])

# Kills its own process, as a power cut would, when a number of networks has been scored that the environment tells.
DEADLY = '''
import os, signal

scored = 0


def units(space, architecture):
    """How many units do something, and which."""
    global scored
    if str(scored) == os.environ.get("KILLED_AFTER"):
        os.kill(os.getpid(), signal.SIGKILL)
    scored += 1
    return sum(pick * (place + 1) % 7 for place, pick in enumerate(architecture.picks))
'''


def goals(*limits: str, pareto: str = "") -> list[Goal]:
    wanted = wanted_costs(limits, None, [pareto] if pareto else [])
    return goals_of(open_ground(SETTINGS, wanted, None, None), wanted, None)


def tabular_plan(folder: Path, *limits: str, pareto: str = "", strategy: str = "random", budget: int = 30) -> Plan:
    path = small_benchmark(folder / "small.npz")
    choice = read_choice(f"{path}:{SCORE}")
    wanted = wanted_costs(limits, None, [pareto] if pareto else [])
    ground = open_ground(Settings(None, None, None, None, "scenes", []), wanted, choice.benchmark(), SCORE)
    out = folder / "found.json"
    materials = Materials(ground, "scenes", Recipe(), 1, checkpoint_of(out), None)
    return Plan(strategy, choice, goals_of(ground, wanted, None), bool(pareto), budget, materials, out)


@pytest.mark.parametrize(
    ("evaluator", "limits", "pareto", "usual"),
    [
        ("supernet", ["macs=50%"], "", DIFFERENTIABLE),
        ("supernet", ["parameters=50%"], "", DIFFERENTIABLE),
        ("supernet", ["memory=80%"], "", "surrogate"),
        ("supernet", ["macs=50%", "parameters=60%"], "", "surrogate"),
        ("synflow", ["macs=50%"], "", "surrogate"),
        ("supernet", ["macs=50%"], "macs", "nsga2"),
        ("synflow", [], "macs,memory", "nsga2"),
    ],
)
def test_the_usual_strategy_is_one_that_can(evaluator: str, limits: list[str], pareto: str, usual: str) -> None:
    choice, known = read_choice(evaluator), goals(*limits, pareto=pareto)
    assert chosen_strategy(None, choice, known, pareto=bool(pareto)) == usual
    assert chosen_strategy("random", choice, known, pareto=bool(pareto)) == "random"


def test_what_a_strategy_cannot_do_is_refused_with_one_that_can() -> None:
    with pytest.raises(WrongUse, match=r"own supernet, not with --evaluator naswot"):
        chosen_strategy(DIFFERENTIABLE, read_choice("naswot"), goals("macs=50%"), pareto=False)
    with pytest.raises(WrongUse, match=r"takes one limit.*such as surrogate"):
        chosen_strategy(DIFFERENTIABLE, read_choice("supernet"), goals("macs=50%", "memory=80%"), pareto=False)
    with pytest.raises(WrongUse, match=r"looks at the score alone.*nsga2 or random"):
        chosen_strategy("evolution", read_choice("synflow"), goals(pareto="macs"), pareto=True)


def test_a_misspelled_strategy_is_refused_with_all_there_are() -> None:
    with pytest.raises(WrongUse, match=r"Did you mean 'differentiable'.*surrogate"):
        chosen_strategy("differentable", read_choice("supernet"), goals("macs=50%"), pareto=False)


def test_an_impossible_limit_is_said_when_the_strategy_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="cheapest"):
        tabular_plan(tmp_path, "latency@board=1us").made()
    with pytest.raises(NoAnswer, match="at once"):
        tabular_plan(tmp_path, "latency@board=1.1ms", "latency@phone=5ms").made()


def test_all_limits_hold_and_the_result_names_them(tmp_path: Path) -> None:
    plan = tabular_plan(tmp_path, "latency@board=8ms", "latency@phone=7ms")
    found = run_plan(plan, plan.made())
    assert len(found.trials) == 30
    assert all(trial.feasible for trial in found.trials)
    result = result_of(plan, found)
    assert result.limits == {"latency on board": pytest.approx(0.008), "latency on phone": pytest.approx(0.007)}
    assert all(result.costs[title] <= limit for title, limit in result.limits.items())
    assert result.score == max(trial.score or 0.0 for trial in found.trials)


def test_a_front_holds_no_network_that_another_beats(tmp_path: Path) -> None:
    plan = tabular_plan(tmp_path, pareto="latency@board,latency@phone", strategy="nsga2", budget=60)
    result = result_of(plan, run_plan(plan, plan.made()))
    values = [(-point.score, *point.costs.values()) for point in result.front]
    assert len(values) > 2
    assert not [
        (one, other)
        for one in values
        for other in values
        if one != other and all(a <= b for a, b in zip(one, other, strict=True))
    ]
    assert result.limit is None


def test_few_networks_are_trained_and_many_looked_up(tmp_path: Path) -> None:
    plan = tabular_plan(tmp_path, "latency@board=6ms", budget=0)
    assert plan.networks == BUDGET
    trained = Plan("random", read_choice("train"), plan.goals, False, None, plan.materials, plan.out)
    assert trained.networks == Recipe().search.candidates


def test_a_search_within_a_wider_limit_is_another_one(tmp_path: Path) -> None:
    for limit in ("latency@board=5ms", "latency@board=5ms"):
        plan = tabular_plan(tmp_path, limit)
        run_plan(plan, plan.made())
    wider = tabular_plan(tmp_path, "latency@board=6ms")
    with pytest.raises(WrongUse, match=r"another search, with other (costs and )?limits"):
        run_plan(wider, wider.made())
    put_away(wider.out)
    assert len(run_plan(wider, wider.made()).trials) == 30
    assert history_of(wider.out).with_name("found.search.trials.jsonl.old").exists()


def test_a_search_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ("search", "--space", "demo", "--limit", "macs=70%", "--evaluator", "deadly.py:units", "--seed", "3")
    search = (*search, "--budget", "35", "--out", "found.json", "--json")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
        (folder / "deadly.py").write_text(DEADLY)
    known = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "KILLED_AFTER": "27"}
    ended = subprocess.run(
        [sys.executable, "-m", "paceline", *search],
        cwd=killed,
        env=known,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (killed / "found.json").exists()
    assert len(history_of(killed / "found.json").read_text().splitlines()) == 1 + 27
    found = []
    for folder in (killed, whole):
        monkeypatch.chdir(folder)
        found.append(command(*search).json)
    assert found[0] == found[1]
    assert history_of(killed / "found.json").read_bytes() == history_of(whole / "found.json").read_bytes()
    assert (found[0]["strategy"], found[0]["meaning"]) == ("surrogate", "How many units do something, and which")


def test_what_was_never_searched_is_not_put_away(tmp_path: Path) -> None:
    put_away(tmp_path / "found.json")
    assert not list(tmp_path.iterdir())
    history_of(tmp_path / "found.json").write_text(json.dumps(Trial((0,), 1.0, feasible=True).to_json()) + "\n")
    put_away(tmp_path / "found.json")
    assert [path.name for path in tmp_path.iterdir()] == ["found.search.trials.jsonl.old"]


def test_what_was_put_away_before_stays(tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        history_of(tmp_path / "found.json").write_text(text)
        put_away(tmp_path / "found.json")
    kept = {path.name.removeprefix("found.search.trials.jsonl"): path.read_text() for path in tmp_path.iterdir()}
    assert kept == {".old": "first", ".old.2": "second", ".old.3": "third"}


def test_what_belongs_together_is_put_away_together(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    history_of(out).write_text("of the first, which had no supernet")
    put_away(out)
    for path in (history_of(out), checkpoint_of(out)):
        path.write_text("of the second")
    put_away(out)
    assert [path.read_text() for path in tmp_path.glob("*.old.2")] == ["of the second"] * 2
    assert len(list(tmp_path.glob("*.old"))) == 1


def test_an_installed_strategy_is_used_by_its_name(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.py").write_text("from search import UniformStrategy as Mine\n")
    info = tmp_path / "site" / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[paceline.strategies]\nmine = mine:Mine\nhalf = mine:Half\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    path = small_benchmark(tmp_path / "small.npz")
    search = ("search", "--evaluator", f"{path}:{SCORE}", "--limit", "latency@board=6ms", "--budget", 5)
    ended = command(*search, "--strategy", "mine", "--out", tmp_path / "found.json", "--json")
    assert ended.status == 0, ended.err
    assert ended.json["strategy"] == "mine"
    broken = command(*search, "--strategy", "half", "--out", tmp_path / "found.json")
    assert broken.status == 2
    assert "registered as mine:Half" in broken.err
