"""What every source of labelled images promises, checked on generated and on real files."""

from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from search.data import IGNORE, LabelledImages, Objects, Scenes
from search.data.labelled import checked_index, checked_size, class_label


@pytest.mark.parametrize("size", [(0, 192), (96, 0), (-1, 5)])
def test_a_size_below_one_pixel_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(WrongUse, match="at least 1 pixel"):
        checked_size(size)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_is_refused(index: int) -> None:
    images = Scenes("val", (16, 32), count=3)
    with pytest.raises(WrongUse, match="goes from 0 to 2"):
        checked_index(index, images)
    with pytest.raises(WrongUse, match=f"got {index}"):
        images.read(index)


def test_the_class_of_a_whole_picture_has_no_shape_and_no_upper_end() -> None:
    label = class_label(999)
    assert (label.shape, label.dtype, int(label)) == ((), np.int64, 999)


def test_classified_images_need_no_palette() -> None:
    assert Objects("val", (16, 16), count=1).palette == ()


def test_a_good_size_and_index_come_back() -> None:
    assert checked_size((96, 192)) == (96, 192)
    assert checked_index(2, Scenes("val", (16, 32), count=3)) == 2


def test_palettes_tell_the_classes_apart() -> None:
    images = Scenes("val", (16, 32), count=1)
    assert len(set(images.palette)) == len(images.classes) == len(set(images.classes))
    assert np.array(images.palette).max() <= 255


class LabelledLate(LabelledImages):
    """Four black images, of which only one has a pixel that counts, if any has."""

    name, classes, palette, size = "late", ("only",), ((0, 0, 0),), (2, 2)

    def __init__(self, labelled: int) -> None:
        self.labelled = labelled
        self.reads: list[int] = []

    def __len__(self) -> int:
        return 4

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.reads.append(index)
        labels = np.full(self.size, IGNORE, dtype=np.uint8)
        labels[0, 0] = 0 if index == self.labelled else IGNORE
        return np.zeros((*self.size, 3), dtype=np.uint8), labels


def test_images_are_read_until_one_has_labels() -> None:
    late, never = LabelledLate(2), LabelledLate(9)
    assert late.has_labels()
    assert late.reads == [0, 1, 2]
    assert not never.has_labels()
    late.refuse_unlabelled()
    with pytest.raises(WrongUse, match=r"late has no labelled pixel.*choose other --data"):
        never.refuse_unlabelled()
    assert Objects("val", (16, 16), count=1).has_labels()
