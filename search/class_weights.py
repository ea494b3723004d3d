"""How much each class counts in the loss: streets are full of road, and the signs beside it are few pixels."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from search.data import IGNORE, LabelledImages

_MOST_IMAGES = 500
"""Images that classes are counted in at most, at even distances: Cityscapes' shares hardly change with more."""


_KNOWN = WeakKeyDictionary[LabelledImages, NDArray[np.float64]]()
"""Shares by set of images: many networks are trained on one."""


def class_shares(images: LabelledImages) -> NDArray[np.float64]:
    """The share of each class in the pixels that count, or in the pictures where they have one class each.

    Args:
        images: at most 500 of them are read, at even distances, and that once.

    Returns:
        Shares of shape (classes,), which add up to 1, or are all 0 where nothing counts.
    """
    if images not in _KNOWN:
        _KNOWN[images] = _counted(images)
    return _KNOWN[images]


def _counted(images: LabelledImages) -> NDArray[np.float64]:
    count = min(len(images), _MOST_IMAGES)
    found = np.zeros(len(images.classes), dtype=np.int64)
    for number in range(count):
        labels = np.atleast_1d(images.read(number * len(images) // count)[1])
        if not images.has_one_class_each:
            labels = labels[labels != IGNORE]
        found += np.bincount(labels.ravel(), minlength=len(found))
    shares: NDArray[np.float64] = found / max(1, found.sum())
    return shares


def enet_weights(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights 1 / ln(1.02 + p) of classes with the share p, as those of ENet (Paszke et al., 2016, section 4).

    The rarest class counts some 36 times as much as one that were everywhere. They are scaled so that the mean over
    pixels is 1, and learning rates mean what they meant; the published ones are not.

    Args:
        shares: from ``class_shares``.

    Returns:
        Weights of shape (classes,), all above 0.
    """
    weights: NDArray[np.float64] = 1 / np.log(1.02 + shares)
    return weights / (float(weights @ shares) or 1.0)
