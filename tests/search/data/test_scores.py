"""Intersection over union on examples worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from devices import WrongUse
from search.data import Objects, Scenes, accuracy, class_accuracy, class_iou, confusion_matrix, mean_iou, score_of

TRUTH = np.array([[0, 0, 1], [1, 1, 255]], dtype=np.uint8)
PREDICTED = np.array([[0, 1, 1], [1, 0, 2]], dtype=np.int64)


def test_counts_by_hand() -> None:
    assert confusion_matrix(TRUTH, PREDICTED, 3).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_iou_by_hand() -> None:
    counts = confusion_matrix(TRUTH, PREDICTED, 3)
    np.testing.assert_allclose(class_iou(counts), [1 / 3, 2 / 4, np.nan])
    assert mean_iou(counts) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_a_class_that_is_only_predicted_counts_with_zero() -> None:
    counts = confusion_matrix(np.array([0, 0]), np.array([0, 2]), 4)
    np.testing.assert_allclose(class_iou(counts), [0.5, np.nan, 0.0, np.nan])
    assert mean_iou(counts) == pytest.approx(0.25)


def test_ignored_pixels_may_be_predicted_as_anything() -> None:
    truth = np.array([0, 255, 255])
    assert confusion_matrix(truth, np.array([0, 1, 200]), 2).tolist() == [[1, 0], [0, 0]]


def test_nothing_counted_is_nan_and_not_zero() -> None:
    counts = confusion_matrix(np.full((2, 2), 255), np.zeros((2, 2), dtype=int), 3)
    assert np.isnan(mean_iou(counts))
    assert np.isnan(class_iou(counts)).all()


@given(arrays.arrays(np.int64, (3, 20), elements=st.integers(0, 4)))
def test_matrices_add_up_and_perfect_is_one(ids: np.ndarray) -> None:
    truth, predicted = ids, np.roll(ids, 1)
    whole = confusion_matrix(truth, predicted, 5)
    parts = sum(confusion_matrix(truth[row], predicted[row], 5) for row in range(3))
    np.testing.assert_array_equal(whole, parts)
    assert whole.sum() == ids.size
    assert mean_iou(confusion_matrix(truth, truth, 5)) == 1.0
    assert 0.0 <= mean_iou(whole) <= 1.0


def test_wrong_use_is_explained() -> None:
    with pytest.raises(WrongUse, match=r"same shape; got \(2,\) and \(3,\)"):
        confusion_matrix(np.zeros(2, dtype=int), np.zeros(3, dtype=int), 2)
    with pytest.raises(WrongUse, match=r"True class ids must be between 0 and 1, .* got 2, among 1 such ids"):
        confusion_matrix(np.array([0, 2]), np.array([0, 0]), 2)
    with pytest.raises(WrongUse, match=r"Predicted class ids .* got -1"):
        confusion_matrix(np.array([0, 1]), np.array([0, -1]), 2)


def test_accuracy_by_hand() -> None:
    counts = confusion_matrix(np.array([0, 0, 1, 3]), np.array([0, 1, 1, 0]), 4, ignore=None)
    assert accuracy(counts) == 2 / 4
    np.testing.assert_allclose(class_accuracy(counts), [1 / 2, 1, np.nan, 0])
    assert np.isnan(accuracy(np.zeros((4, 4), dtype=np.int64)))


def test_of_whole_pictures_every_class_counts_also_the_256th() -> None:
    counts = confusion_matrix(np.array([255, 0]), np.array([255, 255]), 300, ignore=None)
    assert accuracy(counts) == 1 / 2
    assert counts[255, 255] == counts[0, 255] == 1


def test_images_say_how_networks_are_scored_on_them() -> None:
    scores = [score_of(images) for images in (Scenes("val", (16, 16), count=1), Objects("val", (16, 16), count=1))]
    assert [score.words(0.25) for score in scores] == ["mIoU 0.250", "accuracy 0.250"]
    assert [score.meaning for score in scores] == ["mIoU", "top-1 accuracy"]
