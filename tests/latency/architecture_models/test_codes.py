from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from latency.architecture_models.codes import ArchitectureCodes, counts, one_hot


def test_codes_are_the_groups_side_by_side_main_ones_first() -> None:
    codes = ArchitectureCodes.of({"pick": np.eye(3), "size": np.ones((3, 1))}, {"count": np.full((3, 2), 7.0)})
    assert codes.groups == ("pick", "pick", "pick", "size", "count", "count")
    assert codes.main == 4
    assert codes.values[1].tolist() == [0, 1, 0, 1, 7, 7]
    assert codes[np.array([2, 0])].values[:, :3].tolist() == [[0, 0, 1], [1, 0, 0]]


def test_an_absent_unit_leaves_no_trace() -> None:
    picks = np.array([[0, 2], [-1, 1]])
    assert one_hot(picks, 3).tolist() == [[1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0]]
    assert counts(picks, 3).tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("values", "groups", "main"),
    [(np.ones(3), ("a",), 1), (np.ones((2, 2)), ("a",), 1), (np.ones((2, 1)), ("a",), 0), (np.ones((2, 1)), ("a",), 2)],
)
def test_codes_whose_shapes_do_not_fit_are_refused(values: np.ndarray, groups: tuple[str, ...], main: int) -> None:
    with pytest.raises(WrongUse, match="one group for each column"):
        ArchitectureCodes(values, groups, main)


def test_rows_that_are_not_finite_are_named() -> None:
    values = np.ones((12, 1))
    values[[1, 3, 4, 5, 6, 7, 8, 9, 10]] = np.nan
    with pytest.raises(WrongUse, match="rows 1, 3, 4, 5, 6, 7, 8, 9 and 1 more"):
        ArchitectureCodes(values, ("a",), 1)


def test_groups_with_different_numbers_of_rows_are_refused() -> None:
    with pytest.raises(WrongUse, match="as many rows in each group"):
        ArchitectureCodes.of({"a": np.ones((2, 1))}, {"b": np.ones((3, 1))})
