"""Cityscapes: 5000 street scenes of 50 cities with fine labels, in the official folders.

M. Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016. The tables follow
``labels.py`` of the official cityscapesScripts.
"""

from __future__ import annotations

from pathlib import Path
from typing import final

from devices import unknown_name
from search.data.labelled import IGNORE, SPLITS, LabelledImages, Labels, Picture, checked_index, checked_size
from search.data.layouts import Layout
from search.data.paired import by_frame, label_table, match, read_pair, require_folder, spread

CLASSES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
"""The 19 classes that are scored, in the order of their train ids."""

PALETTE = (
    (128, 64, 128),
    (244, 35, 232),
    (70, 70, 70),
    (102, 102, 156),
    (190, 153, 153),
    (153, 153, 153),
    (250, 170, 30),
    (220, 220, 0),
    (107, 142, 35),
    (152, 251, 152),
    (70, 130, 180),
    (220, 20, 60),
    (255, 0, 0),
    (0, 0, 142),
    (0, 0, 70),
    (0, 60, 100),
    (0, 80, 100),
    (0, 0, 230),
    (119, 11, 32),
)
"""The official colours of the 19 classes."""

LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The label id in the files of each of the 19 classes."""

ALL_LABEL_IDS = 34
"""Label ids run from 0 to 33; those that are not among :data:`LABEL_IDS` are not scored."""

# The licence plate has the id -1, which a file of 8 bits holds as 255.
_TABLE = label_table(
    dict.fromkeys((*range(ALL_LABEL_IDS), 255), IGNORE)
    | {label_id: class_id for class_id, label_id in enumerate(LABEL_IDS)}
)

_PICTURE_END = "_leftImg8bit.png"
_LABELS_END = "_gtFine_labelIds.png"


@final
class Cityscapes(LabelledImages):
    """One split of Cityscapes with its fine labels.

    The published labels of the test split are empty: every pixel there is ignored. Report the val split.

    Attributes:
        name: the data set and its split in words.
        classes: :data:`CLASSES`.
        palette: :data:`PALETTE`.
        size: height and width of what is read, in pixels.
    """

    def __init__(self, root: Path, split: str, size: tuple[int, int], count: int | None = None) -> None:
        """Finds the files; reads none.

        Args:
            root: the folder with ``leftImg8bit`` and ``gtFine``.
            split: ``train``, ``val`` or ``test``.
            size: height and width to resize to, in pixels; the files have (1024, 2048).
            count: how many images to use, spread evenly over the cities; None uses all.

        Raises:
            WrongUse: the split is unknown, a folder is missing, or pictures and labels do not match.
        """
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        pictures = require_folder(root / "leftImg8bit" / split, "one folder of pictures for each city")
        labels = require_folder(root / "gtFine" / split, "one folder of label files for each city")
        pairs = match(_frames(pictures, _PICTURE_END), _frames(labels, _LABELS_END), pictures)
        self._pairs = spread(pairs, count, pictures)
        self.name = f"Cityscapes, {split}"
        self.classes = CLASSES
        self.palette = PALETTE
        self.size = checked_size(size)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._pairs)

    def read(self, index: int) -> tuple[Picture, Labels]:
        """One image and its 19 train ids; see :meth:`LabelledImages.read`."""
        return read_pair(self._pairs[checked_index(index, self)], self.size, _TABLE)


def _frames(folder: Path, end: str) -> dict[str, Path]:
    """Files by city and frame (``aachen/aachen_000000_000019``)."""
    return by_frame(folder.glob(f"*/*{end}"), lambda path: f"{path.parent.name}/{path.name.removesuffix(end)}")


LAYOUT = Layout("Cityscapes", ("leftImg8bit", "gtFine"), Cityscapes)
"""How its folders are recognised."""
