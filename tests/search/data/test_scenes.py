"""Generated scenes: the same everywhere, different where they must be, and with every class in them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from search.data import Scenes
from search.data.scenes import COUNTS

ROOT = Path(__file__).resolve().parents[3]

DIGEST = """
import hashlib
from search.data import Scenes
digest = hashlib.sha256()
for split in ("train", "val"):
    for index in (0, 5):
        for array in Scenes(split, (48, 96), seed=3).read(index):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def digest_here() -> str:
    digest = hashlib.sha256()
    for split in ("train", "val"):
        for index in (0, 5):
            for array in Scenes(split, (48, 96), seed=3).read(index):
                digest.update(array.tobytes())
    return digest.hexdigest()


def test_another_process_draws_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", DIGEST], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest_here()


def test_the_order_of_reading_does_not_matter() -> None:
    forwards, backwards = Scenes("train", (32, 64), count=6), Scenes("train", (32, 64), count=6)
    there = [forwards.read(index) for index in range(6)]
    back = [backwards.read(index) for index in reversed(range(6))][::-1]
    for (picture, labels), (other_picture, other_labels) in zip(there, back, strict=True):
        np.testing.assert_array_equal(picture, other_picture)
        np.testing.assert_array_equal(labels, other_labels)


def test_the_number_of_images_does_not_change_them() -> None:
    few, many = Scenes("val", (32, 64), count=2), Scenes("val", (32, 64), count=500)
    np.testing.assert_array_equal(few.read(1)[0], many.read(1)[0])


def test_seeds_splits_and_indices_all_differ() -> None:
    pictures = [
        Scenes(split, (32, 64), seed=seed).read(index)[0].tobytes()
        for split in ("train", "val", "test")
        for seed in (0, 1)
        for index in range(8)
    ]
    assert len(set(pictures)) == len(pictures)


def test_every_class_has_enough_pixels_in_enough_val_images() -> None:
    images = Scenes("val", (96, 192), count=40)
    pixels = np.stack([np.bincount(images.read(index)[1].ravel(), minlength=11) for index in range(40)])
    images_with = (pixels >= 20).sum(axis=0)
    shares = pixels.sum(axis=0) / pixels.sum()
    for name, count, share in zip(images.classes, images_with, shares, strict=True):
        assert count >= 10, f"{name} is in {count} of 40 images only"
        assert share >= 0.002, f"{name} has {share:.2%} of the pixels only"


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (33, 65), (64, 128), (97, 193), (180, 240), (256, 512)])
def test_any_size_has_valid_labels(size: tuple[int, int]) -> None:
    images = Scenes("train", size, count=5)
    for index in range(len(images)):
        picture, labels = images.read(index)
        assert picture.shape == (*size, 3)
        assert picture.dtype == labels.dtype == np.uint8
        assert labels.shape == size
        assert labels.max() < len(images.classes)


def test_callers_may_write_on_what_they_get() -> None:
    picture, labels = Scenes("val", (32, 64), count=1).read(0)
    assert picture.flags.writeable
    assert labels.flags.writeable


def test_colour_alone_does_not_decide() -> None:
    """The best guess from a pixel's colour misses a third of the pixels' classes, averaged over the classes."""
    images = Scenes("train", (48, 96), count=60)
    pairs = [images.read(index) for index in range(60)]
    counts = [np.zeros((8**3, 11)), np.zeros((8**3, 11))]
    for index, (picture, labels) in enumerate(pairs):
        red, green, blue = (picture[..., channel].ravel() // 32 for channel in range(3))
        np.add.at(counts[index % 2], ((red.astype(int) * 8 + green) * 8 + blue, labels.ravel()), 1)
    guesses = counts[0].argmax(axis=1)
    hits = [counts[1][guesses == class_id, class_id].sum() / counts[1][:, class_id].sum() for class_id in range(11)]
    assert np.mean(hits) < 0.35
    assert np.max(hits) < 0.9


def test_usual_numbers_of_images() -> None:
    assert {split: len(Scenes(split, (16, 32))) for split in COUNTS} == COUNTS


def test_wrong_use_is_explained() -> None:
    with pytest.raises(WrongUse, match=r"no split 'vall'. Did you mean 'val'"):
        Scenes("vall", (32, 64))
    with pytest.raises(WrongUse, match="at least 0; got -1"):
        Scenes("val", (32, 64), seed=-1)
    with pytest.raises(WrongUse, match="at least 1; got 0"):
        Scenes("val", (32, 64), count=0)
    with pytest.raises(WrongUse, match="image size"):
        Scenes("val", (0, 64))
