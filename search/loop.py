"""The one loop of every search: ask, evaluate, tell, append to the history; within the limits or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from devices import NoAnswer, WrongUse
from search.cost import Cost, Goal, Picks
from search.history import History
from search.strategies import Strategy, Trial

Score = Callable[[Picks], float]
"""Accuracy of a network, given its picks; larger is better. NaN or infinite for one that cannot be scored."""

Tell = Callable[[Sequence[Trial]], None]
"""Told of all trials so far, after each one."""


def run(
    strategy: Strategy,
    score: Score,
    objective: Cost,
    limit: float,
    budget: int,
    history: Path | None = None,
    *,
    also: Sequence[Goal] = (),
    pareto: bool = False,
    identity: Mapping[str, object] | None = None,
    tell: Tell = lambda trials: None,
) -> list[Trial]:
    """Search until ``budget`` networks have been evaluated or the strategy has no more to propose.

    Args:
        strategy: chooses networks.
        score: evaluates one, such as an evaluator's; never called for a network above a limit.
        objective: what the limit is on.
        limit: in the objective's unit.
        budget: networks to evaluate, those in the history included.
        history: file of JSON lines to append every trial to, and to resume from.
        also: further costs with their limits, as hard as the first.
        pareto: let each trial within the limits carry all costs as its ``objectives``, the first one's first, for
            strategies that search a Pareto front of score and costs.
        identity: what decides which trials are made, beside the costs and limits; kept in the history, and a history
            with another one is refused.
        tell: called with all trials so far after each one.

    Returns:
        All trials, in the order they were made.

    Raises:
        NoAnswer: no network of the space is within one of the limits.
        WrongUse: the history is damaged or belongs to another search, or the strategy proposes what is no network.
    """
    goals = (Goal(objective, limit), *also)
    for goal in goals:
        goal.cost.refuse_impossible(goal.limit)
    kept = History(history, identity)
    trials = kept.read(lambda trial: _belongs(trial, goals, pareto=pareto))
    strategy.tell(trials)
    tell(trials)
    while len(trials) < budget and (asked := strategy.ask(budget - len(trials))):
        for picks in asked:
            if not objective.holds(picks):
                raise WrongUse(f"A strategy must propose networks of {objective.space_name}; {picks} is none.")
            trial = _try(picks, score, _costed(picks, goals, pareto=pareto))
            kept.append(trial)
            trials.append(trial)
            strategy.tell([trial])
            tell(trials)
    return trials


def best(trials: Sequence[Trial], objective: Cost, limit: float) -> Trial:
    """The trial of highest score within the limits; among equals the cheapest.

    Raises:
        NoAnswer: none of the trials is within the limits, or none of those could be scored.
    """
    found = best_so_far(trials)
    if found is not None:
        return found
    within = sum(trial.feasible for trial in trials)
    if within:
        raise NoAnswer(
            f"None of the {within} networks within {objective.format(limit)} has a score: the evaluator gave no number "
            "for any. Look at what it says of one of them, or choose another."
        )
    raise NoAnswer(
        f"None of the {len(trials)} networks that were tried is within {objective.format(limit)}. "
        "Search longer, or raise --limit."
    )


def best_so_far(trials: Sequence[Trial]) -> Trial | None:
    """The trial of highest score within the limits, among equals the cheapest; None where nothing was scored yet."""
    scored = (trial for trial in trials if trial.feasible and trial.score is not None)
    return max(scored, key=lambda trial: (trial.score or 0.0, -(trial.cost or 0.0)), default=None)


def _costed(picks: Picks, goals: Sequence[Goal], *, pareto: bool) -> Trial:
    """What is known of a network before it is evaluated."""
    costs = [goal.cost.cost_of(picks) for goal in goals]
    # False for NaN: a network with a candidate that failed is within no limit, not even within an infinite one.
    feasible = all(cost <= goal.limit for cost, goal in zip(costs, goals, strict=True))
    cost = None if math.isnan(costs[0]) else costs[0]
    return Trial(picks, cost, feasible, None, tuple(costs) if feasible and pareto else ())


def _try(picks: Picks, score: Score, costed: Trial) -> Trial:
    value = score(picks) if costed.feasible else math.nan
    # A network that cannot be scored is no reason to lose the others; strategies and results pass it over.
    return replace(costed, score=float(value) if math.isfinite(value) else None)


def _belongs(trial: Trial, goals: Sequence[Goal], *, pareto: bool) -> bool:
    if not all(goal.cost.holds(trial.picks) for goal in goals):
        return False
    known = _costed(trial.picks, goals, pareto=pareto)
    return (
        trial.feasible == known.feasible
        and _is_close(trial.cost, known.cost)
        and len(trial.objectives) == len(known.objectives)
        and all(map(_is_close, trial.objectives, known.objectives))
    )


def _is_close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second)
