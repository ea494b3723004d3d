"""Pictures in one folder for each class, as ImageNet and many sets of one's own are kept (the ImageFolder layout).

::

    root/train/cat/1.jpg    root/val/cat/7.jpg    root/test/cat/9.jpg
    root/train/dog/2.jpg    root/val/dog/8.jpg    root/test/dog/10.jpg
"""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
from PIL import Image, ImageOps

from devices import WrongUse, unknown_name
from search.data.labelled import (
    SPLITS,
    ClassifiedImages,
    Labels,
    Picture,
    checked_index,
    checked_size,
    class_label,
)
from search.data.layouts import Layout
from search.data.paired import open_colours, require_folder, spread

_PICTURES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}

_WHAT = "one folder of pictures for each class"


@final
class ClassFolders(ClassifiedImages):
    """One split of a folder with a folder for each class.

    Classes are called what their folders in ``train`` are, in alphabetical order; other splits must have the same.
    Pictures may lie in folders of their own below; hidden files and those that are no pictures by their ending are left
    out.

    Attributes:
        name: the folder and the split.
        classes: the names of the folders.
        size: height and width of what is read, in pixels.
    """

    def __init__(self, root: Path, split: str, size: tuple[int, int], count: int | None = None) -> None:
        """Finds the files; reads none.

        Args:
            root: the folder with the splits.
            split: ``train``, ``val`` or ``test``.
            size: height and width to read at, in pixels.
            count: how many pictures to use, spread evenly over the classes; None uses all.

        Raises:
            WrongUse: the split is unknown, a folder is missing or empty, splits differ in their classes, or there is
                one class only.
        """
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        folder = require_folder(root / split, _WHAT)
        self.classes = _classes(require_folder(root / "train", _WHAT))
        _refuse_other_classes(folder, _classes(folder), self.classes)
        files = tuple((path, number) for number, name in enumerate(self.classes) for path in _pictures(folder / name))
        self._files = spread(files, count, folder)
        self.name = f"{root.resolve().name}, {split}"
        self.size = checked_size(size)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._files)

    def read(self, index: int) -> tuple[Picture, Labels]:
        """One picture and its class; see :meth:`LabelledImages.read`.

        What is read is the middle of the picture in the wanted proportions, so that nothing is stretched.
        """
        path, class_id = self._files[checked_index(index, self)]
        height, width = self.size
        fitted = ImageOps.fit(open_colours(path), (width, height), Image.Resampling.BILINEAR)
        return np.array(fitted), class_label(class_id)


def _classes(folder: Path) -> tuple[str, ...]:
    """The names of the folders in a split.

    Raises:
        WrongUse: there are fewer than two.
    """
    names = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."))
    if len(names) < 2:
        raise WrongUse(
            f"{folder} must hold {_WHAT}, for at least 2 classes; it has {', '.join(names) or 'none'}. "
            "Sort the pictures into folders named after their classes."
        )
    return names


def _refuse_other_classes(folder: Path, found: tuple[str, ...], classes: tuple[str, ...]) -> None:
    differing = sorted({*found} ^ {*classes})
    if differing:
        where = "missing there" if differing[0] in classes else "not in train"
        raise WrongUse(
            f"{folder} must have the same class folders as train, {len(classes)} of them; {differing[0]!r} is {where} "
            f"({len(differing)} differ). Rename, add or remove folders until they agree."
        )


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a class, in the order of their names.

    Raises:
        WrongUse: there are none.
    """
    files = (path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    found = sorted(path for path in files if not path.name.startswith("."))
    if not found:
        raise WrongUse(
            f"{folder} must hold at least one picture ({', '.join(sorted(_PICTURES))}); it holds none. "
            "Add pictures, or remove this class from all splits."
        )
    return found


LAYOUT = Layout("ImageFolder", ("train", "val"), ClassFolders)
"""How its folders are recognised."""
