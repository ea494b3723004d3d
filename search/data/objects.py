"""Things in a street, one in each picture: classified images without a download, as many as wanted, always the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.data.canvas import Dice
from search.data.develop import develop
from search.data.furniture import draw_fence, draw_hedge, draw_lamp, draw_sign, draw_tree
from search.data.ground import draw_ground
from search.data.labelled import (
    SPLITS,
    ClassifiedImages,
    Labels,
    Picture,
    checked_count,
    checked_index,
    checked_size,
    class_label,
)
from search.data.scenes import COUNTS, street_things
from search.data.street import Scene, plan_scene
from search.data.traffic import BODIES, Body, draw_car, draw_cyclist, draw_person

_NEAR_M, _FAR_M = 5.0, 11.0
"""How far ahead the thing stands."""

_BEHIND_M = 20.0
"""How much farther away the others are: nearer ones would be as large as the thing."""

_OVERSIZE = 3
"""How many times as wide and high as a picture the street is drawn that it is cut out of."""

_LEAST_SHARE, _LARGEST_SHARE = 0.7, 0.95
"""How much of a picture's side the longer side of the thing takes."""

_OFF_CENTRE = 0.08
"""How far from the middle the thing may be, as a share of the picture's side."""


def _vehicle(bodies: tuple[Body, ...], scene: Scene, right_m: float, ahead_m: float) -> None:
    draw_car(scene, right_m, ahead_m, scene.dice.pick(bodies))


def _lamp(scene: Scene, right_m: float, ahead_m: float) -> None:
    draw_lamp(scene, right_m, ahead_m, scene.dice.side())


def _along(draw: Callable[[Scene, float, float, float], None], scene: Scene, right_m: float, ahead_m: float) -> None:
    """Something that runs along the street, a little to the side so that it is not seen end-on."""
    side = scene.dice.side() * scene.dice.between(1.0, 2.5)
    draw(scene, right_m + side, ahead_m, ahead_m + scene.dice.between(2.0, 8.0))


_KINDS: Mapping[str, Callable[[Scene, float, float], None]] = MappingProxyType(
    {
        "tree": draw_tree,
        "hedge": partial(_along, draw_hedge),
        "fence": partial(_along, draw_fence),
        "lamp": _lamp,
        "sign": draw_sign,
        "car": partial(_vehicle, BODIES[:5]),
        "van": partial(_vehicle, BODIES[5:6]),
        "bus": partial(_vehicle, BODIES[6:]),
        "pedestrian": draw_person,
        "bicyclist": draw_cyclist,
    }
)
"""What there is to see, and how it is drawn: in a scene, so far to the right, so far ahead."""


@final
class Objects(ClassifiedImages):
    """Generated pictures of ten kinds of things in a street, each before a street full of others.

    A picture depends on the seed, the split, the index and the size, and on nothing else. Its class is drawn, so that
    every share of a set has all classes. They have colours and surroundings in common and differ in shape.

    Attributes:
        name: what they are and the split, in words.
        classes: ten kinds of things.
        size: height and width of what is drawn, in pixels; from (24, 24) on people can tell what it is.
    """

    def __init__(self, split: str, size: tuple[int, int], *, seed: int = 0, count: int | None = None) -> None:
        """Draws nothing yet.

        Args:
            split: ``train``, ``val`` or ``test``.
            size: height and width to draw, in pixels.
            seed: which things and streets; at least 0.
            count: how many pictures; None is as many as there are scenes.

        Raises:
            WrongUse: the split is unknown, the seed is negative, or the number is below 1.
        """
        self._count = checked_count("objects", split, seed, count, COUNTS)
        self._seed = seed
        self._split = split
        self.name = f"generated objects, {split}"
        self.classes = tuple(_KINDS)
        self.size = checked_size(size)

    def __len__(self) -> int:
        """How many pictures there are."""
        return self._count

    def read(self, index: int) -> tuple[Picture, Labels]:
        """Draws one picture; see :meth:`LabelledImages.read`."""
        key = (SPLITS.index(self._split), checked_index(index, self))
        generator = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))
        dice = Dice(generator)
        class_id = dice.whole(0, len(self.classes) - 1)
        height, width = self.size
        scene = plan_scene((_OVERSIZE * height, _OVERSIZE * width), dice)
        seen = _draw(scene, _KINDS[self.classes[class_id]])
        picture, _ = develop(scene, generator)
        box = _frame(seen, self.size, dice)
        cut = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box=box)
        return np.array(cut), class_label(class_id)


def _draw(scene: Scene, draw: Callable[[Scene, float, float], None]) -> NDArray[np.bool_]:
    """Draw a street with a thing in front; returns where it is seen, of shape (height, width)."""
    dice, camera = scene.dice, scene.canvas.camera
    draw_ground(scene)
    ahead = dice.between(_NEAR_M, _FAR_M)
    for far, other in sorted(street_things(scene), key=lambda thing: -thing[0]):
        if far > ahead + _BEHIND_M:
            other()
    before = len(scene.canvas.class_ids())
    # The middle of the picture, wherever the road leads, and a little to either side.
    middle = -(camera.heading + camera.bend * ahead) * ahead
    draw(scene, middle + dice.between(-0.5, 0.5), ahead)
    return scene.canvas.surfaces() >= before


def _frame(seen: NDArray[np.bool_], size: tuple[int, int], dice: Dice) -> tuple[float, float, float, float]:
    """What to cut out: left, top, right and bottom, in the proportions of ``size``, around what is seen."""
    height, width = seen.shape
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    top, bottom = (rows[0], rows[-1] + 1) if rows.size else (0, height)
    left, right = (columns[0], columns[-1] + 1) if columns.size else (0, width)
    share = dice.between(_LEAST_SHARE, _LARGEST_SHARE)
    # The thing's longer side, as shares of the picture's, decides; never more than the whole street.
    scale = min(max((bottom - top) / size[0], (right - left) / size[1]) / share, float(_OVERSIZE))
    high, wide = scale * size[0], scale * size[1]
    down = 0.5 * (top + bottom) + dice.between(-_OFF_CENTRE, _OFF_CENTRE) * high
    across = 0.5 * (left + right) + dice.between(-_OFF_CENTRE, _OFF_CENTRE) * wide
    first_row = min(max(0.0, down - 0.5 * high), height - high)
    first_column = min(max(0.0, across - 0.5 * wide), width - wide)
    return first_column, first_row, first_column + wide, first_row + high
