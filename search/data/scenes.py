"""Street scenes drawn by rule: labelled images without a download, as many as wanted and always the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import numpy as np

from search.data.buildings import House, draw_house
from search.data.camvid import CLASSES, PALETTE
from search.data.canvas import Dice
from search.data.develop import develop
from search.data.furniture import draw_fence, draw_hedge, draw_lamp, draw_sign, draw_tree
from search.data.ground import draw_ground, flat
from search.data.labelled import SPLITS, LabelledImages, Labels, Picture, checked_count, checked_index, checked_size
from search.data.street import FAR_M, Scene, plan_scene
from search.data.traffic import BODIES, draw_car, draw_cyclist, draw_person

COUNTS = {"train": 2000, "val": 250, "test": 500}
"""Images in each split when no number is given: about as many as Cityscapes has in train and val together."""

Thing = tuple[float, Callable[[], None]]
"""Something to draw and the distance of its far end; what is farther is drawn first."""


@final
class Scenes(LabelledImages):
    """Generated street scenes in the 11 classes of CamVid, seen from a car.

    An image depends on the seed, the split, the index and the size, and on nothing else. Splits never share a
    scene. Classes share their colours (grey roads, walls, skies and cars), so that a network has to look at shapes
    and surroundings.

    Attributes:
        name: what they are and the split, in words.
        classes: the classes of CamVid.
        palette: the colours of CamVid.
        size: height and width of what is drawn, in pixels; from (48, 96) to (512, 1024) it looks like a street.
    """

    def __init__(self, split: str, size: tuple[int, int], *, seed: int = 0, count: int | None = None) -> None:
        """Draws nothing yet.

        Args:
            split: ``train``, ``val`` or ``test``.
            size: height and width to draw, in pixels.
            seed: which streets; at least 0.
            count: how many images; None is :data:`COUNTS`.

        Raises:
            WrongUse: the split is unknown, the seed is negative, or the number is below 1.
        """
        self._count = checked_count("scenes", split, seed, count, COUNTS)
        self._seed = seed
        self._split = split
        self.name = f"generated scenes, {split}"
        self.classes = CLASSES
        self.palette = PALETTE
        self.size = checked_size(size)

    def __len__(self) -> int:
        """How many images there are."""
        return self._count

    def read(self, index: int) -> tuple[Picture, Labels]:
        """Draws one scene; see :meth:`LabelledImages.read`. No pixel is ignored."""
        key = (SPLITS.index(self._split), checked_index(index, self))
        generator = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))
        scene = plan_scene(self.size, Dice(generator))
        draw_ground(scene)
        # Far things first; between things at the same distance the order in which they were planned decides.
        for _, draw in sorted(street_things(scene), key=lambda thing: -thing[0]):
            draw()
        return develop(scene, generator)


def street_things(scene: Scene) -> list[Thing]:
    """Everything that stands or moves in the street, in no order."""
    things: list[Thing] = []
    for side in (-1, 1):
        things += _frontage(scene, side)
        things += _pavement(scene, side)
        things += _parked(scene, side)
    return things + _moving(scene)


def _frontage(scene: Scene, side: int) -> list[Thing]:
    """Houses along the building line, with gardens between some of them."""
    dice, wall = scene.dice, scene.street.wall(side)
    things: list[Thing] = []
    near, typical = dice.between(-12.0, 6.0), dice.between(4.0, 15.0)
    while near < FAR_M:
        far = near + dice.between(7.0, 22.0)
        if dice.chance(0.25):
            things += _garden(scene, side, near, far)
        else:
            eaves, roof = typical + dice.between(-2.0, 5.0), dice.pick((0.0, 2.5, 3.5))
            house = House(side, wall, max(2.0, near), far, eaves, roof)
            if far > 2.5:
                things.append((far, partial(draw_house, scene, house)))
                _shadow_of_house(scene, house)
        near = far
    return things


def _shadow_of_house(scene: Scene, house: House) -> None:
    """Houses on the side of the sun lay their shadow over the pavement and some of the road."""
    if scene.weather.sun and house.side == scene.weather.sun_side:
        reach = house.wall_m - house.side * 0.5 * house.height_m
        scene.canvas.shade(flat(house.wall_m, reach, house.near_m, house.far_m), 1.0 - scene.weather.sun)


def _garden(scene: Scene, side: int, near: float, far: float) -> list[Thing]:
    """Trees behind a fence or a hedge."""
    dice, wall = scene.dice, scene.street.wall(side)
    things: list[Thing] = []
    for _ in range(dice.whole(1, 3)):
        ahead = max(4.0, dice.between(near, far))
        things.append((ahead, partial(draw_tree, scene, wall + side * dice.between(1.5, 6.0), ahead)))
    if far > 3.0:
        edge = draw_fence if dice.chance(0.6) else draw_hedge
        # Nearer than the trees behind it, however far it reaches.
        things.append((min(far, max(4.0, near)), partial(edge, scene, wall, max(2.0, near), far)))
    return things


def _pavement(scene: Scene, side: int) -> list[Thing]:
    """Trees, lamps and signs near the kerb; people, and fences along the wall."""
    dice, street = scene.dice, scene.street
    things: list[Thing] = []
    if dice.chance(0.35):
        things += _row(scene, draw_tree, street.on_pavement(side, 0.3), dice.between(7.0, 16.0))
    post = street.on_pavement(side, 0.12)
    lamp = partial(draw_lamp, side=side)
    things += _row(scene, lamp, post, dice.between(14.0, 35.0))
    things += [(z, partial(draw_sign, scene, post, z)) for z in _distances(scene, dice.whole(0, 3), 45.0)]
    for z in _distances(scene, round(street.busy * dice.between(0.0, 5.0)), 40.0):
        things.append((z, partial(draw_person, scene, street.on_pavement(side, dice.between(0.1, 0.95)), z)))
    if dice.chance(0.3):
        near = dice.between(3.0, 20.0)
        far = near + dice.between(5.0, 25.0)
        things.append((far, partial(draw_fence, scene, street.on_pavement(side, dice.pick((0.08, 0.9))), near, far)))
    return things


def _row(scene: Scene, draw: Callable[[Scene, float, float], None], right_m: float, pitch_m: float) -> list[Thing]:
    """The same kind of thing again and again along the street."""
    things: list[Thing] = []
    ahead = scene.dice.between(4.0, 4.0 + pitch_m)
    while ahead < 0.7 * FAR_M:
        things.append((ahead, partial(draw, scene, right_m, ahead)))
        ahead += pitch_m
    return things


def _distances(scene: Scene, count: int, farthest_m: float) -> list[float]:
    """Distances ahead at which small things still have pixels; the near half gets most of them."""
    return [5.0 + (farthest_m - 5.0) * scene.dice.share() ** 1.5 for _ in range(count)]


def _parked(scene: Scene, side: int) -> list[Thing]:
    """Cars beside the kerb."""
    dice, street = scene.dice, scene.street
    things: list[Thing] = []
    ahead = dice.between(3.0, 8.0)
    while street.parked[side > 0] and ahead < 70.0:
        if dice.chance(street.parked[side > 0]):
            body = dice.pick(BODIES[:-1])
            right = street.kerb(side) - side * (0.5 * body.width_m + 0.15)
            things.append((ahead, partial(draw_car, scene, right, ahead, body)))
        ahead += 6.0
    return things


def _moving(scene: Scene) -> list[Thing]:
    """Vehicles in both lanes, cyclists beside the kerb, people who cross."""
    dice, street = scene.dice, scene.street
    things: list[Thing] = []
    widest = max(street.kerbs_m, key=abs)
    for lane in (0.0, 0.6 * widest):
        ahead = dice.between(7.0, 45.0)
        while ahead < 90.0 and dice.chance(0.55 * min(1.4, street.busy)):
            things.append((ahead, partial(draw_car, scene, lane + dice.between(-0.3, 0.3), ahead, dice.pick(BODIES))))
            ahead += dice.between(10.0, 40.0)
    for z in _distances(scene, round(street.busy * dice.between(0.0, 2.2)), 30.0):
        side = dice.side()
        things.append((z, partial(draw_cyclist, scene, street.kerb(side) - side * dice.between(0.4, 2.8), z)))
    crossing = _distances(scene, round(street.busy * dice.between(0.0, 1.2)), 35.0)
    return things + [(z, partial(draw_person, scene, dice.between(*street.kerbs_m), z)) for z in crossing]
