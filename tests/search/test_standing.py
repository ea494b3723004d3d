"""How a search stands, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from search import Objective, Trial
from search.standing import Standing

TRIALS = [
    Trial((0, 0), 3e6, feasible=True, score=0.25),
    Trial((1, 1), 9e6, feasible=False),
    Trial((0, 1), 2e6, feasible=True, score=0.5),
    Trial((1, 0), 4e6, feasible=True),
]


def test_the_best_and_the_share_within_the_limit() -> None:
    standing = Standing.of(TRIALS)
    assert (standing.tried, standing.feasible, standing.feasible_share) == (4, 3, 0.75)
    assert standing.best == TRIALS[2]


def test_it_is_said_in_words(costing: Callable[..., Objective]) -> None:
    objective = costing(np.ones((2, 2)))
    assert Standing.of(TRIALS).words(objective) == "best 0.5 at 2 M MACs, 75 % within the limit"
    assert Standing.of(TRIALS).words(objective, "{:.1%}".format).startswith("best 50.0% at")
    assert Standing.of(TRIALS[1:2]).words(objective) == "nothing scored yet, 0 % within the limit"
    assert Standing.of([]).words(objective) == ""


def test_before_the_first_trial_nothing_was_over_the_limit() -> None:
    assert Standing.of([]).feasible_share == 1.0


def test_trial_by_trial_it_comes_to_the_same() -> None:
    standing = Standing.of([])
    for trial in TRIALS:
        standing = standing.then([trial])
    assert standing == Standing.of(TRIALS)
    equal = Trial((2, 2), 2e6, feasible=True, score=0.5)
    assert standing.then([equal]).best == TRIALS[2], "of equals the first stays"
