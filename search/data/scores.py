"""How well classes agree with the truth: confusion counts, intersection over union, the share that is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from devices import WrongUse
from search.data.labelled import IGNORE, LabelledImages

Counts = NDArray[np.int64]
"""Pixels, or whole pictures, by true class (row) and predicted class (column), of shape (classes, classes)."""


def confusion_matrix(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int, ignore: int | None = IGNORE
) -> Counts:
    """Counts pixels, or whole pictures, by true and by predicted class; matrices of several batches add up.

    Args:
        truth: true class ids of any shape.
        predicted: predicted class ids, of the same shape.
        classes: how many classes there are.
        ignore: true class id that is left out; None where all count, as pictures with one class each do.

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
    counted = np.full(truth.shape, True) if ignore is None else truth != ignore
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


def class_accuracy(counts: Counts) -> NDArray[np.float64]:
    """Share of the pictures of each class that are told right.

    Args:
        counts: from :func:`confusion_matrix`, of shape (classes, classes).

    Returns:
        One value from 0 to 1 for each class, shape (classes,); NaN for a class that does not occur in the truth.
    """
    total = counts.sum(axis=1)
    shares = np.full(len(counts), np.nan)
    np.divide(np.diag(counts).astype(np.float64), total, out=shares, where=total > 0)
    return shares


def accuracy(counts: Counts) -> float:
    """Share of all pictures that are told right: top-1 accuracy.

    Args:
        counts: from :func:`confusion_matrix`, of shape (classes, classes).

    Returns:
        From 0 to 1; NaN when nothing was counted.
    """
    total = int(counts.sum())
    return float(np.trace(counts)) / total if total else float("nan")


@final
@dataclass(frozen=True)
class Score:
    """A way to score networks from confusion counts.

    Attributes:
        name: what it is called beside a number.
        meaning: what it is, in words.
        overall: from counts to one number, 0 to 1, larger for better networks.
        by_class: from counts to a number for each class, NaN where nothing can be said.
    """

    name: str
    meaning: str
    overall: Callable[[Counts], float]
    by_class: Callable[[Counts], NDArray[np.float64]]

    def words(self, score: float) -> str:
        """For the screen: ``mIoU 0.531``."""
        return f"{self.name} {score:.3f}"


MEAN_IOU = Score("mIoU", "mIoU", mean_iou, class_iou)
"""Of networks that tell the class of every pixel."""

TOP_1 = Score("accuracy", "top-1 accuracy", accuracy, class_accuracy)
"""Of networks that tell the class of a whole picture."""


def score_of(images: LabelledImages) -> Score:
    """How networks are scored on ``images``."""
    return TOP_1 if images.has_one_class_each else MEAN_IOU


def _require_ids(ids: NDArray[np.int64], classes: int, whose: str) -> None:
    wrong = ids[(ids < 0) | (ids >= classes)]
    if wrong.size:
        raise WrongUse(
            f"{whose} class ids must be between 0 and {classes - 1}, or have {IGNORE} in the truth of pixels; got "
            f"{wrong[0]}, among {wrong.size} such ids. Check the number of classes and the label files."
        )
