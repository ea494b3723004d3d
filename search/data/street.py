"""The plan of a street: how wide it is, how it bends, and under what light it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from search.data.camvid import CLASSES
from search.data.canvas import Camera, Canvas, Colour, Dice

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(len(CLASSES))

FAR_M = 110.0
"""How far a street is drawn. A house is then about six pixels high at (96, 192)."""

SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((95, 145, 215), (190, 210, 230)),
    ((225, 228, 232), (240, 240, 238)),
    ((140, 147, 158), (190, 190, 190)),
    ((110, 125, 150), (225, 190, 150)),
    ((165, 190, 215), (215, 215, 205)),
    ((85, 90, 100), (135, 135, 135)),
)
"""Colours overhead and at the horizon. Half of them are as grey as roads, walls and cars."""


@final
@dataclass(frozen=True)
class Weather:
    """The light of a scene.

    Attributes:
        sky_high: colour of the sky overhead.
        sky_low: colour of the sky at the horizon, which far things fade to.
        haze_m: distance at which 63 % of a colour have faded.
        sun: share of the light that comes straight from the sun, and is missing in shadows, from 0 to 1.
        sun_side: -1 where the sun stands to the left, 1 to the right.
        gain: overall brightness as a factor.
        tint: factors for red, green and blue.
        noise: standard deviation of the camera's noise, in steps of 255.
        blur: radius of the lens blur, as a share of the height of the picture.
    """

    sky_high: Colour
    sky_low: Colour
    haze_m: float
    sun: float
    sun_side: int
    gain: float
    tint: Colour
    noise: float
    blur: float

    def wall_light(self, side: int) -> float:
        """Brightness as a factor of the walls on a side of the street (-1 left, 1 right)."""
        return 1.0 - self.sun * (0.55 if side == self.sun_side else -0.1)


@final
@dataclass(frozen=True)
class Street:
    """Where kerbs and walls run, in metres to the right of the camera.

    Attributes:
        kerbs_m: left and right edge of the road.
        walls_m: left and right building line.
        parked: probability of a parked car at each place beside a kerb, for the left and the right side.
        busy: how many people and vehicles there are, as a factor.
    """

    kerbs_m: tuple[float, float]
    walls_m: tuple[float, float]
    parked: tuple[float, float]
    busy: float

    def kerb(self, side: int) -> float:
        """The kerb on a side (-1 left, 1 right)."""
        return self.kerbs_m[side > 0]

    def wall(self, side: int) -> float:
        """The building line on a side (-1 left, 1 right)."""
        return self.walls_m[side > 0]

    def on_pavement(self, side: int, share: float) -> float:
        """A place on the pavement of a side: 0 at the kerb, 1 at the wall."""
        return self.kerb(side) + share * (self.wall(side) - self.kerb(side))


@final
@dataclass(frozen=True)
class Scene:
    """All that a drawing function needs.

    Attributes:
        canvas: what to draw on.
        street: where things stand.
        weather: how they are lit.
        dice: what decides.
    """

    canvas: Canvas
    street: Street
    weather: Weather
    dice: Dice


def plan_scene(size: tuple[int, int], dice: Dice) -> Scene:
    """A street with nothing drawn yet.

    Args:
        size: height and width of the picture, in pixels.
        dice: what decides.
    """
    weather = _weather(dice)
    camera = Camera(
        size=size,
        height_m=dice.between(1.3, 2.1),
        horizon=dice.between(0.38, 0.52),
        heading=dice.between(-0.08, 0.08),
        bend=dice.between(-0.0022, 0.0022) if dice.chance(0.6) else 0.0,
    )
    return Scene(Canvas(camera, weather.sky_low, weather.haze_m), _street(dice), weather, dice)


def _weather(dice: Dice) -> Weather:
    high, low = dice.pick(SKIES)
    sun = dice.between(0.3, 0.75) if dice.chance(0.55) else 0.0
    warm = dice.between(-0.08, 0.08)
    return Weather(
        sky_high=dice.near(high, 14),
        sky_low=dice.near(low, 12),
        haze_m=dice.between(90, 500),
        sun=sun,
        sun_side=dice.side(),
        gain=dice.between(0.5, 1.2),
        tint=(1 + warm, 1.0, 1 - warm),
        noise=dice.between(2, 8),
        blur=dice.between(0.0005, 0.0045),
    )


def _street(dice: Dice) -> Street:
    """The camera's own lane has its middle at 0; traffic keeps to the left or to the right."""
    own, other = dice.between(1.7, 2.4), dice.between(3.2, 9.0)
    kerbs = (-own, other) if dice.chance(0.5) else (-other, own)
    parked = (dice.pick((0.0, 0.25, 0.7)), dice.pick((0.0, 0.25, 0.7)))
    # A row of parked cars needs room that the own lane does not have.
    left = kerbs[0] - (2.1 if parked[0] else 0.0)
    right = kerbs[1] + (2.1 if parked[1] else 0.0)
    walls = (left - dice.between(1.6, 8.0), right + dice.between(1.6, 8.0))
    return Street((left, right), walls, parked, busy=dice.between(0.3, 1.6))
