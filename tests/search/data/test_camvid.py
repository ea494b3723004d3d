"""CamVid: a small tree of files, and the real data where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devices import WrongUse
from search.data import IGNORE, CamVid, open_images

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("PACELINE_DATA") or ROOT.parent / "shared" / "data")
REAL = DATA / "camvid_240x180"

needs_camvid = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"CamVid is not at {REAL}; set PACELINE_DATA to the folder that holds camvid_240x180"
)


def write_tree(root: Path, label_id: int = 11) -> Path:
    """Two frames of train, all of one label id."""
    for kind in ("images", "labels"):
        (root / "train" / kind).mkdir(parents=True)
    for name in ("0001TP_006690", "0001TP_006720"):
        Image.new("RGB", (24, 18), (90, 90, 90)).save(root / "train" / "images" / f"{name}.jpg")
        Image.new("L", (24, 18), label_id).save(root / "train" / "labels" / f"{name}.png")
    return root


def test_unlabelled_pixels_are_ignored(tmp_path: Path) -> None:
    images = open_images(str(write_tree(tmp_path)), "train", (9, 12))
    assert isinstance(images, CamVid)
    assert len(images) == 2
    assert (images.read(0)[1] == IGNORE).all()


@pytest.mark.parametrize("label_id", range(11))
def test_classes_keep_their_ids(tmp_path: Path, label_id: int) -> None:
    assert (CamVid(write_tree(tmp_path, label_id), "train", (18, 24)).read(1)[1] == label_id).all()


def test_other_label_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="among 0-11; it also holds 12"):
        CamVid(write_tree(tmp_path, 12), "train", (18, 24)).read(0)


def test_missing_parts_are_named(tmp_path: Path) -> None:
    write_tree(tmp_path)
    with pytest.raises(WrongUse, match=r"images must be a folder with the pictures"):
        CamVid(tmp_path, "test", (18, 24))
    (tmp_path / "train" / "labels" / "0001TP_006690.png").unlink()
    with pytest.raises(WrongUse, match=r"1 of 2 pictures have no partner: .*images/0001TP_006690\.jpg"):
        CamVid(tmp_path, "train", (18, 24))


@pytest.mark.parametrize(("picture", "label"), [("0001TP_006690", "0001TP_006690"), ("{}_00001", "{}annot_00001")])
def test_the_folders_of_segnet_are_recognised(tmp_path: Path, picture: str, label: str) -> None:
    """Its tutorial has train and trainannot, and files of two kinds of names."""
    for split, label_id in (("train", 3), ("val", 4), ("test", 5)):
        for folder, name, mode in ((split, picture, "RGB"), (f"{split}annot", label, "L")):
            (tmp_path / folder).mkdir()
            made = Image.new(mode, (24, 18), label_id if mode == "L" else (90, 90, 90))
            made.save(tmp_path / folder / f"{name.format(split)}.png")
    images = open_images(str(tmp_path), "test", (18, 24))
    assert isinstance(images, CamVid)
    assert len(images) == 1
    assert (images.read(0)[1] == 5).all()


def test_two_pictures_of_one_frame_are_refused(tmp_path: Path) -> None:
    write_tree(tmp_path)
    Image.new("RGB", (24, 18)).save(tmp_path / "train" / "images" / "0001TP_006690.png")
    with pytest.raises(WrongUse, match=r"0001TP_006690\.jpg and 0001TP_006690\.png share theirs"):
        CamVid(tmp_path, "train", (18, 24))


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no split 'validation'"):
        CamVid(write_tree(tmp_path), "validation", (18, 24))


@needs_camvid
def test_real_frames_are_complete_and_their_classes_plausible() -> None:
    assert [len(CamVid(REAL, split, (180, 240))) for split in ("train", "val", "test")] == [367, 101, 233]
    images = open_images(str(REAL), "test", (180, 240), count=20)
    labels = np.stack([images.read(index)[1] for index in range(20)])
    shares = {name: float((labels == class_id).mean()) for class_id, name in enumerate(images.classes)}
    assert all(share > 0 for share in shares.values())
    assert 0.15 < shares["road"] < 0.4
    assert (labels == IGNORE).mean() < 0.1
    assert (labels[:, :60] == images.classes.index("sky")).sum() > (
        labels[:, 120:] == images.classes.index("sky")
    ).sum()


@needs_camvid
def test_real_pictures_show_what_their_labels_say() -> None:
    """Sky is brighter than road: picture and label files belong together and are not mirrored."""
    images = CamVid(REAL, "train", (90, 120), count=10)
    sky, road = images.classes.index("sky"), images.classes.index("road")
    brighter = 0
    for index in range(len(images)):
        picture, labels = images.read(index)
        brighter += bool(picture[labels == sky].mean() > picture[labels == road].mean())
    assert brighter >= 9
