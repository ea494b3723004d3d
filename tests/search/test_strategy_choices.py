"""Strategies by name: each of them proposes networks within the limits and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices import NotAvailable, WrongUse
from search import Trial
from search.strategies import AdditiveFeasible
from search.strategy_choices import DEFAULT_STRATEGY, STRATEGIES, known_strategies, open_strategy

COSTS = np.random.default_rng(0).random((5, 4))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_stays_within_the_limits_and_repeats_nothing(name: str) -> None:
    if name.startswith("optuna"):
        pytest.importorskip("optuna", reason="optuna is not installed")
    feasible = AdditiveFeasible(COSTS, 2.0)
    strategy, proposed = open_strategy(name, feasible, 1), list[tuple[int, ...]]()
    while len(proposed) < 60:
        asked = strategy.ask(60 - len(proposed))
        strategy.tell([Trial(picks, 1.0, feasible=True, score=float(sum(picks))) for picks in asked])
        proposed += asked
    assert feasible.contains(np.array(proposed)).all()
    assert len(set(proposed)) == 60


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongUse, match=r"no strategy 'evolutoin'. Did you mean 'evolution'"):
        open_strategy("evolutoin", AdditiveFeasible(COSTS, 2.0), 0)


def test_the_default_is_the_surrogate() -> None:
    assert DEFAULT_STRATEGY == "surrogate"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution on the path that registers strategies, most of them broken in one way or another."""
    (tmp_path / "plugged.py").write_text(
        "import numpy as np\n\nfrom search import Strategy\n\n\n"
        "class Own(Strategy):\n"
        "    def __init__(self, feasible, seed):\n"
        "        self.drawn = feasible.draw(3, np.random.default_rng(seed)).tolist()\n\n"
        "    def ask(self, count):\n"
        "        return list(dict.fromkeys(map(tuple, self.drawn)))[:count]\n\n"
        "    def tell(self, trials):\n"
        "        pass\n\n\n"
        "def nothing(feasible, seed):\n"
        "    return None\n\n\n"
        "number = 3\n"
    )
    (tmp_path / "lacking.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "torn.py").write_text("def ask(:\n")
    (tmp_path / "failing.py").write_text("import os\n\nos.environ['A_VARIABLE_THAT_NOBODY_SETS']\n")
    information = tmp_path / "plugged-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[paceline.strategies]\nown = plugged:Own\nnothing = plugged:nothing\nnumber = plugged:number\n"
        "gone = plugged:gone\nlacking = lacking:Own\ntorn = torn:Own\nfailing = failing:Own\nrandom = torn:Own\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_an_installed_strategy_is_one_more_name_and_is_imported_when_it_is_named() -> None:
    assert {*STRATEGIES, "own", "torn"} <= set(known_strategies())
    assert known_strategies().count("random") == 1
    feasible = AdditiveFeasible(COSTS, 2.0)
    assert feasible.contains(np.array(open_strategy("own", feasible, 0).ask(2))).all()
    assert open_strategy("random", feasible, 0).ask(1), "the name of what ships is taken"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("nothing", WrongUse, r"must be a search\.Strategy; got a NoneType"),
        ("number", WrongUse, r"registered as plugged:number, which must take"),
        ("gone", WrongUse, r"registered as plugged:gone, which is broken \(AttributeError"),
        ("lacking", NotAvailable, r"a_package_that_is_not_there.*Install what it needs"),
        ("torn", WrongUse, r"registered as torn:Own, which is broken \(SyntaxError"),
        ("failing", WrongUse, r"registered as failing:Own, which is broken \(KeyError"),
        ("owm", WrongUse, r"Did you mean 'own'"),
    ],
)
def test_a_broken_one_is_an_error_when_it_is_named(name: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        open_strategy(name, AdditiveFeasible(COSTS, 2.0), 0)
