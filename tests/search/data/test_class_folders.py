"""A folder for each class: names, numbers and labels follow the folders, and what is missing is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devices import WrongUse
from search.data import ClassFolders, open_images

GREYS = {"ant": 0, "bee": 100, "cow": 200}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes of one grey each: four pictures in train, two in val."""
    for split, count in (("train", 4), ("val", 2)):
        for name, grey in GREYS.items():
            folder = tmp_path / "zoo" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (20, 10), (grey,) * 3).save(folder / f"{number}.png")
    return tmp_path / "zoo"


def classes_of(images: ClassFolders) -> list[int]:
    return [int(images.read(index)[1]) for index in range(len(images))]


def test_classes_are_the_folders_in_alphabetical_order(root: Path) -> None:
    images = ClassFolders(root, "train", (8, 8))
    assert images.classes == ("ant", "bee", "cow")
    assert images.name == "zoo, train"
    assert classes_of(images) == [0] * 4 + [1] * 4 + [2] * 4
    assert classes_of(ClassFolders(root, "val", (8, 8))) == [0, 0, 1, 1, 2, 2]


def test_a_picture_has_the_wanted_size_and_the_class_of_its_folder(root: Path) -> None:
    images = ClassFolders(root, "train", (6, 9))
    for index in (0, 5, 11):
        picture, label = images.read(index)
        assert (picture.shape, picture.dtype) == ((6, 9, 3), np.uint8)
        assert (picture == GREYS[images.classes[int(label)]]).all()


def test_the_middle_is_read_and_nothing_is_stretched(root: Path) -> None:
    striped = np.zeros((10, 30, 3), dtype=np.uint8)
    striped[:, 10:20] = 250
    Image.fromarray(striped).save(root / "train" / "ant" / "0.png")
    assert (ClassFolders(root, "train", (10, 10)).read(0)[0] == 250).all()


def test_fewer_pictures_are_spread_over_the_classes(root: Path) -> None:
    assert classes_of(ClassFolders(root, "train", (8, 8), count=6)) == [0, 0, 1, 1, 2, 2]
    assert len(ClassFolders(root, "train", (8, 8), count=99)) == 12


def test_pictures_may_lie_deeper_and_other_files_are_left_out(root: Path) -> None:
    deeper = root / "train" / "bee" / "images"
    deeper.mkdir()
    (root / "train" / "bee" / "0.png").rename(deeper / "0.PNG")
    (root / "train" / "bee" / "readme.txt").write_text("bees")
    (root / "train" / ".cache").mkdir()
    assert classes_of(ClassFolders(root, "train", (8, 8))).count(1) == 4


def test_the_layout_is_recognised(root: Path) -> None:
    images = open_images(str(root), "val", (8, 8), count=3)
    assert isinstance(images, ClassFolders)
    assert len(images) == 3


def test_a_split_that_is_not_there(root: Path) -> None:
    with pytest.raises(WrongUse, match=r"test must be a folder with one folder of pictures for each class; .* val"):
        ClassFolders(root, "test", (8, 8))


def test_a_class_that_another_split_lacks_would_shift_the_ids(root: Path) -> None:
    shutil.rmtree(root / "val" / "bee")
    with pytest.raises(WrongUse, match=r"the same class folders as train, 3 of them; 'bee' is missing there \(1 diff"):
        ClassFolders(root, "val", (8, 8))
    (root / "val" / "bear").mkdir()
    with pytest.raises(WrongUse, match=r"'bear' is not in train \(2 differ\)"):
        ClassFolders(root, "val", (8, 8))


def test_a_class_without_pictures(root: Path) -> None:
    for path in (root / "train" / "cow").iterdir():
        path.unlink()
    with pytest.raises(WrongUse, match=r"cow must hold at least one picture .*\.png.* it holds none"):
        ClassFolders(root, "train", (8, 8))


def test_hidden_files_are_no_pictures(root: Path) -> None:
    (root / "train" / "ant" / "._0.png").write_bytes(b"what a Mac packed beside it")
    assert len(ClassFolders(root, "train", (8, 8))) == 12


def test_grey_pictures_of_16_bits_are_refused_and_not_turned_into_white(root: Path) -> None:
    Image.fromarray(np.full((10, 20), 20_000, dtype=np.uint16)).save(root / "train" / "ant" / "0.png")
    with pytest.raises(WrongUse, match=r"0\.png has the mode I;16 of more"):
        ClassFolders(root, "train", (8, 8)).read(0)


def test_one_class_alone_is_none(root: Path) -> None:
    for name in ("bee", "cow"):
        shutil.rmtree(root / "train" / name)
    with pytest.raises(WrongUse, match="for at least 2 classes; it has ant"):
        ClassFolders(root, "train", (8, 8))


def test_a_file_that_is_no_picture(root: Path) -> None:
    (root / "train" / "ant" / "1.png").write_bytes(b"no picture")
    with pytest.raises(WrongUse, match=r"1\.png must be a picture; reading it ended with"):
        ClassFolders(root, "train", (8, 8)).read(1)


def test_wrong_use_is_explained_at_once(root: Path) -> None:
    with pytest.raises(WrongUse, match="no split 'tarin'"):
        ClassFolders(root, "tarin", (8, 8))
    with pytest.raises(WrongUse, match="At least 1 of the 12 images"):
        ClassFolders(root, "train", (8, 8), count=0)
    with pytest.raises(WrongUse, match="goes from 0 to 11; got 12"):
        ClassFolders(root, "train", (8, 8)).read(12)
