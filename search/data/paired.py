"""Pictures and label files that belong together: found by name, checked, and read at the wanted size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from devices import WrongUse
from search.data.labelled import Labels, Picture

NAMES_SHOWN = 3
"""How many file names an error lists: enough to see the pattern, few enough to read."""

File = TypeVar("File")

_WIDE_MODES = ("I", "F")
"""How the names of Pillow's modes begin whose pixels have more than 8 bits."""

INVALID = 254
"""Marks the ids in a label table that a label file must not hold; no data set here has 254 classes."""


@final
@dataclass(frozen=True)
class Pair:
    """A picture and the file with its labels.

    Attributes:
        image: a picture that Pillow can read.
        labels: a picture of one channel that holds label ids.
    """

    image: Path
    labels: Path


def label_table(known: Mapping[int, int]) -> NDArray[np.uint8]:
    """Class ids by label id, to translate a whole label file at once.

    Args:
        known: the class id, or 255 for pixels that do not count, for each label id that a file may hold.

    Returns:
        A table of shape (256,); label ids that are not in ``known`` lead to :data:`INVALID`.
    """
    table = np.full(256, INVALID, dtype=np.uint8)
    for label_id, class_id in known.items():
        table[label_id] = class_id
    return table


def require_folder(folder: Path, what: str) -> Path:
    """The folder itself, once it is known to exist.

    Args:
        folder: where it should be.
        what: what it should hold, for the error.

    Raises:
        WrongUse: it is not there, or it is a file.
    """
    if not folder.is_dir():
        beside = sorted(entry.name for entry in folder.parent.iterdir()) if folder.parent.is_dir() else []
        raise WrongUse(
            f"{folder} must be a folder with {what}; it is not there. In {folder.parent} there is: "
            f"{_some(beside)}. Check the path and unpack the data set there."
        )
    return folder


def by_frame(files: Iterable[Path], frame_of: Callable[[Path], str]) -> dict[str, Path]:
    """Files by the part of their name that pictures and labels share.

    Hidden files are left out: archives packed on a Mac hold a ``._name`` beside each ``name``.

    Args:
        files: in any order.
        frame_of: finds that part.

    Raises:
        WrongUse: two files share it, so that nobody knows which one belongs to the partner.
    """
    found: dict[str, Path] = {}
    for path in sorted(files):
        if path.name.startswith("."):
            continue
        other = found.setdefault(frame_of(path), path)
        if other is not path:
            raise WrongUse(
                f"Each picture needs a name of its own, whatever its ending; {other} and {path.name} share theirs. "
                "Remove one of the two."
            )
    return found


def match(images: Mapping[str, Path], labels: Mapping[str, Path], where: Path) -> tuple[Pair, ...]:
    """Pictures and label files joined by their common name, in the order of the names.

    Args:
        images: the pictures, by the part of the name that both files share.
        labels: the label files, by the same part.
        where: the folder they come from, for the error.

    Raises:
        WrongUse: there are no pictures at all, or a file has no partner.
    """
    if not images and not labels:
        raise WrongUse(f"{where} must hold at least one picture with its labels; it holds none. Unpack the data there.")
    for kind, left, right in (("picture", images, labels), ("label file", labels, images)):
        alone = [str(left[name]) for name in sorted(left.keys() - right.keys())]
        if alone:
            raise WrongUse(
                f"Each picture under {where} needs one label file of the same name and the reverse; {len(alone)} of "
                f"{len(left)} {kind}s have no partner: {_some(alone)}. Add the missing files or remove these."
            )
    return tuple(Pair(images[name], labels[name]) for name in sorted(images))


def spread(pairs: tuple[File, ...], count: int | None, where: Path) -> tuple[File, ...]:
    """At most ``count`` at even distances: neighbouring names are neighbouring frames of one drive, or of one class.

    Args:
        pairs: pictures with their labels, in the order of their names.
        count: how many to keep at most; None keeps all.
        where: the folder they come from, for the error.

    Raises:
        WrongUse: ``count`` is below 1.
    """
    if count is None:
        return pairs
    if count < 1:
        raise WrongUse(f"At least 1 of the {len(pairs)} images in {where} must be used; got {count}.")
    count = min(count, len(pairs))
    return tuple(pairs[position * len(pairs) // count] for position in range(count))


def read_pair(pair: Pair, size: tuple[int, int], table: NDArray[np.uint8]) -> tuple[Picture, Labels]:
    """A picture and its class ids at the wanted size.

    Args:
        pair: the two files.
        size: height and width to resize to, in pixels.
        table: class ids by label id, from :func:`label_table`.

    Returns:
        uint8 arrays of shape (height, width, 3) and (height, width).

    Raises:
        WrongUse: a file is no picture, the two differ in size, or a label id is not in the table.
    """
    image, labels = open_colours(pair.image), _opened(pair.labels)
    if image.size != labels.size:
        raise WrongUse(
            f"A picture and its labels must have the same size; {pair.image} is {_by(image)} and {pair.labels} is "
            f"{_by(labels)}. Export the labels again at the size of the picture."
        )
    class_ids = _translated(labels, table, pair.labels)
    wanted = (size[1], size[0])
    if image.size == wanted:
        return np.array(image), class_ids
    # Pillow's bilinear filter widens when it shrinks, so that fine textures do not alias. Labels are names and
    # not quantities: only the nearest one makes sense.
    small = image.resize(wanted, Image.Resampling.BILINEAR)
    return np.array(small), np.array(Image.fromarray(class_ids).resize(wanted, Image.Resampling.NEAREST))


def open_colours(path: Path) -> Image.Image:
    """The picture in a file as red, green and blue of 8 bits; grey becomes three times the same, transparency is lost.

    Raises:
        WrongUse: it cannot be read, is no picture, or is a grey one of more than 8 bits: which of its values is white
            is not told in the file, and Pillow would turn all above 255 into white.
    """
    image = _opened(path)
    if image.mode.startswith(_WIDE_MODES):
        raise WrongUse(
            f"A picture must have 8 bits for each channel; {path} has the mode {image.mode} of more. "
            "Convert it to 8 bits, its white to 255."
        )
    # Pillow would warn of what is lost on purpose.
    image.info.pop("transparency", None)
    return image.convert("RGB")


def _opened(path: Path) -> Image.Image:
    """The picture in a file, read whole.

    Raises:
        WrongUse: it cannot be read, or is no picture.
    """
    try:
        with path.open("rb") as file:
            image = Image.open(file)
            image.load()
    # Pillow reports a damaged part of a PNG as a SyntaxError or a ValueError, and a size beyond belief as a bomb.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise WrongUse(f"{path} must be a picture; reading it ended with: {error}. Download the file again.") from error
    return image


def _translated(labels: Image.Image, table: NDArray[np.uint8], path: Path) -> Labels:
    """Label ids from a file, as class ids of the same shape."""
    if labels.mode not in {"L", "P", "I", "I;16"}:
        raise WrongUse(
            f"A label file must have one channel of label ids; {path} has the mode {labels.mode}. "
            "Use the files with ids, not the coloured ones."
        )
    label_ids = np.asarray(labels)
    if label_ids.dtype == np.uint8:  # The table holds whatever fits into 8 bits.
        class_ids: Labels = table[label_ids]
        outside = class_ids == INVALID
    else:
        inside = (label_ids >= 0) & (label_ids < len(table))
        class_ids = table[np.where(inside, label_ids, 0)]
        outside = ~inside | (class_ids == INVALID)
    wrong = np.unique(label_ids[outside])
    if wrong.size:
        known = [int(label_id) for label_id in np.flatnonzero(table != INVALID)]
        raise WrongUse(
            f"Label ids in {path} must be among {_ranges(known)}; it also holds {_some([str(i) for i in wrong])}. "
            "Use the original label files of this data set, or convert their ids."
        )
    return class_ids


def _by(image: Image.Image) -> str:
    return f"{image.size[0]} x {image.size[1]}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return (", ".join(names[:NAMES_SHOWN]) or "nothing") + more


def _ranges(ids: list[int]) -> str:
    """Sorted ids in words, with runs as ``0-33``."""
    runs: list[list[int]] = []
    for label_id in ids:
        if runs and label_id == runs[-1][-1] + 1:
            runs[-1].append(label_id)
        else:
            runs.append([label_id])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
