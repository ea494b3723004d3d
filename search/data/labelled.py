"""Images with a class for every pixel, or with one each: what a search trains and scores networks on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices import WrongUse, unknown_name

IGNORE = 255
"""The label id of pixels that are neither trained on nor scored, as in the files of Cityscapes."""

SPLITS = ("train", "val", "test")
"""The names of the three parts that every source of images has."""

Picture = NDArray[np.uint8]
"""Red, green and blue from 0 to 255, of shape (height, width, 3)."""

Labels = NDArray[np.integer[Any]]
"""Class ids: uint8 of shape (height, width), :data:`IGNORE` where a pixel does not count; or of shape (), the class of
the whole picture."""


class LabelledImages(ABC):
    """One split of a set of images, every pixel of which has a class, unless it is one of :class:`ClassifiedImages`.

    All images come out at one size, so that they can be stacked. Reading the same index twice gives the same
    arrays, in whatever order, process and thread.

    Attributes:
        name: the data set and its split in words, for headings (``"CamVid, test"``).
        classes: the class names; a class id is a position in this tuple.
        palette: red, green and blue from 0 to 255 to draw each class with; empty where pictures have one class.
        size: height and width of what :meth:`read` returns, in pixels.
        has_one_class_each: whether a label is the class of a whole picture, and not one for every pixel.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] = ()
    has_one_class_each: bool = False
    size: tuple[int, int]

    @abstractmethod
    def __len__(self) -> int:
        """How many images there are, at least 1."""

    @abstractmethod
    def read(self, index: int) -> tuple[Picture, Labels]:
        """One image and its labels.

        Args:
            index: from 0 up to, and not including, the number of images.

        Returns:
            The picture, uint8 of shape (height, width, 3), and its class ids: uint8 of shape (height, width), 255
            where a pixel does not count; or int64 of shape (), where pictures have one class each.

        Raises:
            WrongUse: there is no such index, or the files behind it do not hold what they must.
        """

    def has_labels(self) -> bool:
        """Whether anything counts in any of the images: not so where the labels of a test split are held back.

        Images are read until one does, which mostly is the first.
        """
        return self.has_one_class_each or any((self.read(index)[1] != IGNORE).any() for index in range(len(self)))

    def refuse_unlabelled(self) -> None:
        """Make sure that networks can be scored on them, before hours are spent and not after.

        Raises:
            WrongUse: nothing counts in any of them.
        """
        if not self.has_labels():
            raise WrongUse(
                f"{self.name} has no labelled pixel: what is published of a test split often has none. "
                "Score on another --split, such as val, or choose other --data."
            )


class ClassifiedImages(LabelledImages):
    """One split of a set of images, each of which shows one thing: the class of the whole picture.

    Networks that tell such classes are scored by the share of pictures they get right.
    """

    has_one_class_each = True


def class_label(class_id: int) -> Labels:
    """The class of a whole picture as :meth:`LabelledImages.read` gives it: int64 of shape ()."""
    return np.array(class_id, dtype=np.int64)


def checked_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size as it was given, once it is known to be one.

    Args:
        size: height and width in pixels.

    Raises:
        WrongUse: one of the two is below 1.
    """
    height, width = size
    if height < 1 or width < 1:
        raise WrongUse(
            f"An image size is (height, width), both at least 1 pixel; got ({height}, {width}). Use (96, 192), say."
        )
    return height, width


def checked_index(index: int, images: LabelledImages) -> int:
    """The index as it was given, once it is known to be one of ``images``.

    Args:
        index: the index asked for.
        images: where it should lie.

    Raises:
        WrongUse: it is negative or too large.
    """
    if not 0 <= index < len(images):
        raise WrongUse(
            f"An index into {images.name} goes from 0 to {len(images) - 1}; got {index}. "
            "Use one in that range, or open more images."
        )
    return index


def checked_count(what: str, split: str, seed: int, count: int | None, usual: Mapping[str, int]) -> int:
    """How many images of a split to generate, once split, seed and number are known to make sense.

    Args:
        what: the images, in the plural (``"scenes"``).
        split: the part that is asked for.
        seed: what they are drawn from.
        count: how many are asked for; None is the usual number.
        usual: the usual number of each split.

    Raises:
        WrongUse: the split is unknown, the seed is negative, or the number is below 1.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if seed < 0:
        raise WrongUse(f"The seed of the {what} must be at least 0; got {seed}. Use 0, say.")
    if count is not None and count < 1:
        raise WrongUse(f"The number of {what} must be at least 1; got {count}. Ask for {usual[split]}, say.")
    return usual[split] if count is None else count
