"""Layouts: recognised by all of their marks, not by one of them."""

from __future__ import annotations

from pathlib import Path

from search.data import LAYOUTS, Layout


def make(mark: Path) -> None:
    """A mark is a file where its name has an ending, else a folder."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    if mark.suffix:
        mark.write_bytes(b"")
    else:
        mark.mkdir(parents=True)


def test_each_layout_recognises_its_own_folders_only(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        root = tmp_path / layout.name
        for mark in layout.marks:
            make(root / mark)
        assert [other.name for other in LAYOUTS if other.recognises(root)] == [layout.name]


def test_one_mark_is_not_enough(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        root = tmp_path / layout.name
        make(root / layout.marks[0])
        assert not layout.recognises(root)


def test_camvid_with_all_its_splits_is_camvid(tmp_path: Path) -> None:
    for mark in ("train/images", "train/labels", "val/images", "val/labels"):
        make(tmp_path / mark)
    first: Layout = next(layout for layout in LAYOUTS if layout.recognises(tmp_path))
    assert first.name == "CamVid"
