"""Pareto fronts against the definition, hypervolumes against counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import WrongUse
from search import Trial
from search.pareto import hypervolume, non_dominated, pareto_front


def beats(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((first <= second).all() and (first < second).any())


@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 4))
def test_kept_are_those_that_no_other_beats_and_of_equals_the_first(seed: int, count: int, objectives: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, (count, objectives)).astype(float)
    expected = [
        not any(beats(other, row) for other in values) and not any((other == row).all() for other in values[:index])
        for index, row in enumerate(values)
    ]
    assert non_dominated(values).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_a_hypervolume_is_the_number_of_unit_cells_that_are_covered(seed: int, count: int, objectives: int) -> None:
    values = np.random.default_rng(seed).integers(0, 5, (count, objectives)).astype(float)
    cells = np.array(list(itertools.product(range(4), repeat=objectives)))
    covered = (values[:, None, :] <= cells).all(axis=2).any(axis=0).sum()
    assert hypervolume(values, [4.0] * objectives) == pytest.approx(covered)


def test_a_better_front_covers_more() -> None:
    front = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    assert hypervolume(front - 0.1, [4, 4]) > hypervolume(front, [4, 4]) == 6
    assert hypervolume(np.empty((0, 2)), [4, 4]) == 0


def test_a_reference_point_of_another_number_of_objectives_is_refused() -> None:
    with pytest.raises(WrongUse, match="needs a value for each objective"):
        hypervolume(np.ones((2, 2)), [1.0, 1.0, 1.0])


def test_the_front_of_trials_has_the_best_score_first_and_nothing_that_is_not_feasible() -> None:
    trials = [
        Trial((0,), 5.0, feasible=True, score=0.9, objectives=(5.0, 2.0)),
        Trial((1,), 4.0, feasible=True, score=0.8, objectives=(4.0, 9.0)),
        Trial((2,), 6.0, feasible=True, score=0.7, objectives=(6.0, 3.0)),
        Trial((3,), 9.0, feasible=True, score=0.95, objectives=(9.0, 9.0)),
        Trial((4,), 1.0, feasible=False),
        Trial((5,), 1.0, feasible=True),
    ]
    assert [trial.picks for trial in pareto_front(trials)] == [(3,), (0,), (1,)]
    assert pareto_front(trials[4:]) == []


def test_trials_without_objectives_are_compared_by_score_and_cost() -> None:
    trials = [
        Trial((index,), cost, feasible=True, score=score)
        for index, (cost, score) in enumerate([(3.0, 0.5), (2.0, 0.5), (1.0, 0.1), (2.0, 0.4)])
    ]
    assert [trial.picks for trial in pareto_front(trials)] == [(1,), (2,)]
