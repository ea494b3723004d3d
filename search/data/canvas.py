"""A sheet that is drawn on in metres: every mark leaves its colour and its class at once.

What is drawn is not a colour but the number of a surface. Colours, classes and textures are looked up from these
numbers in one go at the end, so that each shape is drawn once and picture and labels cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, sqrt
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Choice = TypeVar("Choice")

Colour = tuple[float, float, float]
"""Red, green and blue from 0 to 255."""

Point = tuple[float, float, float]
"""Metres to the right of the camera, above the ground, and ahead."""

Spot = tuple[float, float]
"""Pixels to the right and down."""

NEAREST_M = 2.0
"""Nothing nearer than this is projected; the lower edge of the picture shows ground that is farther away."""

FOCAL = 0.8
"""Focal length as a share of the width of a 2:1 picture: a field of view of 64 degrees, as in Cityscapes."""


@final
class Dice:
    """Random numbers one at a time; drawing them from the generator in blocks is ten times as fast."""

    def __init__(self, generator: np.random.Generator) -> None:
        """Starts at the state of ``generator``.

        Args:
            generator: where the numbers come from; it is advanced in blocks.
        """
        self._generator = generator
        self._numbers: list[float] = []

    def share(self) -> float:
        """A number from 0 up to 1."""
        if not self._numbers:
            self._numbers = self._generator.random(1024).tolist()
        return self._numbers.pop()

    def between(self, low: float, high: float) -> float:
        """A number from ``low`` up to ``high``."""
        return low + (high - low) * self.share()

    def whole(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int((high - low + 1) * self.share())

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.share() < probability

    def side(self) -> int:
        """-1 or 1."""
        return 1 if self.chance(0.5) else -1

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of ``choices``, each as likely."""
        return choices[int(len(choices) * self.share())]

    def near(self, colour: Colour, spread: float) -> Colour:
        """A colour like ``colour``: each channel up to ``spread`` away, and all of them up to ``spread`` together."""
        together = self.between(-spread, spread)
        low, high = together - spread / 2, together + spread / 2
        red, green, blue = colour
        return (red + self.between(low, high), green + self.between(low, high), blue + self.between(low, high))


@final
@dataclass(frozen=True)
class Camera:
    """A pinhole camera in a car that looks along a road, which may bend.

    Attributes:
        size: height and width of the picture, in pixels.
        height_m: height of the lens above the ground.
        horizon: row of the horizon as a share of the height of the picture.
        heading: how far the road ahead lies to the right, in metres for each metre.
        bend: how strongly the road bends to the right, in metres for each metre squared.
    """

    size: tuple[int, int]
    height_m: float
    horizon: float
    heading: float
    bend: float

    @cached_property
    def focal(self) -> float:
        """Focal length in pixels; it goes by the area, so that tall pictures show a street too."""
        return FOCAL * sqrt(2.0 * self.size[0] * self.size[1])

    @cached_property
    def vanishing(self) -> Spot:
        """Where a straight road would end in the picture, in pixels to the right and down."""
        return (0.5 * self.size[1] + self.focal * self.heading, self.horizon * self.size[0])

    def scale(self, ahead_m: float) -> float:
        """Pixels for each metre at this distance."""
        return self.focal / max(ahead_m, NEAREST_M)

    def spot(self, right_m: float, up_m: float, ahead_m: float) -> Spot:
        """Where a point of the street is seen.

        Args:
            right_m: distance to the right of the line that the camera follows along the road.
            up_m: height above the ground.
            ahead_m: distance ahead.

        Returns:
            Pixels to the right and down; they may lie outside the picture.
        """
        ahead_m = max(ahead_m, NEAREST_M)
        scale = self.focal / ahead_m
        across, down = self.vanishing
        return (
            across + scale * (right_m + self.bend * ahead_m * ahead_m),
            down + scale * (self.height_m - up_m),
        )


@final
class Canvas:
    """Shapes in perspective, drawn over each other: what comes later hides what came before.

    Attributes:
        camera: how metres become pixels.
    """

    def __init__(self, camera: Camera, haze: Colour, haze_m: float) -> None:
        """An empty sheet; every pixel must be drawn on before :meth:`surfaces` means anything.

        Args:
            camera: how metres become pixels.
            haze: the colour that far things fade to.
            haze_m: the distance at which 63 % of a colour have faded.
        """
        height, width = camera.size
        self.camera = camera
        self._haze = haze
        self._haze_m = haze_m
        # 32 bits: a wide street has more than 255 surfaces.
        self._sheet = Image.new("I", (width, height))
        self._pen = ImageDraw.Draw(self._sheet)
        self._light = Image.new("L", (width, height), 255)
        self._light_pen = ImageDraw.Draw(self._light)
        self._class_ids: list[int] = []
        self._colours: list[Colour] = []
        self._roughness: list[float] = []

    def surface(self, class_id: int, colour: Colour, ahead_m: float = 0.0, rough: float = 0.04) -> int:
        """Something new to draw with.

        Args:
            class_id: the class of what is drawn.
            colour: its colour near by and in plain light.
            ahead_m: its distance, for the haze.
            rough: how much its brightness varies from pixel to pixel, as a share.

        Returns:
            The number to hand to the drawing methods.
        """
        clear = exp(-ahead_m / self._haze_m)
        red, green, blue = self._haze
        self._class_ids.append(class_id)
        self._colours.append(
            (
                red + clear * (colour[0] - red),
                green + clear * (colour[1] - green),
                blue + clear * (colour[2] - blue),
            )
        )
        self._roughness.append(rough)
        return len(self._class_ids) - 1

    def face(self, surface: int, corners: Sequence[Point]) -> None:
        """A flat shape in the street, its corners in metres."""
        self.polygon(surface, [self.camera.spot(*corner) for corner in corners])

    def shade(self, corners: Sequence[Point], light: float) -> None:
        """A shadow on the ground: ``light`` is the share that still arrives, from 0 to 1."""
        self._light_pen.polygon([self.camera.spot(*corner) for corner in corners], fill=int(255 * light))

    def polygon(self, surface: int, corners: Sequence[Spot]) -> None:
        """A filled shape, its corners in pixels."""
        self._pen.polygon(corners, fill=surface)

    def rectangle(self, surface: int, left: float, top: float, right: float, bottom: float) -> None:
        """A filled upright rectangle between rows and columns in pixels."""
        self._pen.rectangle((left, top, max(left, right), max(top, bottom)), fill=surface)

    def oval(self, surface: int, middle: Spot, half_width: float, half_height: float) -> None:
        """A filled ellipse around ``middle``, all in pixels."""
        across, down = middle
        self._pen.ellipse((across - half_width, down - half_height, across + half_width, down + half_height), surface)

    def line(self, surface: int, spots: Sequence[Spot], line: float) -> None:
        """Straight strokes from spot to spot, all in pixels; the line has at least one."""
        self._pen.line(spots, fill=surface, width=max(1, round(line)))

    def surfaces(self) -> NDArray[np.int32]:
        """The number of the surface at each pixel, of shape (height, width)."""
        return np.asarray(self._sheet)

    def light(self) -> NDArray[np.float32]:
        """The share of light that falls on the ground at each pixel, of shape (height, width)."""
        return np.asarray(self._light, dtype=np.float32) / np.float32(255)

    def class_ids(self) -> NDArray[np.uint8]:
        """The class of each surface, of shape (surfaces,)."""
        return np.array(self._class_ids, dtype=np.uint8)

    def colours(self) -> NDArray[np.float32]:
        """Red, green and blue from 0 to 255 of each surface, of shape (surfaces, 3)."""
        return np.array(self._colours, dtype=np.float32)

    def roughness(self) -> NDArray[np.float32]:
        """How much the brightness of each surface varies, as a share, of shape (surfaces,)."""
        return np.array(self._roughness, dtype=np.float32)
