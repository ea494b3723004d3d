"""CIFAR-10 from generated files of its binary version: planes, splits, and files that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from search.data import Cifar10, open_images
from search.data.cifar10 import CLASSES

TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]


def record(class_id: int, colour: tuple[int, int, int]) -> bytes:
    """A picture whose upper left pixel is black and whose others have one colour."""
    planes = np.repeat(np.array(colour, dtype=np.uint8)[:, None], 1024, axis=1)
    planes[:, 0] = 0
    return bytes([class_id]) + planes.tobytes()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two pictures in each file, whose red is the number of the file and whose class is that of the picture."""
    for number, name in enumerate([*TRAIN, "test_batch.bin"], 1):
        (tmp_path / name).write_bytes(b"".join(record(class_id, (number, 50, 200)) for class_id in (3, 9)))
    return tmp_path


def test_planes_become_pictures(root: Path) -> None:
    picture, label = Cifar10(root, "train", (32, 32)).read(3)
    assert (picture.shape, picture.dtype, int(label)) == ((32, 32, 3), np.uint8, 9)
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert (picture[1:] == (2, 50, 200)).all()
    assert (picture[0, 1:] == (2, 50, 200)).all()


def test_splits_share_no_file(root: Path) -> None:
    reds = {
        split: [int(images.read(index)[0][9, 9, 0]) for index in range(len(images))]
        for split, images in ((split, Cifar10(root, split, (32, 32))) for split in ("train", "val", "test"))
    }
    assert reds == {"train": [1, 1, 2, 2, 3, 3, 4, 4], "val": [5, 5], "test": [6, 6]}


def test_the_layout_is_recognised_and_fewer_or_smaller_pictures_can_be_had(root: Path) -> None:
    images = open_images(str(root), "train", (16, 8), count=4)
    assert isinstance(images, Cifar10)
    assert (len(images), images.classes, images.name) == (4, CLASSES, "CIFAR-10, train")
    assert images.read(0)[0].shape == (16, 8, 3)


@pytest.mark.parametrize("damage", [b"", b"x" * 3072, None])
def test_a_file_that_is_missing_or_damaged(root: Path, damage: bytes | None) -> None:
    (root / "data_batch_5.bin").unlink()
    if damage is not None:
        (root / "data_batch_5.bin").write_bytes(damage)
    with pytest.raises(WrongUse, match=r"data_batch_5\.bin must hold pictures of 3073 bytes each; it has (0|3072)"):
        Cifar10(root, "val", (32, 32))
    assert len(Cifar10(root, "train", (32, 32))) == 8


def test_a_class_that_there_is_none_of(root: Path) -> None:
    (root / "test_batch.bin").write_bytes(record(10, (1, 2, 3)))
    with pytest.raises(WrongUse, match=r"from 0 to 9; picture 0 has 10"):
        Cifar10(root, "test", (32, 32)).read(0)


def test_an_unknown_split_is_refused(root: Path) -> None:
    with pytest.raises(WrongUse, match="no split 'validation'"):
        Cifar10(root, "validation", (32, 32))
