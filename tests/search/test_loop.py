"""The loop of every search: never above the limit, whatever is proposed, and resumable at any moment."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import NoAnswer, WrongUse
from search import Objective, PolicyStrategy, Strategy, Trial, best, run
from search.cost import Goal

MakeObjective = Callable[..., Objective]
Picks = tuple[int, ...]

COSTS = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [np.nan, 2.0, 4.0]])


class Proposing(Strategy):
    """Proposes what it was given, good or bad, and remembers what it was told."""

    def __init__(self, networks: Sequence[Picks]) -> None:
        self._left = list(networks)
        self.told: list[Trial] = []

    def ask(self, count: int) -> list[Picks]:
        asked, self._left = self._left[:count], self._left[count:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += trials


EVERY = list(itertools.product(range(3), repeat=3))


class Score:
    """Scores that anyone can work out, counted; dies before the call of that number."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.calls: list[Picks] = []
        self._dies_at = dies_at

    def __call__(self, picks: Picks) -> float:
        if len(self.calls) == self._dies_at:
            raise KeyboardInterrupt
        self.calls.append(picks)
        return sum((7 * pick + unit) % 5 for unit, pick in enumerate(picks)) / 20


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(0, 40), st.booleans())
@settings(max_examples=80)
def test_whatever_is_proposed_the_best_is_within_the_limit_and_nothing_above_is_evaluated(
    costing: MakeObjective, units: int, candidates: int, seed: int, budget: int, by_policy: bool
) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((units, candidates)) * 10.0 ** rng.integers(-6, 10)
    costs[rng.random(costs.shape) < 0.2] = np.nan
    objective = costing(costs, 0.1 * rng.random())
    limit = float(np.nanmean(costs) * units * rng.uniform(0, 2)) if (~np.isnan(costs)).any() else 1.0
    proposed = [tuple(int(pick) for pick in row) for row in rng.integers(0, candidates, (30, units))]
    policy = rng.dirichlet(np.ones(candidates), size=units)
    score = Score()
    try:
        objective.refuse_impossible(limit)
        strategy = PolicyStrategy(policy, costs, limit - objective.fixed, 0) if by_policy else Proposing(proposed)
        trials = run(strategy, score, objective, limit, budget)
        found = best(trials, objective, limit)
    except NoAnswer:
        assert all(not objective.cost_of(picks) <= limit for picks in score.calls)
        return
    assert objective.cost_of(found.picks) <= limit
    assert all(objective.cost_of(picks) <= limit for picks in score.calls)
    assert found.score == max(trial.score for trial in trials if trial.score is not None)
    assert len(trials) <= budget


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.999))
def test_what_no_network_meets_is_refused_before_anything_is_done(
    costing: MakeObjective, seed: int, share: float
) -> None:
    objective = costing(np.random.default_rng(seed).random((5, 4)) + 0.1)
    strategy, score = Proposing([(0,) * 5]), Score()
    with pytest.raises(NoAnswer, match="No network of bare is within"):
        run(strategy, score, objective, share * objective.cost_of(objective.cheapest()), 10)
    assert (score.calls, strategy.told) == ([], [])


@pytest.mark.parametrize("above", [0.0, 1e-15, 1e-6, 0.01])
def test_the_limit_is_the_limit_to_the_last_digit(costing: MakeObjective, above: float) -> None:
    objective, score = costing(COSTS / 3, 0.1), Score()
    limit = objective.cost_of((1, 1, 1)) / (1 + above)
    assert [trial.feasible for trial in run(Proposing([(1, 1, 1)]), score, objective, limit, 1)] == [above == 0]
    assert len(score.calls) == (above == 0)


def test_trials_say_what_became_of_each_network(costing: MakeObjective) -> None:
    strategy, networks = Proposing([(0, 0, 1), (0, 0, 0), (2, 2, 2)]), []
    trials = run(
        strategy, lambda picks: 0.25, costing(COSTS, 1.0), 8.0, 10, tell=lambda all_: networks.append(len(all_))
    )
    assert trials == [
        Trial((0, 0, 1), 5.0, feasible=True, score=0.25),
        Trial((0, 0, 0), None, feasible=False),
        Trial((2, 2, 2), 13.0, feasible=False),
    ]
    assert strategy.told == trials
    assert networks == [0, 1, 2, 3]


def test_the_budget_counts_all_networks(costing: MakeObjective) -> None:
    assert len(run(Proposing(EVERY), Score(), costing(COSTS), 6.0, 5)) == 5
    assert run(Proposing(EVERY), Score(), costing(COSTS), 6.0, 0) == []


def test_a_strategy_with_nothing_left_ends_the_search(costing: MakeObjective) -> None:
    assert len(run(Proposing(EVERY[:3]), Score(), costing(COSTS), 99.0, 10)) == 3


@pytest.mark.parametrize("at", [0, 1, 6, 11])
@pytest.mark.parametrize("torn", [b"", b'{"picks": [0, 1', b"\xff\xfe{"])
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    costing: MakeObjective, tmp_path: Path, at: int, torn: bytes
) -> None:
    def strategy() -> Strategy:
        return PolicyStrategy(np.full((3, 3), 1 / 3), COSTS, 8.0, seed=1)

    whole = run(strategy(), Score(), costing(COSTS), 8.0, 30, tmp_path / "whole.jsonl")
    assert len(whole) == 12
    history = tmp_path / "runs" / "history.jsonl"
    first, second = Score(dies_at=at), Score()
    with pytest.raises(KeyboardInterrupt):
        run(strategy(), first, costing(COSTS), 8.0, 30, history)
    if history.exists():
        history.write_bytes(history.read_bytes() + torn)
    assert run(strategy(), second, costing(COSTS), 8.0, 30, history) == whole
    assert [*first.calls, *second.calls] == [trial.picks for trial in whole]
    assert history.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_finished_search_evaluates_nothing_more(costing: MakeObjective, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    trials = run(Proposing(EVERY), Score(), costing(COSTS), 8.0, 9, history)
    again = Score()
    assert run(Proposing(EVERY), again, costing(COSTS), 8.0, 9, history) == trials
    assert again.calls == []


def test_networks_above_the_limit_are_in_the_history_too(costing: MakeObjective, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    trials = run(Proposing([(2, 2, 2), (0, 0, 0), (0, 0, 1)]), Score(), costing(COSTS), 5.0, 9, history)
    assert [Trial.from_json(json.loads(line)) for line in history.read_text().splitlines()] == trials


@pytest.mark.parametrize(
    ("costs", "limit"),
    [
        (COSTS, 4.0),
        (COSTS[:2], 8.0),
        (np.vstack([COSTS, COSTS[:1]]), 20.0),
        (COSTS[:, [1, 2]], 20.0),
        (COSTS * 1e-3, 8.0),
    ],
    ids=["lower limit", "fewer units", "more units", "fewer candidates", "other costs"],
)
def test_the_history_of_another_search_is_refused(
    costing: MakeObjective, tmp_path: Path, costs: np.ndarray, limit: float
) -> None:
    history = tmp_path / "history.jsonl"
    run(Proposing([(2, 0, 1)]), Score(), costing(COSTS), 8.0, 9, history)
    before = history.read_bytes()
    with pytest.raises(WrongUse, match="belongs to another search"):
        run(Proposing([]), Score(), costing(costs), limit, 9, history)
    assert history.read_bytes() == before


@pytest.mark.parametrize("line", ["", "[]", "null", "{}", "not JSON", '{"picks": [0, 0, 1], "cost": 4.0}', "\udcff"])
def test_a_damaged_history_is_refused(costing: MakeObjective, tmp_path: Path, line: str) -> None:
    history = tmp_path / "history.jsonl"
    run(Proposing(EVERY), Score(), costing(COSTS), 8.0, 3, history)
    good = history.read_bytes()
    history.write_bytes(line.encode(errors="surrogateescape") + b"\n" + good)
    with pytest.raises(WrongUse, match="is no history of a search"):
        run(Proposing([]), Score(), costing(COSTS), 8.0, 3, history)


def test_a_limit_worked_out_with_numpy_is_fine_in_a_history(costing: MakeObjective, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    trials = run(Proposing(EVERY), Score(), costing(COSTS), np.float64(8.0), 3, history)
    assert run(Proposing(EVERY), Score(), costing(COSTS), 8.0, 3, history) == trials


def test_the_best_is_the_highest_score_and_among_equals_the_cheapest(costing: MakeObjective) -> None:
    trials = [
        Trial((2, 0, 1), 7.0, feasible=True, score=0.0),
        Trial((0, 0, 2), 6.0, feasible=True, score=0.5),
        Trial((0, 0, 1), 4.0, feasible=True, score=0.5),
        Trial((1, 0, 1), 5.0, feasible=True, score=0.4),
        Trial((2, 2, 2), 12.0, feasible=False),
        Trial((0, 0, 0), None, feasible=False),
    ]
    for order in itertools.permutations(trials):
        assert best(order, costing(COSTS), 8.0).picks == (0, 0, 1)


def test_without_a_network_within_there_is_no_answer(costing: MakeObjective) -> None:
    with pytest.raises(NoAnswer, match=r"None of the 1 networks that were tried is within 8e-06 M MACs"):
        best([Trial((2, 2, 2), 12.0, feasible=False)], costing(COSTS), 8.0)


def goals(costing: MakeObjective) -> tuple[Objective, Goal]:
    first = costing(COSTS)
    return first, Goal(Objective("latency", first.space, COSTS[::-1].copy(), 0.0), 9.0)


def test_every_limit_is_hard(costing: MakeObjective) -> None:
    first, second = goals(costing)
    score = Score()
    trials = run(Proposing(EVERY), score, first, 8.0, 27, also=[second])
    for trial in trials:
        costs = first.cost_of(trial.picks), second.cost.cost_of(trial.picks)
        assert trial.feasible == (costs[0] <= 8.0 and costs[1] <= 9.0)
        assert trial.objectives == ()
    assert score.calls == [trial.picks for trial in trials if trial.feasible]
    assert 0 < len(score.calls) < 27


def test_for_a_front_trials_carry_all_costs_and_are_resumed_with_them(costing: MakeObjective, tmp_path: Path) -> None:
    first, second = goals(costing)
    history = tmp_path / "history.jsonl"
    trials = run(Proposing(EVERY), Score(), first, 8.0, 20, history, also=[second], pareto=True)
    feasible = [trial for trial in trials if trial.feasible]
    assert all(t.objectives == (first.cost_of(t.picks), second.cost.cost_of(t.picks)) for t in feasible)
    assert run(Proposing([]), Score(), first, 8.0, 20, history, also=[second], pareto=True) == trials
    with pytest.raises(WrongUse, match="belongs to another search"):
        run(Proposing([]), Score(), first, 8.0, 20, history, also=[second])


def test_an_impossible_second_limit_is_said_before_anything_is_evaluated(costing: MakeObjective) -> None:
    first, second = goals(costing)
    score = Score()
    with pytest.raises(NoAnswer, match=r"No network of bare is within 1000 ms: the cheapest needs 4000 ms"):
        run(Proposing(EVERY), score, first, 8.0, 20, also=[Goal(second.cost, 1.0)])
    assert score.calls == []


@pytest.mark.parametrize("wrong", [(0, 0), (0, 0, 3), (0, 0, -1)])
def test_what_is_no_network_is_not_evaluated(costing: MakeObjective, wrong: Picks) -> None:
    score = Score()
    with pytest.raises(WrongUse, match=r"A strategy must propose networks of bare; .* is none"):
        run(Proposing([(0, 0, 1), wrong]), score, costing(COSTS), 8.0, 9)
    assert score.calls == [(0, 0, 1)]


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_network_that_cannot_be_scored_is_passed_over(costing: MakeObjective, tmp_path: Path, value: float) -> None:
    def score(picks: Picks) -> float:
        return value if picks == (0, 0, 1) else 0.5

    history = tmp_path / "history.jsonl"
    trials = run(Proposing([(0, 0, 1), (0, 0, 2)]), score, costing(COSTS), 8.0, 9, history)
    assert [trial.score for trial in trials] == [None, 0.5]
    assert best(trials, costing(COSTS), 8.0).picks == (0, 0, 2)
    assert run(Proposing([]), score, costing(COSTS), 8.0, 9, history) == trials
    with pytest.raises(NoAnswer, match="None of the 1 networks within 8e-06 M MACs has a score"):
        best(trials[:1], costing(COSTS), 8.0)


def test_a_history_says_which_search_it_is_of(costing: MakeObjective, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    run(Proposing(EVERY), Score(), costing(COSTS), 8.0, 9, history, identity={"seed": 1, "evaluator": "a"})
    with pytest.raises(WrongUse, match="with other evaluator"):
        run(Proposing(EVERY), Score(), costing(COSTS), 8.0, 9, history, identity={"seed": 1, "evaluator": "b"})
