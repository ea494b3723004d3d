"""How well a segmentation agrees with the truth: confusion counts and intersection over union."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices import WrongUse
from search.data.labelled import IGNORE

Counts = NDArray[np.int64]
"""Pixels by true class (row) and predicted class (column), of shape (classes, classes)."""


def confusion_matrix(truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Counts:
    """Counts pixels by true and by predicted class; matrices of several images add up.

    Args:
        truth: true class ids of any shape; pixels with 255 are left out.
        predicted: predicted class ids, of the same shape.
        classes: how many classes there are.

    Returns:
        Pixels by true class (row) and predicted class (column), int64 of shape (classes, classes).

    Raises:
        WrongUse: the shapes differ, or an id that counts is not between 0 and ``classes - 1``.
    """
    if truth.shape != predicted.shape:
        raise WrongUse(
            f"True and predicted ids must have the same shape; got {truth.shape} and {predicted.shape}. "
            "Resize the prediction to the size of the labels."
        )
    counted = truth != IGNORE
    true_ids = truth[counted].astype(np.int64)
    predicted_ids = predicted[counted].astype(np.int64)
    _require_ids(true_ids, classes, "True")
    _require_ids(predicted_ids, classes, "Predicted")
    cells = np.bincount(true_ids * classes + predicted_ids, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def class_iou(counts: Counts) -> NDArray[np.float64]:
    """Intersection over union of each class: TP / (TP + FP + FN), as in Cityscapes' evaluation script.

    Args:
        counts: from :func:`confusion_matrix`, of shape (classes, classes).

    Returns:
        One value from 0 to 1 for each class, shape (classes,); NaN for a class that is neither in the truth nor in
        the prediction, because nothing can be said about it.
    """
    hits = np.diag(counts).astype(np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hits
    scores = np.full(len(hits), np.nan)
    np.divide(hits, union, out=scores, where=union > 0)
    return scores


def mean_iou(counts: Counts) -> float:
    """The mean of :func:`class_iou` over the classes that occur in the truth or in the prediction.

    This is the "IoU class" average of Cityscapes' evaluation script: pixels are counted over all images first, and
    then each class weighs the same. A class that is predicted but never true counts with 0. It is not the mean of
    the scores of single images.

    Args:
        counts: from :func:`confusion_matrix`, of shape (classes, classes).

    Returns:
        From 0 to 1; NaN when no pixel was counted.
    """
    scores = class_iou(counts)
    occurring = scores[~np.isnan(scores)]
    return float(occurring.mean()) if occurring.size else float("nan")


def _require_ids(ids: NDArray[np.int64], classes: int, whose: str) -> None:
    wrong = ids[(ids < 0) | (ids >= classes)]
    if wrong.size:
        raise WrongUse(
            f"{whose} class ids must be between 0 and {classes - 1}, or have {IGNORE} in the truth; got {wrong[0]} in "
            f"{wrong.size} pixels. Check the number of classes and the label files."
        )
