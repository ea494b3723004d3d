"""Strategies by name: each of them proposes networks within the limits and no others."""

from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from search import Trial
from search.strategies import AdditiveFeasible
from search.strategy_choices import DEFAULT_STRATEGY, STRATEGIES, open_strategy

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
