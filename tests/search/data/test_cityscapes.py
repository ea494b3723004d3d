"""Cityscapes in its official folders, on a small tree of real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devices import WrongUse
from search.data import Cityscapes, Scenes, open_images
from search.data.cityscapes import CLASSES, LABEL_IDS, PALETTE

# labels.py of cityscapesScripts: name, id, trainId.
OFFICIAL = """
unlabeled 0 255, ego vehicle 1 255, rectification border 2 255, out of roi 3 255, static 4 255, dynamic 5 255,
ground 6 255, road 7 0, sidewalk 8 1, parking 9 255, rail track 10 255, building 11 2, wall 12 3, fence 13 4,
guard rail 14 255, bridge 15 255, tunnel 16 255, pole 17 5, polegroup 18 255, traffic light 19 6, traffic sign 20 7,
vegetation 21 8, terrain 22 9, sky 23 10, person 24 11, rider 25 12, car 26 13, truck 27 14, bus 28 15, caravan 29 255,
trailer 30 255, train 31 16, motorcycle 32 17, bicycle 33 18, license plate 255 255
"""
COLOURS = """
road 128 64 128, sidewalk 244 35 232, building 70 70 70, wall 102 102 156, fence 190 153 153, pole 153 153 153,
traffic light 250 170 30, traffic sign 220 220 0, vegetation 107 142 35, terrain 152 251 152, sky 70 130 180,
person 220 20 60, rider 255 0 0, car 0 0 142, truck 0 0 70, bus 0 60 100, train 0 80 100, motorcycle 0 0 230,
bicycle 119 11 32
"""
ROWS = [row.strip().rsplit(" ", 2) for row in OFFICIAL.split(",")]

FRAMES = ("aachen/aachen_000000_000019", "aachen/aachen_000001_000019", "bremen/bremen_000000_000019")


def write_tree(root: Path, split: str = "train") -> Path:
    """Scenes as if they were frames of two cities; their 11 classes as label ids 7 to 17."""
    scenes = Scenes("train", (32, 64), count=len(FRAMES))
    for index, frame in enumerate(FRAMES):
        picture, labels = scenes.read(index)
        for kind, end, array in (("leftImg8bit", "leftImg8bit", picture), ("gtFine", "gtFine_labelIds", labels + 7)):
            path = root / kind / split / f"{frame}_{end}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(path)
    (root / "gtFine" / split / f"{FRAMES[0]}_gtFine_color.png").write_bytes(b"not a label file, must not be touched")
    return root


def labels_file(root: Path, frame: str = FRAMES[0]) -> Path:
    return root / "gtFine" / "train" / f"{frame}_gtFine_labelIds.png"


def test_every_label_id_becomes_its_official_train_id(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    ids = np.array([int(row[1]) for row in ROWS], dtype=np.uint8)
    Image.new("RGB", (len(ids), 2)).save(root / "leftImg8bit" / "train" / f"{FRAMES[0]}_leftImg8bit.png")
    Image.fromarray(np.stack([ids, ids])).save(labels_file(root))
    _, labels = Cityscapes(root, "train", (2, len(ids))).read(0)
    assert labels[0].tolist() == [int(row[2]) for row in ROWS]


def test_names_stand_at_their_train_ids() -> None:
    scored = {int(row[2]): row[0] for row in ROWS if row[2] != "255"}
    assert tuple(scored[class_id] for class_id in range(19)) == CLASSES
    assert len(PALETTE) == len(LABEL_IDS) == 19


def test_classes_have_their_official_colours() -> None:
    rows = (row.strip().rsplit(" ", 3) for row in COLOURS.split(","))
    assert dict(zip(CLASSES, PALETTE, strict=True)) == {row[0]: tuple(map(int, row[1:])) for row in rows}


def test_the_test_split_whose_labels_are_held_back_says_so(tmp_path: Path) -> None:
    root = write_tree(tmp_path, "test")
    for path in (root / "gtFine" / "test").glob("*/*_labelIds.png"):
        Image.new("L", (64, 32), 3).save(path)  # Out of the region of interest, as all of it is there.
    assert not Cityscapes(root, "test", (32, 64)).has_labels()
    assert Cityscapes(write_tree(tmp_path, "val"), "val", (32, 64)).has_labels()


@pytest.mark.parametrize("label_id", [34, 100, 254])
def test_label_ids_that_cityscapes_does_not_have_are_refused(tmp_path: Path, label_id: int) -> None:
    root = write_tree(tmp_path)
    Image.fromarray(np.full((32, 64), label_id, dtype=np.uint8)).save(labels_file(root))
    with pytest.raises(WrongUse, match=f"among 0-33, 255; it also holds {label_id}"):
        Cityscapes(root, "train", (32, 64)).read(0)


def test_pictures_and_labels_stay_together(tmp_path: Path) -> None:
    images = open_images(str(write_tree(tmp_path)), "train", (32, 64))
    scenes = Scenes("train", (32, 64), count=3)
    assert isinstance(images, Cityscapes)
    assert images.name == "Cityscapes, train"
    assert len(images) == 3
    to_train = np.full(34, 255, dtype=np.uint8)
    to_train[list(LABEL_IDS)] = range(19)
    for index in range(3):
        picture, labels = scenes.read(index)
        np.testing.assert_array_equal(images.read(index)[0], picture)
        np.testing.assert_array_equal(images.read(index)[1], to_train[labels + 7])


def test_images_come_at_the_wanted_size(tmp_path: Path) -> None:
    picture, labels = Cityscapes(write_tree(tmp_path), "train", (20, 30)).read(2)
    assert picture.shape == (20, 30, 3)
    assert labels.shape == (20, 30)


def test_a_few_images_cover_the_cities(tmp_path: Path) -> None:
    write_tree(tmp_path)
    few, all_images = (Cityscapes(tmp_path, "train", (32, 64), count) for count in (1, 3))
    np.testing.assert_array_equal(few.read(0)[0], all_images.read(0)[0])
    assert len(few) == 1


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    labels_file(write_tree(tmp_path)).unlink()
    with pytest.raises(WrongUse, match=r"1 of 3 pictures have no partner: .*/aachen_000000_000019_leftImg8bit\.png"):
        Cityscapes(tmp_path, "train", (32, 64))


def test_a_label_file_without_picture_is_named(tmp_path: Path) -> None:
    (write_tree(tmp_path) / "leftImg8bit" / "train" / f"{FRAMES[2]}_leftImg8bit.png").unlink()
    with pytest.raises(WrongUse, match=r"1 of 3 label files have no partner: .*gtFine/train/bremen"):
        Cityscapes(tmp_path, "train", (32, 64))


def test_what_a_mac_packed_beside_the_files_is_left_out(tmp_path: Path) -> None:
    labels_file(write_tree(tmp_path)).with_name("._aachen_000000_000019_gtFine_labelIds.png").write_bytes(b"no picture")
    assert len(Cityscapes(tmp_path, "train", (32, 64))) == 3


def test_a_missing_split_lists_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"val must be a folder .* there is: train"):
        Cityscapes(write_tree(tmp_path), "val", (32, 64))


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    for kind in ("leftImg8bit", "gtFine"):
        (tmp_path / kind / "val" / "aachen").mkdir(parents=True)
    with pytest.raises(WrongUse, match="holds none"):
        Cityscapes(tmp_path, "val", (32, 64))


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"no split 'training'. Did you mean 'train'"):
        Cityscapes(write_tree(tmp_path), "training", (32, 64))
