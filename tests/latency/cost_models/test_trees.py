"""Trees as arrays, against the library that grew them."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from latency.cost_models.trees import Growth, Trees

GROWTH = Growth(trees=30, learning_rate=0.2, leaves=12, least_rows=3, bins=63)


@pytest.fixture(scope="module")
def columns() -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(400, 5))
    found[rng.random(found.shape) < 0.1] = np.nan
    found[:, 2] = 1.0
    found[:, 3] = np.nan
    return found


@pytest.fixture(scope="module")
def values(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sin(2 * np.nan_to_num(columns[:, 0], nan=3.0)) + (np.nan_to_num(columns[:, 1]) > 0.3)


@pytest.fixture(scope="module")
def trees(columns: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> Trees:
    return Trees.learned(columns, values, GROWTH)


def test_the_trees_say_what_scikit_learn_says(
    columns: npt.NDArray[np.float64], values: npt.NDArray[np.float64], trees: Trees
) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    theirs = HistGradientBoostingRegressor(
        max_iter=30,
        learning_rate=0.2,
        max_leaf_nodes=12,
        min_samples_leaf=3,
        max_bins=63,
        l2_regularization=5.0,
        early_stopping=False,
    ).fit(columns[:, [0, 1, 4]], values)
    new = np.random.default_rng(1).normal(size=(50, 5))
    new[::3, 0] = np.nan
    new[::4, 1] = np.nan
    np.testing.assert_allclose(trees(new), theirs.predict(new[:, [0, 1, 4]]), rtol=1e-10, atol=1e-12)


def test_they_learn_what_can_be_learned(
    columns: npt.NDArray[np.float64], values: npt.NDArray[np.float64], trees: Trees
) -> None:
    assert np.std(trees(columns) - values) < 0.15 * np.std(values)


def test_columns_that_never_vary_are_looked_at_by_no_node(trees: Trees) -> None:
    assert not set(trees.column[~trees.is_leaf].tolist()) & {2, 3}


def test_a_row_says_the_same_alone_as_among_others(columns: npt.NDArray[np.float64], trees: Trees) -> None:
    together = trees(np.tile(columns, (30, 1)))
    assert [float(trees(columns[row : row + 1])[0]) for row in (0, 17, 399)] == together[[0, 17, 399]].tolist()


def test_a_mean_is_the_mean(columns: npt.NDArray[np.float64], values: npt.NDArray[np.float64], trees: Trees) -> None:
    other = Trees.learned(columns[:200], values[:200], GROWTH)
    np.testing.assert_allclose(Trees.mean([trees, other])(columns), (trees(columns) + other(columns)) / 2, atol=1e-12)


def test_a_file_gives_back_every_bit(columns: npt.NDArray[np.float64], trees: Trees) -> None:
    again = Trees.from_json(json.loads(json.dumps(trees.to_json(), allow_nan=False)))
    assert again(columns).tolist() == trees(columns).tolist()


def test_what_can_only_be_told_by_what_is_missing_is_told_and_saved() -> None:
    columns = np.where(np.arange(80) % 2, np.nan, 1.0)[:, None]
    trees = Trees.learned(columns, np.arange(80) % 2 * 1.0, GROWTH)
    again = Trees.from_json(json.loads(json.dumps(trees.to_json(), allow_nan=False)))
    low, high = again(np.array([[1.0], [np.nan]]))
    assert (low, high) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))


def test_columns_that_tell_nothing_give_the_mean() -> None:
    trees = Trees.learned(np.ones((40, 2)), np.arange(40.0), GROWTH)
    assert trees(np.ones((1, 2)))[0] == pytest.approx(19.5)


def test_no_rows_give_no_sums(trees: Trees) -> None:
    assert trees(np.zeros((0, 5))).shape == (0,)
