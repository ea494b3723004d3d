"""What stands in a street: trees, hedges, lamp posts, signs, traffic lights and fences."""

from __future__ import annotations

from math import cos, sin

from search.data.canvas import Colour, Point, Spot
from search.data.ground import GREENERY
from search.data.street import FENCE, POLE, SIGN, TREE, Scene

LEAVES: tuple[Colour, ...] = (
    (62, 92, 44),
    (45, 70, 40),
    (88, 108, 56),
    (110, 105, 55),
    (140, 95, 50),
    (70, 78, 66),
)
"""Greens, and the browns and greys that trees share with walls."""

BOARDS: tuple[Colour, ...] = (
    (30, 70, 150),
    (185, 35, 35),
    (225, 190, 45),
    (228, 228, 224),
    (35, 105, 65),
    (190, 192, 196),
)
METALS: tuple[Colour, ...] = ((85, 88, 90), (150, 152, 155), (55, 60, 58), (120, 112, 100))
PLANKS: tuple[Colour, ...] = ((95, 72, 52), (165, 160, 152), (60, 75, 60), (70, 72, 75), (150, 100, 78))

FEW_PIXELS = 8.0
"""Radius in pixels of a crown that needs fewer leaves, because they would hide each other."""

SHADOW_OF_TREE_M = 3.0
"""How far to the side the shadow of a crown falls: the sun stands at about 55 degrees."""


def draw_tree(scene: Scene, right_m: float, ahead_m: float) -> None:
    """A tree with leaves, or in winter without.

    Args:
        scene: what to draw in.
        right_m: its trunk, to the right of the camera.
        ahead_m: how far ahead.
    """
    canvas, dice = scene.canvas, scene.dice
    tall = dice.between(4.0, 9.0)
    unit = canvas.camera.scale(ahead_m)
    bark = canvas.surface(TREE, dice.near((78, 66, 54), 18), ahead_m, rough=0.1)
    foot, fork = canvas.camera.spot(right_m, 0.0, ahead_m), canvas.camera.spot(right_m, 0.45 * tall, ahead_m)
    canvas.line(bark, (foot, fork), dice.between(0.2, 0.45) * unit)
    if dice.chance(0.2):
        _bare_crown(scene, bark, fork, 0.55 * tall * unit)
    else:
        _leafy_crown(scene, (fork[0], foot[1] - 0.68 * tall * unit), 0.34 * tall * unit, ahead_m)
    spread = 0.3 * tall
    shadow = right_m - scene.weather.sun_side * SHADOW_OF_TREE_M
    _shade_oval(scene, shadow, ahead_m, spread)


def draw_hedge(scene: Scene, right_m: float, near_m: float, far_m: float) -> None:
    """Bushes along the street.

    Args:
        scene: what to draw in.
        right_m: where they grow, to the right of the camera.
        near_m: where they begin.
        far_m: where they end.
    """
    canvas, dice = scene.canvas, scene.dice
    high = dice.between(0.7, 2.2)
    green = dice.near(dice.pick((*GREENERY, *LEAVES)), 12)
    surface = canvas.surface(TREE, green, 0.5 * (near_m + far_m), rough=0.2)
    canvas.face(surface, _upright(right_m, 0.0, high, near_m, far_m))
    for _ in range(8):
        ahead = dice.between(near_m, far_m)
        unit = canvas.camera.scale(ahead)
        canvas.oval(surface, canvas.camera.spot(right_m, high, ahead), 0.5 * unit, dice.between(0.15, 0.45) * unit)


def draw_lamp(scene: Scene, right_m: float, ahead_m: float, side: int) -> None:
    """A lamp post whose arm reaches over the road.

    Args:
        scene: what to draw in.
        right_m: its post, to the right of the camera.
        ahead_m: how far ahead.
        side: -1 on the left of the street, 1 on the right.
    """
    canvas, dice = scene.canvas, scene.dice
    tall, arm = dice.between(5.0, 9.0), dice.pick((0.0, 1.0, 2.2))
    foot = canvas.camera.spot(right_m, 0.0, ahead_m)
    top = canvas.camera.spot(right_m, tall, ahead_m)
    metal = canvas.surface(POLE, dice.near(dice.pick(METALS), 15), ahead_m)
    unit = canvas.camera.scale(ahead_m)
    end = (top[0] - side * arm * unit, top[1] - 0.1 * unit)
    canvas.line(metal, (foot, top, end), dice.between(0.12, 0.2) * unit)
    canvas.oval(metal, end, 0.35 * unit, 0.12 * unit)


def draw_sign(scene: Scene, right_m: float, ahead_m: float) -> None:
    """A board on a post: round, three-cornered, square or a traffic light.

    Args:
        scene: what to draw in.
        right_m: its post, to the right of the camera.
        ahead_m: how far ahead.
    """
    canvas, dice = scene.canvas, scene.dice
    unit, tall = canvas.camera.scale(ahead_m), dice.between(2.2, 3.4)
    metal = canvas.surface(POLE, dice.near(dice.pick(METALS), 15), ahead_m)
    foot, top = canvas.camera.spot(right_m, 0.0, ahead_m), canvas.camera.spot(right_m, tall, ahead_m)
    canvas.line(metal, (foot, top), 0.12 * unit)
    dice.pick((_disc, _triangle, _board, _traffic_light))(scene, top, unit, ahead_m)


def draw_fence(scene: Scene, right_m: float, near_m: float, far_m: float) -> None:
    """Rails and pales, through which one sees, or planks, through which one does not.

    Args:
        scene: what to draw in.
        right_m: where it runs, to the right of the camera.
        near_m: where it begins.
        far_m: where it ends.
    """
    canvas, dice = scene.canvas, scene.dice
    high = dice.between(0.8, 1.9)
    surface = canvas.surface(FENCE, dice.near(dice.pick(PLANKS), 15), 0.5 * (near_m + far_m), rough=0.07)
    if dice.chance(0.4):
        canvas.face(surface, _upright(right_m, 0.0, high, near_m, far_m))
        return
    for rail in (0.3, 0.95 * high):
        canvas.face(surface, _upright(right_m, rail - 0.06, rail + 0.06, near_m, far_m))
    pitch = dice.between(0.25, 0.6)
    for pale in range(min(60, int((far_m - near_m) / pitch))):
        ahead = near_m + pale * pitch
        ends = (canvas.camera.spot(right_m, 0.0, ahead), canvas.camera.spot(right_m, high, ahead))
        canvas.line(surface, ends, 0.07 * canvas.camera.scale(ahead))


def _upright(right_m: float, low_m: float, high_m: float, near_m: float, far_m: float) -> tuple[Point, ...]:
    """The corners of an upright rectangle along the street."""
    return (
        (right_m, low_m, near_m),
        (right_m, high_m, near_m),
        (right_m, high_m, far_m),
        (right_m, low_m, far_m),
    )


def _shade_oval(scene: Scene, right_m: float, ahead_m: float, radius_m: float) -> None:
    if scene.weather.sun:
        turns = [step * 0.785 for step in range(8)]
        corners = [(right_m + radius_m * cos(turn), 0.0, ahead_m + radius_m * sin(turn)) for turn in turns]
        scene.canvas.shade(corners, 1.0 - scene.weather.sun)


def _leafy_crown(scene: Scene, middle: Spot, radius: float, ahead_m: float) -> None:
    """Blobs in three tones, dark ones below: ``radius`` in pixels."""
    canvas, dice = scene.canvas, scene.dice
    red, green, blue = dice.near(dice.pick(LEAVES), 14)
    tones = [
        canvas.surface(TREE, (light * red, light * green, light * blue), ahead_m, rough=0.2)
        for light in (0.65, 1.0, 1.3)
    ]
    slim = dice.between(0.6, 1.1)
    for _ in range(24 if radius > FEW_PIXELS else 10):
        turn, out = dice.between(0, 6.283), radius * dice.share() ** 0.5
        spot = (middle[0] + slim * out * cos(turn), middle[1] - out * sin(turn))
        size = radius * dice.between(0.16, 0.42)
        canvas.oval(tones[min(2, max(0, round(1 + sin(turn) + dice.between(-0.7, 0.7))))], spot, size, 0.8 * size)


def _bare_crown(scene: Scene, bark: int, fork: Spot, reach: float) -> None:
    """Branches that split once; ``reach`` in pixels."""
    canvas, dice = scene.canvas, scene.dice
    for _ in range(7):
        turn = dice.between(0.5, 2.6)
        middle = (fork[0] + 0.5 * reach * cos(turn), fork[1] - 0.5 * reach * sin(turn))
        canvas.line(bark, (fork, middle), 0.04 * reach)
        for _ in range(3):
            bent = turn + dice.between(-0.7, 0.7)
            tip = (middle[0] + 0.5 * reach * cos(bent), middle[1] - 0.5 * reach * sin(bent))
            canvas.line(bark, (middle, tip), 0.015 * reach)


def _disc(scene: Scene, top: Spot, unit: float, ahead_m: float) -> None:
    canvas, dice = scene.canvas, scene.dice
    radius = dice.between(0.3, 0.45) * unit
    rim = canvas.surface(SIGN, dice.near(dice.pick(BOARDS), 10), ahead_m)
    inside = canvas.surface(SIGN, dice.near(dice.pick(BOARDS), 10), ahead_m)
    canvas.oval(rim, top, radius, radius)
    canvas.oval(inside, top, 0.65 * radius, 0.65 * radius)


def _triangle(scene: Scene, top: Spot, unit: float, ahead_m: float) -> None:
    canvas, dice = scene.canvas, scene.dice
    for scale, colour in ((0.55, (190, 35, 35)), (0.32, (228, 226, 220))):
        half = scale * unit
        surface = canvas.surface(SIGN, dice.near(colour, 12), ahead_m)
        across, down = top
        canvas.polygon(surface, ((across - half, down + half), (across, down - half), (across + half, down + half)))


def _board(scene: Scene, top: Spot, unit: float, ahead_m: float) -> None:
    canvas, dice = scene.canvas, scene.dice
    half, high = dice.between(0.35, 1.0) * unit, dice.between(0.35, 0.7) * unit
    board = canvas.surface(SIGN, dice.near(dice.pick(BOARDS), 12), ahead_m)
    script = canvas.surface(SIGN, dice.near(dice.pick(BOARDS), 12), ahead_m)
    across, down = top
    canvas.rectangle(board, across - half, down - high, across + half, down + high)
    for row in (-0.4, 0.2):
        first, last = down + row * high, down + (row + 0.25) * high
        canvas.rectangle(script, across - 0.7 * half, first, across + 0.5 * half, last)


def _traffic_light(scene: Scene, top: Spot, unit: float, ahead_m: float) -> None:
    canvas, dice = scene.canvas, scene.dice
    across, down = top
    box = canvas.surface(SIGN, dice.near((40, 42, 42), 10), ahead_m)
    canvas.rectangle(box, across - 0.2 * unit, down - 0.55 * unit, across + 0.2 * unit, down + 0.55 * unit)
    on = dice.whole(0, 2)
    colour: Colour = ((225, 40, 35), (235, 170, 40), (50, 200, 110))[on]
    lamp = canvas.surface(SIGN, colour, ahead_m)
    canvas.oval(lamp, (across, down + (on - 1) * 0.34 * unit), 0.13 * unit, 0.13 * unit)
