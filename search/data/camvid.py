"""CamVid: 701 frames of drives through Cambridge in the 11 classes that SegNet reduced them to.

G. Brostow et al., Segmentation and Recognition Using Structure from Motion Point Clouds, ECCV 2008;
V. Badrinarayanan et al., SegNet, PAMI 2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import final

from devices import unknown_name
from search.data.labelled import IGNORE, SPLITS, LabelledImages, Labels, Picture, checked_index, checked_size
from search.data.layouts import Layout
from search.data.paired import by_frame, label_table, match, read_pair, require_folder, spread

CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
"""The 11 classes in the order of their ids."""

PALETTE = (
    (128, 128, 128),
    (128, 0, 0),
    (192, 192, 128),
    (128, 64, 128),
    (0, 0, 192),
    (128, 128, 0),
    (192, 128, 128),
    (64, 64, 128),
    (64, 0, 128),
    (64, 64, 0),
    (0, 128, 192),
)
"""CamVid's own colours of the classes; where several were joined, that of the one that gave its name."""

UNLABELLED = 11
"""The label id of pixels without a class."""

_TABLE = label_table({UNLABELLED: IGNORE} | {class_id: class_id for class_id in range(len(CLASSES))})
_PICTURES = (".jpeg", ".jpg", ".png")


@final
class CamVid(LabelledImages):
    """One split of CamVid: folders ``{train,val,test}/{images,labels}``, or ``train``, ``trainannot``, ... as SegNet's.

    The val split is one drive that is also in train: report the test split.

    Attributes:
        name: the data set and its split in words.
        classes: :data:`CLASSES`.
        palette: :data:`PALETTE`.
        size: height and width of what is read, in pixels.
    """

    def __init__(self, root: Path, split: str, size: tuple[int, int], count: int | None = None) -> None:
        """Finds the files; reads none.

        Args:
            root: the folder with the three splits.
            split: ``train``, ``val`` or ``test``.
            size: height and width to resize to, in pixels.
            count: how many images to use, spread evenly over the drives; None uses all.

        Raises:
            WrongUse: the split is unknown, a folder is missing, or pictures and labels do not match.
        """
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        folders = (root / split, root / f"{split}annot")
        if not (root / "trainannot").is_dir():
            folders = (root / split / "images", root / split / "labels")
        pictures = require_folder(folders[0], "the pictures of this split")
        labels = require_folder(folders[1], "the label files of this split")
        pairs = match(_frames(pictures, _PICTURES), _frames(labels, (".png",)), root / split)
        self._pairs = spread(pairs, count, root / split)
        self.name = f"CamVid, {split}"
        self.classes = CLASSES
        self.palette = PALETTE
        self.size = checked_size(size)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._pairs)

    def read(self, index: int) -> tuple[Picture, Labels]:
        """One image and its 11 classes; see :meth:`LabelledImages.read`."""
        return read_pair(self._pairs[checked_index(index, self)], self.size, _TABLE)


def _frames(folder: Path, ends: tuple[str, ...]) -> dict[str, Path]:
    """Files by the name of their frame (``0001TP_006690``; ``00001`` of ``train_00001`` in ``train``)."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in ends)
    return by_frame(files, lambda path: path.stem.removeprefix(f"{folder.name}_"))


LAYOUTS = (
    Layout("CamVid", ("train/images", "train/labels"), CamVid),
    Layout("CamVid as SegNet has it", ("train", "trainannot"), CamVid),
)
"""How its folders are recognised."""
