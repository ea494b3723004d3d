"""Opening images by name or by folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from devices import WrongUse
from search.data import GENERATED, Objects, Scenes, open_images

ROOT = Path(__file__).resolve().parents[3]


def test_scenes_are_opened_by_name() -> None:
    images = open_images("scenes", "val", (32, 64), seed=4, count=7)
    assert isinstance(images, Scenes)
    assert len(images) == 7
    assert images.size == (32, 64)
    assert (images.read(3)[0] == Scenes("val", (32, 64), seed=4).read(3)[0]).all()


def test_objects_are_opened_by_name_and_have_one_class_each() -> None:
    images = open_images("objects", "val", (32, 32), seed=4, count=7)
    assert isinstance(images, Objects)
    assert (len(images), len(images.classes), images.has_one_class_each) == (7, 10, True)
    assert not open_images("scenes", "val", (32, 32)).has_one_class_each


@pytest.mark.parametrize("source", [*GENERATED, "anywhere"])
def test_an_unknown_split_is_refused_first(source: str) -> None:
    with pytest.raises(WrongUse, match=r"no split 'tset'. Did you mean 'test'\? Known: test, train, val"):
        open_images(source, "tset", (32, 64))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        WrongUse, match=r"must be 'scenes', 'objects' or a folder .*Cityscapes.*CamVid.*ImageFolder.*gone' is neither"
    ):
        open_images(str(tmp_path / "gone"), "train", (32, 64))


def test_a_folder_in_no_known_layout_is_described(tmp_path: Path) -> None:
    for name in ("leftImg8bit", "readme", *"abcdef"):
        (tmp_path / name).mkdir()
    words = (
        r"Cityscapes with leftImg8bit and gtFine; CamVid with train/images and train/labels; .* holds a, b, .*\.\.\."
    )
    with pytest.raises(WrongUse, match=words):
        open_images(str(tmp_path), "train", (32, 64))


def test_an_empty_folder_is_described(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="holds nothing"):
        open_images(str(tmp_path), "train", (32, 64))


def test_importing_needs_no_torch() -> None:
    check = "import sys, search, search.data; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
