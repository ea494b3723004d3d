"""Changes to training images that leave their meaning alone: mirrored, scaled, moved, in another light.

Each change is decided by a few numbers from 0 to 1 that are drawn elsewhere, so that whoever draws the same numbers
sees the same images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.data.labelled import IGNORE, Labels, Picture

Sample: TypeAlias = tuple[Picture, Labels]
"""An image with its labels."""

Numbers: TypeAlias = NDArray[np.float64]
"""Uniform from 0 to 1."""

LARGEST_ZOOM = 1.6
"""How far ``zoom`` goes; beyond it a crop often holds nothing but road or wall."""

SCALES = (0.5, 2.0)
"""Least and largest scale of ``full``, as DeepLab (Chen et al., arXiv:1706.05587, section 4) and most since."""

LIGHT = 0.4
"""How far ``full`` changes brightness, contrast and saturation, as a share: what trainings of BiSeNet V2 use."""

GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in what the eye takes for brightness (ITU-R BT.601)."""

OUTSIDE = (124, 116, 104)
"""What surrounds a picture that was made smaller: ImageNet's mean, which is 0 once pictures are normalised."""


@final
@dataclass(frozen=True)
class Augmentation:
    """A way to change training images.

    Attributes:
        name: what it is called in a recipe.
        numbers: how many random numbers decide a change.
        change: makes it; what comes back has the size of what went in, and what went in stays as it is.
        by_step: whether the numbers of a batch are drawn together, from a generator for each step, as ``zoom`` has
            always had them; otherwise each image has a generator for each epoch, whatever the size of the batches.
    """

    name: str
    numbers: int
    change: Callable[[Sample, Numbers], Sample]
    by_step: bool = False


def unchanged(sample: Sample, _: Numbers) -> Sample:
    """The sample itself."""
    return sample


def zoomed(sample: Sample, numbers: Numbers) -> Sample:
    """Mirrored in half of the cases, and zoomed into at a random place.

    Args:
        sample: the labels of pixels move along; the class of a whole picture stays what it is.
        numbers: mirror, zoom, down, right; shape (4,).
    """
    flip, zoom, down, right = numbers
    share = 1.0 / (1.0 + zoom * (LARGEST_ZOOM - 1.0))
    return _enlarged(mirrored(sample) if flip < 0.5 else sample, share, down, right)


def scaled_and_lit(sample: Sample, numbers: Numbers) -> Sample:
    """In another light, mirrored in half of the cases, and scaled by 0.5 to 2, then cut or surrounded.

    Around a picture that became smaller no pixel counts. Pictures with one class each only become larger: nothing
    is learnt from a frame around them.

    Args:
        sample: the labels of pixels move along; the class of a whole picture stays what it is.
        numbers: mirror, scale, down, right, brightness, contrast, saturation; shape (7,).
    """
    flip, scale, down, right = numbers[:4]
    picture, labels = sample
    sample = lit(picture, *(1.0 + LIGHT * (2.0 * numbers[4:] - 1.0))), labels
    if flip < 0.5:
        sample = mirrored(sample)
    least, most = SCALES if labels.ndim else (1.0, SCALES[1])
    by = least + scale * (most - least)
    return _enlarged(sample, 1.0 / by, down, right) if by >= 1.0 else _surrounded(sample, by, down, right)


AUGMENTATIONS: Mapping[str, Augmentation] = {
    made.name: made
    for made in (
        Augmentation("none", 0, unchanged, by_step=True),
        Augmentation("zoom", 4, zoomed, by_step=True),
        Augmentation("full", 7, scaled_and_lit),
    )
}
"""By name. ``zoom`` mirrors and zooms in; ``full`` scales both ways, moves, mirrors and changes the light."""


def mirrored(sample: Sample) -> Sample:
    """Left becomes right."""
    picture, labels = sample
    return picture[:, ::-1], labels[..., ::-1] if labels.ndim else labels


def lit(picture: Picture, brightness: float, contrast: float, saturation: float) -> Picture:
    """A picture in another light; all three changes are one linear map of a pixel's colour.

    Args:
        picture: uint8 of shape (height, width, 3).
        brightness: multiplies everything.
        contrast: multiplies the distance from the picture's mean brightness.
        saturation: multiplies the distance from the pixel's own brightness.

    Returns:
        The same shape; colours end at 0 and 255.
    """
    image = Image.fromarray(picture)
    own, grey = brightness * contrast * saturation, brightness * contrast * (1.0 - saturation)
    # A histogram is thirty times as fast as the mean of the array.
    mean = float(np.dot(image.convert("L").histogram(), np.arange(256))) / (image.width * image.height)
    middle = (1.0 - contrast) * brightness * mean
    rows = ((*(grey * share + own * (out == of) for of, share in enumerate(GREY)), middle) for out in range(3))
    matrix = tuple(float(value) for row in rows for value in row)
    return np.asarray(image.convert("RGB", matrix))


def _enlarged(sample: Sample, share: float, down: float, right: float) -> Sample:
    """A part of the picture, that share of its height and width, at the size of the whole."""
    picture, labels = sample
    height, width, _ = picture.shape
    top, left = down * (1.0 - share) * height, right * (1.0 - share) * width
    box = (left, top, left + share * width, top + share * height)
    zoomed = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box=box))
    if labels.ndim:
        labels = np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST, box=box))
    return zoomed, labels


def _surrounded(sample: Sample, by: float, down: float, right: float) -> Sample:
    """The whole picture made smaller, somewhere in a frame of its former size."""
    picture, labels = sample
    height, width, _ = picture.shape
    small = (max(1, round(by * width)), max(1, round(by * height)))
    top, left = round(down * (height - small[1])), round(right * (width - small[0]))
    inside = np.s_[top : top + small[1], left : left + small[0]]
    framed = np.full_like(picture, np.array(OUTSIDE, dtype=np.uint8))
    framed[inside] = np.asarray(Image.fromarray(picture).resize(small, Image.Resampling.BILINEAR))
    ids = np.full_like(labels, IGNORE)
    ids[inside] = np.asarray(Image.fromarray(labels).resize(small, Image.Resampling.NEAREST))
    return framed, ids
