"""Houses along a street, with windows, doors, shops and roofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from search.data.canvas import Colour
from search.data.street import BUILDING, Scene

WALLS: tuple[Colour, ...] = (
    (150, 85, 65),
    (120, 70, 58),
    (212, 198, 165),
    (132, 132, 132),
    (165, 160, 150),
    (90, 76, 62),
    (224, 221, 214),
    (108, 122, 96),
    (112, 126, 145),
    (185, 150, 110),
)
"""Brick, plaster, concrete and stone: reds as of cars, greens as of trees, greys as of roads and skies."""

SHOPS: tuple[Colour, ...] = ((35, 60, 130), (150, 35, 40), (200, 165, 50), (40, 90, 60), (230, 230, 225), (60, 60, 65))
ROOFS: tuple[Colour, ...] = ((85, 80, 80), (120, 75, 60), (70, 72, 82))

SMALLEST_STOREY = 4.0
"""Height in pixels below which a storey is drawn without windows: they would be smaller than a pixel."""


@final
@dataclass(frozen=True)
class House:
    """A house whose front stands at the building line.

    Attributes:
        side: -1 on the left of the street, 1 on the right.
        wall_m: the building line, to the right of the camera.
        near_m: where it begins.
        far_m: where it ends.
        height_m: up to the eaves.
        roof_m: from the eaves to the ridge; 0 for a flat roof.
    """

    side: int
    wall_m: float
    near_m: float
    far_m: float
    height_m: float
    roof_m: float


def draw_house(scene: Scene, house: House) -> None:
    """A front, the end wall that the camera sees, windows and a roof."""
    canvas, dice = scene.canvas, scene.dice
    wall = dice.near(dice.pick(WALLS), 18)
    front = _lit(wall, scene.weather.wall_light(house.side))
    end = _lit(wall, dice.between(0.65, 0.95))
    x, near, far, top = house.wall_m, house.near_m, house.far_m, house.height_m
    back, ridge = x + house.side * 5.0, top + house.roof_m
    if house.roof_m:
        tiles = canvas.surface(BUILDING, dice.near(dice.pick(ROOFS), 15), near, rough=0.08)
        canvas.face(tiles, ((x, top, near), (back, ridge, near), (back, ridge, far), (x, top, far)))
    gable = ((x, 0.0, near), (x, top, near), (back, ridge, near), (2 * back - x, top, near), (2 * back - x, 0.0, near))
    canvas.face(canvas.surface(BUILDING, end, near, rough=0.05), gable)
    surface = canvas.surface(BUILDING, front, 0.5 * (near + far), rough=0.05)
    canvas.face(surface, ((x, 0.0, near), (x, top, near), (x, top, far), (x, 0.0, far)))
    if canvas.camera.scale(near) * 3.0 > SMALLEST_STOREY:
        _windows(scene, house)
        _ground_floor(scene, house)


def _lit(colour: Colour, light: float) -> Colour:
    red, green, blue = colour
    return (light * red, light * green, light * blue)


def _windows(scene: Scene, house: House) -> None:
    """A grid of windows above the ground floor."""
    dice, camera = scene.dice, scene.canvas.camera
    glass = _glass(scene, house)
    storey, pitch = dice.between(2.7, 3.4), dice.between(1.8, 3.6)
    width, height = pitch * dice.between(0.3, 0.75), storey * dice.between(0.4, 0.7)
    sills = [level * storey + 0.9 for level in range(1, int(house.height_m / storey))]
    for column in range(int((house.far_m - house.near_m) / pitch)):
        near = house.near_m + (column + 0.25) * pitch
        if camera.scale(near) * storey < SMALLEST_STOREY:
            break
        for sill in sills:
            _pane(scene, dice.pick(glass), house.wall_m, sill, height, near, near + width)


def _glass(scene: Scene, house: House) -> tuple[int, ...]:
    """Dark panes, and some that mirror the sky or are lit from inside."""
    canvas, dice = scene.canvas, scene.dice
    dark = dice.near((55, 60, 68), 18)
    bright = scene.weather.sky_low if dice.chance(0.6) else dice.near((225, 200, 140), 15)
    surfaces = tuple(canvas.surface(BUILDING, colour, house.near_m) for colour in (dark, bright))
    return (surfaces[0],) * dice.whole(1, 5) + surfaces


def _pane(scene: Scene, surface: int, wall_m: float, sill_m: float, high_m: float, near_m: float, far_m: float) -> None:
    top = sill_m + high_m
    corners = ((wall_m, sill_m, near_m), (wall_m, top, near_m), (wall_m, top, far_m), (wall_m, sill_m, far_m))
    scene.canvas.face(surface, corners)


def _ground_floor(scene: Scene, house: House) -> None:
    """Shop windows under a coloured board, or doors: as large as people, as bright as signs."""
    canvas, dice = scene.canvas, scene.dice
    shop = dice.chance(0.45)
    if shop:
        board = canvas.surface(BUILDING, dice.near(dice.pick(SHOPS), 15), house.near_m)
        _pane(scene, board, house.wall_m, 2.5, 0.6, house.near_m, house.far_m)
    glass = canvas.surface(BUILDING, dice.near((70, 75, 80) if dice.chance(0.7) else (215, 200, 160), 20), house.near_m)
    door = canvas.surface(BUILDING, dice.near(dice.pick(SHOPS), 20), house.near_m)
    near = house.near_m + 0.5
    while near + 2.0 < house.far_m:
        if dice.chance(0.3):
            _pane(scene, door, house.wall_m, 0.0, 2.1, near, near + 0.9)
            near += 1.5
        else:
            width = dice.between(1.5, 3.0) if shop else 1.1
            _pane(scene, glass, house.wall_m, 0.4 if shop else 0.9, 1.9 if shop else 1.3, near, near + width)
            near += width + dice.between(0.3, 1.2)
