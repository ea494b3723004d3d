"""Generated objects: always the same, of all classes everywhere, with the thing in the picture."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from devices import WrongUse
from search.data import Objects, objects
from search.data.scenes import COUNTS


def classes_of(images: Objects, indices: range) -> list[int]:
    return [int(images.read(index)[1]) for index in indices]


def test_a_picture_depends_on_seed_split_index_and_size_alone() -> None:
    few, many = Objects("val", (16, 24), count=2, seed=3), Objects("val", (16, 24), seed=3)
    many.read(0)
    for first, second in zip(few.read(1), many.read(1), strict=True):
        np.testing.assert_array_equal(first, second)
    pictures = [
        Objects(split, (16, 16), seed=seed).read(index)[0].tobytes()
        for split in ("train", "val", "test")
        for seed in (0, 1)
        for index in range(3)
    ]
    assert len(set(pictures)) == len(pictures)


def test_pictures_have_the_wanted_size_and_one_class() -> None:
    for size in ((16, 16), (20, 33), (1, 1)):
        picture, label = Objects("train", size).read(0)
        assert (picture.shape, picture.dtype) == ((*size, 3), np.uint8)
        assert (label.shape, label.dtype) == ((), np.int64)


def test_every_other_picture_still_shows_all_classes() -> None:
    # A search trains weights and policy on halves.
    images = Objects("train", (8, 8))
    for first in (0, 1):
        counts = Counter(classes_of(images, range(first, 240, 2)))
        assert set(counts) == set(range(10))
        assert min(counts.values()) >= 3


@pytest.mark.parametrize("kind", list(objects._KINDS))
def test_the_thing_is_in_the_picture_and_takes_much_of_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[float] = []

    def spy(seen: np.ndarray, size: tuple[int, int], dice: object) -> tuple[float, ...]:
        left, top, right, bottom = frame(seen, size, dice)
        assert 0 <= left < right <= seen.shape[1]
        assert 0 <= top < bottom <= seen.shape[0]
        assert (right - left) / (bottom - top) == pytest.approx(size[1] / size[0])
        inside = seen[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
        cut.append(inside.sum() / seen.sum())
        return left, top, right, bottom

    frame = objects._frame
    monkeypatch.setattr(objects, "_frame", spy)
    monkeypatch.setattr(objects, "_KINDS", {kind: objects._KINDS[kind]})
    images = Objects("train", (24, 24))
    for index in range(8):
        images.read(index)
    assert np.mean(cut) > 0.85
    assert min(cut) > 0.4


def test_what_is_not_seen_at_all_leaves_the_whole_street() -> None:
    class Even:
        def between(self, low: float, high: float) -> float:
            return 0.5 * (low + high)

    box = objects._frame(np.zeros((30, 60), dtype=np.bool_), (10, 20), Even())
    assert box == (0, 0, 60, 30)


def test_wrong_use_is_explained_at_once() -> None:
    with pytest.raises(WrongUse, match="no split 'tset'"):
        Objects("tset", (16, 16))
    with pytest.raises(WrongUse, match="seed of the objects must be at least 0; got -1"):
        Objects("val", (16, 16), seed=-1)
    with pytest.raises(WrongUse, match="at least 1; got 0"):
        Objects("val", (16, 16), count=0)
    with pytest.raises(WrongUse, match="goes from 0 to 249; got 250"):
        Objects("val", (16, 16)).read(250)
    assert len(Objects("train", (16, 16))) == COUNTS["train"]
