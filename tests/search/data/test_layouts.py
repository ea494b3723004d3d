"""Layouts: recognised by all of their marks, not by one of them."""

from __future__ import annotations

from pathlib import Path

from search.data import LAYOUTS


def test_each_layout_recognises_its_own_folders_only(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        root = tmp_path / layout.name
        for mark in layout.marks:
            (root / mark).mkdir(parents=True)
        assert [other.name for other in LAYOUTS if other.recognises(root)] == [layout.name]


def test_one_mark_is_not_enough(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        root = tmp_path / layout.name
        (root / layout.marks[0]).mkdir(parents=True)
        assert not layout.recognises(root)
