"""CIFAR-10 in its binary version: 60 000 pictures of 32 x 32 pixels in 10 classes.

A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. The version for Python is pickled, and not
read: a pickle runs code when it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from devices import WrongUse, unknown_name
from search.data.labelled import SPLITS, ClassifiedImages, Labels, Picture, checked_index, checked_size, class_label
from search.data.layouts import Layout
from search.data.paired import spread

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The 10 classes in the order of their ids."""

_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 5)),
    "val": ("data_batch_5.bin",),
    "test": ("test_batch.bin",),
}
"""The published set has no val split: the last of the five files to train on is held out for it."""

_SIDE = 32
_RECORD_BYTES = 1 + 3 * _SIDE * _SIDE
"""The class id, then all of the red, the green and the blue."""


@final
class Cifar10(ClassifiedImages):
    """One split of CIFAR-10: 40 000 pictures in ``train``, and 10 000 each in ``val`` and ``test``.

    Attributes:
        name: the data set and its split in words.
        classes: :data:`CLASSES`.
        size: height and width of what is read, in pixels.
    """

    def __init__(self, root: Path, split: str, size: tuple[int, int], count: int | None = None) -> None:
        """Finds the files; reads none.

        Args:
            root: the folder with ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``.
            split: ``train``, ``val`` or ``test``.
            size: height and width to resize to, in pixels.
            count: how many pictures to use, at even distances; None uses all.

        Raises:
            WrongUse: the split is unknown, or a file is missing or damaged.
        """
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        places = tuple((root / name, at) for name in _FILES[split] for at in range(_records(root / name)))
        self._places = spread(places, count, root)
        self.name = f"CIFAR-10, {split}"
        self.classes = CLASSES
        self.size = checked_size(size)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._places)

    def read(self, index: int) -> tuple[Picture, Labels]:
        """One picture and its class; see :meth:`LabelledImages.read`."""
        path, at = self._places[checked_index(index, self)]
        record = np.fromfile(path, np.uint8, _RECORD_BYTES, offset=at * _RECORD_BYTES)
        class_id = int(record[0])
        if class_id >= len(CLASSES):
            raise WrongUse(
                f"Class ids in {path} must be from 0 to {len(CLASSES) - 1}; picture {at} has {class_id}. "
                "Download the binary version of CIFAR-10 again."
            )
        picture = np.ascontiguousarray(record[1:].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0))
        if self.size != (_SIDE, _SIDE):
            wanted = (self.size[1], self.size[0])
            picture = np.array(Image.fromarray(picture).resize(wanted, Image.Resampling.BILINEAR))
        return picture, class_label(class_id)


def _records(path: Path) -> int:
    """How many pictures a file holds.

    Raises:
        WrongUse: it is not there, or no row of whole pictures.
    """
    size_bytes = path.stat().st_size if path.is_file() else 0
    if size_bytes == 0 or size_bytes % _RECORD_BYTES:
        raise WrongUse(
            f"{path} must hold pictures of {_RECORD_BYTES} bytes each; it has {size_bytes} bytes. "
            "Unpack the binary version of CIFAR-10 there."
        )
    return size_bytes // _RECORD_BYTES


LAYOUT = Layout("CIFAR-10 (binary)", ("data_batch_1.bin", "test_batch.bin"), Cifar10)
"""How its folder is recognised."""
