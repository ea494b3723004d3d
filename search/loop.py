"""The one loop of every search: ask, evaluate, tell, append to the history; within the limit or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from devices import NoAnswer, WrongUse
from search.objective import Objective
from search.strategies import Strategy, Trial

Score = Callable[[tuple[int, ...]], float]
"""Accuracy of a network, given its picks; larger is better."""


def run(
    strategy: Strategy,
    score: Score,
    objective: Objective,
    limit: float,
    budget: int,
    history: Path | None = None,
    *,
    tell: Callable[[Sequence[Trial]], None] = lambda trials: None,
) -> list[Trial]:
    """Search until ``budget`` networks have been evaluated or the strategy has no more to propose.

    Args:
        strategy: chooses networks.
        score: evaluates one; never called for a network above the limit.
        objective: what the limit is on.
        limit: in the objective's unit.
        budget: networks to evaluate, those in the history included.
        history: file of JSON lines to append every trial to, and to resume from.
        tell: called with all trials so far after each one.

    Returns:
        All trials, in the order they were made.

    Raises:
        NoAnswer: no network of the space is within the limit.
        WrongUse: the history is damaged or belongs to another search.
    """
    objective.refuse_impossible(limit)
    trials = _read_history(history, objective, limit)
    strategy.tell(trials)
    tell(trials)
    while len(trials) < budget and (asked := strategy.ask(budget - len(trials))):
        for picks in asked:
            trial = _try(picks, score, objective, limit)
            _append(history, trial)
            trials.append(trial)
            strategy.tell([trial])
            tell(trials)
    return trials


def best(trials: Sequence[Trial], objective: Objective, limit: float) -> Trial:
    """The trial of highest score within the limit; among equals the cheapest.

    Raises:
        NoAnswer: none of the trials is within the limit.
    """
    within = [trial for trial in trials if trial.feasible and trial.score is not None]
    if not within:
        raise NoAnswer(
            f"None of the {len(trials)} networks that were tried is within {objective.format(limit)}. "
            "Search longer, or raise --limit."
        )
    return max(within, key=lambda trial: (trial.score or 0.0, -(trial.cost or 0.0)))


def _try(picks: tuple[int, ...], score: Score, objective: Objective, limit: float) -> Trial:
    cost = objective.cost_of(picks)
    feasible = bool(cost <= limit)  # False for NaN: a network with a candidate that failed is within no limit.
    return Trial(picks, None if math.isnan(cost) else cost, feasible, score(picks) if feasible else None)


def _read_history(path: Path | None, objective: Objective, limit: float) -> list[Trial]:
    if path is None or not path.exists():
        return []
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        # The process was killed while it wrote the last line.
        os.truncate(path, data.rfind(b"\n") + 1)
        data = data[: data.rfind(b"\n") + 1]
    try:
        trials = [Trial.from_json(json.loads(line)) for line in data.splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise WrongUse(f"{path} is no history of a search ({error}). Move it away to begin anew.") from error
    for trial in trials:
        if not _belongs(trial, objective, limit):
            raise WrongUse(
                f"{path} belongs to another search: its networks do not fit this space, cost and limit. "
                "Move it away to begin anew, or choose another --out."
            )
    return trials


def _belongs(trial: Trial, objective: Objective, limit: float) -> bool:
    units, candidates = objective.costs.shape
    if len(trial.picks) != units or not all(0 <= pick < candidates for pick in trial.picks):
        return False
    cost = objective.cost_of(trial.picks)
    same = math.isnan(cost) if trial.cost is None else math.isclose(trial.cost, cost)
    return same and trial.feasible == (cost <= limit)


def _append(path: Path | None, trial: Trial) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(trial.to_json()) + "\n")
