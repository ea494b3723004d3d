"""What lies at the bottom of a street scene and behind it: sky, skyline, pavement, road and its marks."""

from __future__ import annotations

from search.data.canvas import NEAREST_M, Colour, Point
from search.data.street import BUILDING, FAR_M, PAVEMENT, ROAD, SKY, TREE, Scene

ASPHALT: tuple[Colour, ...] = ((70, 70, 74), (95, 95, 98), (120, 118, 115), (105, 100, 96))
PAVING: tuple[Colour, ...] = ((75, 75, 78), (110, 108, 106), (150, 145, 138), (135, 100, 88), (118, 118, 124))
"""As grey as asphalt more often than not: place and edges tell them apart."""

MARKS: tuple[Colour, ...] = ((215, 215, 210), (180, 180, 175), (205, 180, 90))
GREENERY: tuple[Colour, ...] = ((70, 95, 50), (50, 75, 45), (95, 110, 60), (95, 85, 55))

STEPS_M = (NEAREST_M, 4.0, 5.0, 6.5, 8.5, 11.0, 15.0, 21.0, 30.0, 45.0, 70.0, FAR_M, 250.0)
"""Where the edges of a bend are sampled: closer together where a metre has more pixels."""


def draw_ground(scene: Scene) -> None:
    """Sky, skyline, both pavements and the road, over the whole picture."""
    _sky(scene)
    _skyline(scene)
    _pavements(scene)
    road = scene.canvas.surface(ROAD, scene.dice.near(scene.dice.pick(ASPHALT), 16), rough=0.05)
    strip(scene, road, scene.street.kerb(-1), scene.street.kerb(1))
    _kerbs_and_verges(scene)
    _marks(scene)
    if scene.dice.chance(0.25):
        _crossing(scene)
    for _ in range(scene.dice.whole(0, 3)):
        _patch(scene)


def strip(scene: Scene, surface: int, left_m: float, right_m: float) -> None:
    """A band along the street between two distances to the right of the camera."""
    near_to_far = [(left_m, 0.0, ahead) for ahead in STEPS_M]
    far_to_near = [(right_m, 0.0, ahead) for ahead in reversed(STEPS_M)]
    scene.canvas.face(surface, near_to_far + far_to_near)


def flat(left_m: float, right_m: float, near_m: float, far_m: float) -> tuple[Point, ...]:
    """The corners of a rectangle on the ground."""
    return ((left_m, 0.0, near_m), (right_m, 0.0, near_m), (right_m, 0.0, far_m), (left_m, 0.0, far_m))


def _sky(scene: Scene) -> None:
    height, width = scene.canvas.camera.size
    surface = scene.canvas.surface(SKY, scene.weather.sky_low, rough=0.01)
    scene.canvas.rectangle(surface, 0, 0, width, height)


def _pavements(scene: Scene) -> None:
    """Everything nearer than the skyline, in two halves that need not be paved alike."""
    height, width = scene.canvas.camera.size
    foot = scene.canvas.camera.spot(0.0, 0.0, FAR_M)[1]
    colour = scene.dice.near(scene.dice.pick(PAVING), 16)
    scene.canvas.rectangle(scene.canvas.surface(PAVEMENT, colour, rough=0.05), 0, foot, width, height)
    if scene.dice.chance(0.3):
        other = scene.canvas.surface(PAVEMENT, scene.dice.near(scene.dice.pick(PAVING), 16), rough=0.05)
        strip(scene, other, scene.street.kerb(1), 400.0)


def _skyline(scene: Scene) -> None:
    """Far houses and woods, which close the gaps between the near ones."""
    canvas, dice = scene.canvas, scene.dice
    height, width = canvas.camera.size
    foot = canvas.camera.spot(0.0, 0.0, FAR_M)[1]
    left = 0.0
    while left < width:
        right = left + dice.between(0.03, 0.12) * width
        wood = dice.chance(0.5)
        base = dice.pick(GREENERY) if wood else dice.near((130, 125, 120), 30)
        surface = canvas.surface(TREE if wood else BUILDING, base, ahead_m=130.0, rough=0.08)
        top = foot - dice.between(0.03, 0.14) * height
        if wood:
            middle, half = (0.5 * (left + right), foot), 0.7 * (right - left)
            canvas.oval(surface, middle, half, foot - top)
        canvas.rectangle(surface, left, top + 0.4 * (foot - top) * wood, right, foot)
        left = right


def _kerbs_and_verges(scene: Scene) -> None:
    canvas, dice = scene.canvas, scene.dice
    for side in (-1, 1):
        kerb = scene.street.kerb(side)
        if dice.chance(0.7):
            stone = canvas.surface(PAVEMENT, dice.near((150, 148, 144), 20))
            strip(scene, stone, kerb, kerb + 0.22 * side)
        if dice.chance(0.25):
            grass = canvas.surface(TREE, dice.near(dice.pick(GREENERY), 14), rough=0.16)
            strip(scene, grass, kerb + 0.5 * side, scene.street.on_pavement(side, dice.between(0.3, 0.6)))


def _marks(scene: Scene) -> None:
    """Lines along the road: dashed between the lanes, unbroken beside the kerb."""
    canvas, dice, street = scene.canvas, scene.dice, scene.street
    paint = canvas.surface(ROAD, dice.near(dice.pick(MARKS), 12), rough=0.08)
    middle = 0.5 * (street.kerb(-1) + street.kerb(1))
    dash, period = dice.pick(((2.0, 5.0), (3.0, 9.0), (4.0, 6.0)))
    ahead = dice.between(2.0, 2.0 + period)
    while ahead < 60.0:
        canvas.face(paint, flat(middle - 0.08, middle + 0.08, ahead, ahead + dash))
        ahead += period
    for side in (-1, 1):
        if dice.chance(0.4):
            edge = street.kerb(side) - side * dice.pick((0.3, 0.5, 2.3))
            strip(scene, paint, edge - 0.07, edge + 0.07)


def _crossing(scene: Scene) -> None:
    """Zebra stripes across the road."""
    canvas, street = scene.canvas, scene.street
    paint = canvas.surface(ROAD, scene.dice.near((205, 205, 200), 20), rough=0.08)
    near = scene.dice.between(6.0, 25.0)
    left = street.kerb(-1) + 0.3
    while left + 0.5 < street.kerb(1):
        canvas.face(paint, flat(left, left + 0.5, near, near + 3.0))
        left += 1.0


def _patch(scene: Scene) -> None:
    """A repair in the asphalt, in another grey."""
    dice, street = scene.dice, scene.street
    surface = scene.canvas.surface(ROAD, dice.near(dice.pick(ASPHALT), 18), rough=0.06)
    left, near = dice.between(street.kerb(-1), street.kerb(1) - 1.0), dice.between(4.0, 30.0)
    right = min(street.kerb(1), left + dice.between(0.8, 3.0))
    scene.canvas.face(surface, flat(left, right, near, near + dice.between(1.0, 6.0)))
