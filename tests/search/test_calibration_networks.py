from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from search import balanced_architectures, open_space

SPACE = open_space("demo", (32, 64), None, "fp32")


@pytest.mark.parametrize("count", [1, 7, 13, 30])
def test_every_candidate_of_a_unit_occurs_equally_often_up_to_one(count: int) -> None:
    drawn = balanced_architectures(SPACE, count, 0)
    assert len(drawn) == count
    picks = np.array([architecture.picks for architecture in drawn])
    for unit, column in zip(SPACE.units, picks.T, strict=True):
        times = np.bincount(column, minlength=len(unit.candidates))
        assert times.max() - times.min() <= 1


def test_the_same_seed_gives_the_same_networks_and_another_one_others() -> None:
    assert balanced_architectures(SPACE, 5, 3) == balanced_architectures(SPACE, 5, 3)
    assert balanced_architectures(SPACE, 5, 3) != balanced_architectures(SPACE, 5, 4)


def test_units_are_shuffled_independently() -> None:
    picks = np.array([architecture.picks for architecture in balanced_architectures(SPACE, 130, 0)])
    together = np.corrcoef(picks.T) - np.eye(picks.shape[1])
    assert np.abs(together).max() < 0.5


def test_no_networks_are_refused() -> None:
    with pytest.raises(WrongUse, match="At least 1"):
        balanced_architectures(SPACE, 0, 0)


def test_a_candidate_that_is_barred_never_occurs() -> None:
    barred = np.zeros((len(SPACE.units), 13), dtype=bool)
    barred[0, 4] = barred[3, 0] = True
    picks = np.array([architecture.picks for architecture in balanced_architectures(SPACE, 24, 0, barred)])
    assert 4 not in picks[:, 0]
    assert 0 not in picks[:, 3]
    assert np.bincount(picks[:, 0], minlength=13).max() == 2


def test_a_unit_whose_candidates_are_all_barred_is_refused() -> None:
    barred = np.zeros((len(SPACE.units), 13), dtype=bool)
    barred[2] = True
    with pytest.raises(WrongUse, match="All candidates"):
        balanced_architectures(SPACE, 8, 0, barred)
