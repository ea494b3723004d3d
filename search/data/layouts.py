"""What a data set tells about itself, so that a folder can be recognised and opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from search.data.labelled import LabelledImages

OpenFolder = Callable[[Path, str, tuple[int, int], int | None], LabelledImages]
"""Opens a folder: its path, the split, (height, width) in pixels, and how many images (None: all)."""


@final
@dataclass(frozen=True)
class Layout:
    """How the folders of one data set are laid out.

    Attributes:
        name: the data set.
        marks: folders or files, relative to the root, that exist together in this data set; which one it is where
            several have theirs, the order of ``LAYOUTS`` says.
        open: makes the images of one split.
    """

    name: str
    marks: tuple[str, ...]
    open: OpenFolder

    def recognises(self, folder: Path) -> bool:
        """Whether all marks exist in ``folder``."""
        return all((folder / mark).exists() for mark in self.marks)
