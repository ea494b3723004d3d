"""How often classes occur, and what a rare one counts for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from search import LabelledImages
from search.class_weights import class_shares, enet_weights


def test_pixels_that_do_not_count_have_no_share(patches: Callable[[int], LabelledImages]) -> None:
    images = patches(3)
    labels = np.concatenate([images.read(index)[1].ravel() for index in range(3)])
    left, right = (labels == 0).sum(), (labels == 1).sum()
    assert class_shares(images) == pytest.approx([left / (left + right), right / (left + right), 0])


def test_pictures_with_one_class_each_are_counted(objects: Callable[..., LabelledImages]) -> None:
    images = objects(20)
    found = [int(images.read(index)[1]) for index in range(20)]
    assert class_shares(images) == pytest.approx(np.bincount(found, minlength=10) / 20)


def test_of_many_images_some_are_read_from_the_first_to_the_last(patches: Callable[[int], LabelledImages]) -> None:
    images = patches(1100)
    class_shares(images)
    reads: list[int] = images.reads  # type: ignore[attr-defined]
    assert len(reads) == len(set(reads)) == 500
    assert reads[0] == 0
    assert reads[-1] >= 1097
    assert set(np.diff(reads)) == {2, 3}


def test_weights_are_those_of_enet_to_a_factor() -> None:
    shares = np.array([0.7, 0.29, 0.01, 0.0])
    weights = enet_weights(shares)
    published = 1 / np.log(1.02 + shares)
    assert weights / weights[0] == pytest.approx(published / published[0])
    assert weights @ shares == pytest.approx(1), "the mean over pixels, so that learning rates mean what they meant"
    assert published[3] / (1 / np.log(2.02)) == pytest.approx(35.5, abs=0.1)


def test_where_nothing_counts_weights_are_numbers() -> None:
    assert np.isfinite(enet_weights(np.zeros(3))).all()
