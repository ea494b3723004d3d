"""What moves in a street: cars, vans, people on foot and on bicycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from search.data.canvas import Colour, Spot
from search.data.ground import flat
from search.data.street import BICYCLIST, CAR, PEDESTRIAN, Scene

PAINTS: tuple[Colour, ...] = (
    (225, 225, 225),
    (165, 168, 172),
    (105, 108, 112),
    (45, 46, 50),
    (150, 35, 35),
    (45, 65, 125),
    (60, 80, 62),
    (190, 178, 150),
    (120, 72, 55),
)
"""Mostly without colour, like roads, walls and skies."""

CLOTHES: tuple[Colour, ...] = (
    (45, 45, 55),
    (60, 75, 110),
    (120, 35, 40),
    (190, 185, 175),
    (85, 90, 60),
    (130, 105, 80),
    (200, 165, 60),
    (105, 108, 115),
)
SKIN: tuple[Colour, ...] = ((205, 165, 140), (150, 110, 85), (95, 70, 55))

UNDER_CAR = 0.35
"""Share of the light that reaches the ground under a car."""


FEW_PIXELS_A_METRE = 3.0
"""Below this lamps and number plates are smaller than a pixel."""


@final
@dataclass(frozen=True)
class Body:
    """The outer measures of a vehicle.

    Attributes:
        width_m: from side to side.
        length_m: from end to end.
        height_m: up to the roof.
        belt_m: up to the lower edge of the windows.
        slope_m: how much farther in the roof begins than the boot; 0 for a box.
    """

    width_m: float
    length_m: float
    height_m: float
    belt_m: float
    slope_m: float

    @property
    def tuck_m(self) -> float:
        """How much narrower the roof is than the body, on each side."""
        return min(0.14, 0.4 * self.slope_m)


BODIES = (
    Body(1.75, 4.2, 1.45, 0.85, 0.6),
    Body(1.65, 3.6, 1.5, 0.9, 0.25),
    Body(1.8, 4.6, 1.4, 0.8, 0.9),
    Body(1.9, 4.6, 1.8, 1.0, 0.2),
    Body(1.75, 4.0, 1.45, 0.85, 0.5),
    Body(2.0, 5.5, 2.4, 1.2, 0.05),
    Body(2.5, 9.0, 3.1, 1.2, 0.0),
)
"""Cars, a van and a bus; each is as likely."""


def draw_car(scene: Scene, right_m: float, ahead_m: float, body: Body) -> None:
    """A vehicle seen from one end, and from the side that is turned to the camera.

    Args:
        scene: what to draw in.
        right_m: its middle, to the right of the camera.
        ahead_m: its near end.
        body: its measures.
    """
    canvas, dice = scene.canvas, scene.dice
    paint = dice.near(dice.pick(PAINTS), 15)
    left, right = right_m - 0.5 * body.width_m, right_m + 0.5 * body.width_m
    far = ahead_m + body.length_m
    canvas.shade(flat(left - 0.1, right + 0.1, ahead_m - 0.3, far), UNDER_CAR)
    glass = canvas.surface(CAR, dice.near((50, 56, 64), 16), ahead_m)
    dark = canvas.surface(CAR, (32, 32, 34), ahead_m)
    for flank in (left, right):
        if _turned_to_camera(scene, flank, ahead_m, far, outwards=1 if flank == right else -1):
            shaded = scene.weather.wall_light(1 if flank == left else -1)
            red, green, blue = paint
            side = canvas.surface(CAR, (shaded * red, shaded * green, shaded * blue), ahead_m)
            roof_edge = flank + body.tuck_m * (1 if flank == left else -1)
            _flank(scene, (flank, roof_edge), ahead_m, body, (side, glass, dark))
    _end(scene, left, right, ahead_m, body, (canvas.surface(CAR, paint, ahead_m), glass, dark))


def _turned_to_camera(scene: Scene, flank_m: float, near_m: float, far_m: float, outwards: int) -> bool:
    """Whether the outer face of a flank is seen: its far end then appears beyond its near one."""
    camera = scene.canvas.camera
    return outwards * (camera.spot(flank_m, 0.0, far_m)[0] - camera.spot(flank_m, 0.0, near_m)[0]) > 0


def _flank(scene: Scene, edges: tuple[float, float], near: float, body: Body, surfaces: tuple[int, int, int]) -> None:
    """The side of a vehicle; ``edges`` are the belt and the edge of the roof, to the right of the camera."""
    canvas, far = scene.canvas, near + body.length_m
    side, glass, dark = surfaces
    x, roof = edges
    belt, top, slope = body.belt_m, body.height_m, body.slope_m
    canvas.face(side, ((x, 0.3, near), (x, belt, near), (x, belt, far), (x, 0.3, far)))
    canvas.face(
        side, ((x, belt, near), (roof, top, near + slope), (roof, top, far - 1.6 * slope), (x, belt, far - slope))
    )
    sill, lintel = belt + 0.03, top - 0.12
    front, back = near + slope + 0.2, far - 1.8 * slope - 0.3
    canvas.face(glass, ((x, sill, front), (roof, lintel, front + 0.1), (roof, lintel, back), (x, sill, back)))
    for axle in (near + 0.18 * body.length_m, far - 0.2 * body.length_m):
        across, down = canvas.camera.spot(x, 0.32, axle)
        narrow = abs(canvas.camera.spot(x, 0.32, axle + 0.32)[0] - across)
        canvas.oval(dark, (across, down), max(0.5, narrow), 0.32 * canvas.camera.scale(axle))


def _end(scene: Scene, left: float, right: float, near: float, body: Body, surfaces: tuple[int, int, int]) -> None:
    canvas, dice = scene.canvas, scene.dice
    paint, glass, dark = surfaces
    belt, top, tuck = body.belt_m, body.height_m, body.tuck_m
    canvas.face(dark, ((left, 0.0, near), (left, 0.45, near), (right, 0.45, near), (right, 0.0, near)))
    cabin = near + body.slope_m
    canvas.face(paint, ((left, belt, near), (left + tuck, top, cabin), (right - tuck, top, cabin), (right, belt, near)))
    canvas.face(paint, ((left, 0.28, near), (left, belt, near), (right, belt, near), (right, 0.28, near)))
    frame, inner = 0.07 * body.width_m, 0.07 * body.width_m + tuck
    sill, lintel = (belt + 0.04, near), (top - 0.1, cabin)
    canvas.face(
        glass,
        ((left + frame, *sill), (left + inner, *lintel), (right - inner, *lintel), (right - frame, *sill)),
    )
    if canvas.camera.scale(near) < FEW_PIXELS_A_METRE:
        return
    lamp = canvas.surface(CAR, dice.pick(((170, 30, 30), (235, 230, 205))), near)
    for x in (left + 0.05, right - 0.4):
        canvas.face(lamp, ((x, 0.6, near), (x, 0.78, near), (x + 0.35, 0.78, near), (x + 0.35, 0.6, near)))
    plate = canvas.surface(CAR, (215, 210, 170), near)
    middle = 0.5 * (left + right)
    canvas.face(plate, [(middle + x, y, near) for x, y in ((-0.25, 0.42), (-0.25, 0.53), (0.25, 0.53), (0.25, 0.42))])


def draw_person(scene: Scene, right_m: float, ahead_m: float) -> None:
    """Somebody on foot.

    Args:
        scene: what to draw in.
        right_m: where they stand, to the right of the camera.
        ahead_m: how far ahead.
    """
    canvas, dice = scene.canvas, scene.dice
    tall = dice.between(1.5, 1.9) if dice.chance(0.85) else dice.between(1.0, 1.4)
    across, foot = canvas.camera.spot(right_m, 0.0, ahead_m)
    unit = canvas.camera.scale(ahead_m) * tall
    legs, coat = _cloth(scene, PEDESTRIAN, ahead_m), _cloth(scene, PEDESTRIAN, ahead_m)
    stride = dice.between(0.02, 0.13) * unit
    for foot_across in (across - stride, across + stride):
        canvas.line(legs, ((across, foot - 0.5 * unit), (foot_across, foot)), 0.1 * unit)
    _torso(scene, coat, (across, foot), unit, lean=0.0)
    if dice.chance(0.3):
        bag = _cloth(scene, PEDESTRIAN, ahead_m)
        canvas.oval(bag, (across + dice.side() * 0.17 * unit, foot - 0.42 * unit), 0.06 * unit, 0.09 * unit)
    _head(scene, PEDESTRIAN, (across, foot - 0.92 * unit), unit, ahead_m)
    canvas.shade(flat(right_m - 0.3, right_m + 0.3, ahead_m - 0.2, ahead_m + 0.3), 0.7)


def draw_cyclist(scene: Scene, right_m: float, ahead_m: float) -> None:
    """Somebody on a bicycle, ridden along the street or across it.

    Args:
        scene: what to draw in.
        right_m: where they are, to the right of the camera.
        ahead_m: how far ahead.
    """
    canvas, dice = scene.canvas, scene.dice
    unit = canvas.camera.scale(ahead_m)
    across, foot = canvas.camera.spot(right_m, 0.0, ahead_m)
    metal = canvas.surface(BICYCLIST, dice.near((40, 40, 44), 15), ahead_m)
    coat, legs = _cloth(scene, BICYCLIST, ahead_m), _cloth(scene, BICYCLIST, ahead_m)
    turn = dice.pick((0.12, 0.12, 0.6, 1.0)) * dice.side()
    reach, hub = 0.52 * unit * turn, foot - 0.34 * unit
    # Between the spokes one sees the street, but it counts as bicycle, as in hand-made labels.
    spokes = canvas.surface(BICYCLIST, dice.near((112, 110, 108), 30), ahead_m)
    for wheel in (across - reach, across + reach):
        for surface, radius in ((metal, 0.34 * unit), (spokes, 0.26 * unit)):
            canvas.oval(surface, (wheel, hub), max(0.5, radius * abs(turn)), radius)
    canvas.line(metal, ((across - reach, hub), (across, foot - 0.75 * unit), (across + reach, hub)), 0.07 * unit)
    for knee in (-0.1, 0.1):
        bent = (across + (knee + 0.25 * turn) * unit, foot - 0.6 * unit)
        canvas.line(legs, ((across, foot - 0.95 * unit), bent, (across + knee * unit, foot - 0.2 * unit)), 0.13 * unit)
    _torso(scene, coat, (across, foot + 0.05 * unit), 1.75 * unit, lean=0.3 * turn)
    _head(scene, BICYCLIST, (across + 0.38 * turn * unit, foot - 1.62 * unit), 1.75 * unit, ahead_m)


def _cloth(scene: Scene, class_id: int, ahead_m: float) -> int:
    return scene.canvas.surface(class_id, scene.dice.near(scene.dice.pick(CLOTHES), 20), ahead_m)


def _torso(scene: Scene, surface: int, foot: Spot, unit: float, lean: float) -> None:
    """From the hips to the shoulders; ``unit`` is the height of the whole person in pixels."""
    across, down = foot
    half, top = 0.13 * unit, across + lean * unit * 0.6
    hips, shoulders = down - 0.46 * unit, down - 0.84 * unit
    waist = 0.8 * half
    corners = ((across - waist, hips), (top - half, shoulders), (top + half, shoulders), (across + waist, hips))
    scene.canvas.polygon(surface, corners)


def _head(scene: Scene, class_id: int, middle: Spot, unit: float, ahead_m: float) -> None:
    canvas, dice = scene.canvas, scene.dice
    skin = canvas.surface(class_id, dice.near(dice.pick(SKIN), 10), ahead_m)
    hair = canvas.surface(class_id, dice.near((60, 48, 40), 25), ahead_m)
    canvas.oval(hair, (middle[0], middle[1] - 0.02 * unit), 0.055 * unit, 0.07 * unit)
    canvas.oval(skin, middle, 0.04 * unit, 0.05 * unit)
