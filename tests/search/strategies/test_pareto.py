"""Fronts and crowding of several objectives, by hand and by definition."""

from __future__ import annotations

import numpy as np
import pytest

from search.strategies.pareto import crowding, dominance, fronts

VALUES = np.array([[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [3.0, 3.0], [4.0, 4.0], [2.0, 2.0]])


def test_a_row_dominates_where_it_is_nowhere_above_and_somewhere_below() -> None:
    over = dominance(VALUES)
    assert np.flatnonzero(over[1]).tolist() == [3, 4]
    assert np.flatnonzero(over[2]).tolist() == [4]
    assert not over[1, 5], "equal rows do not dominate each other"
    assert not over.diagonal().any()


def test_fronts_are_what_is_left_when_the_fronts_before_are_taken_out() -> None:
    assert fronts(VALUES).tolist() == [0, 0, 0, 1, 2, 0]


@pytest.mark.parametrize("objectives", [1, 2, 4])
def test_each_row_is_dominated_by_one_of_the_front_before_and_by_none_of_its_own(objectives: int) -> None:
    values = np.random.default_rng(0).integers(6, size=(60, objectives)).astype(float)
    front, over = fronts(values), dominance(values)
    for row in range(60):
        above = front[over[:, row]]
        assert above.max(initial=-1) == front[row] - 1


def test_of_no_rows_there_is_no_front() -> None:
    assert fronts(np.empty((0, 2))).shape == (0,)


def test_crowding_is_the_gap_between_neighbours_and_infinite_at_the_ends() -> None:
    values = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 0.0]])
    # Of the middle row: (4 - 0) / 4 by the first objective and (10 - 0) / 10 by the second.
    assert crowding(values, np.zeros(3, dtype=np.intp)).tolist() == [np.inf, 2.0, np.inf]


def test_crowding_is_within_a_front() -> None:
    values = np.array([[0.0, 2.0], [0.5, 1.5], [1.0, 1.0], [1.5, 1.5]])
    alone = crowding(values, np.array([0, 0, 0, 1]))
    assert alone[1] == 2.0
    assert alone[3] == np.inf


def test_equal_rows_are_as_crowded_as_can_be() -> None:
    assert crowding(np.ones((4, 2)), np.zeros(4, dtype=np.intp)).tolist() == [np.inf, 0.0, 0.0, np.inf]
