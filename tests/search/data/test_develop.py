"""From a drawn canvas to a picture: what light, texture and sky may change and what they must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from search.data.canvas import Canvas, Dice
from search.data.develop import develop
from search.data.street import ROAD, SKY, Scene, plan_scene

SIZE = (40, 80)


def drawn(gain: float, shadow: float | None = None) -> Scene:
    """A grey road under a sky, without noise or blur."""
    planned = plan_scene(SIZE, Dice(np.random.default_rng(0)))
    weather = replace(planned.weather, gain=gain, tint=(1.0, 1.0, 1.0), noise=0.0, blur=0.0)
    camera = replace(planned.canvas.camera, horizon=0.5)
    canvas = Canvas(camera, weather.sky_low, weather.haze_m)
    canvas.rectangle(canvas.surface(SKY, weather.sky_low, rough=0.0), 0, 0, 80, 40)
    canvas.rectangle(canvas.surface(ROAD, (100.0, 100.0, 100.0), rough=0.0), 0, 20, 80, 40)
    if shadow is not None:
        canvas.shade(((-90.0, 0.0, 2.0), (90.0, 0.0, 2.0), (90.0, 0.0, 500.0), (-90.0, 0.0, 500.0)), shadow)
    return Scene(canvas, planned.street, weather, Dice(np.random.default_rng(1)))


def test_labels_are_what_was_drawn() -> None:
    _, labels = develop(drawn(1.0), np.random.default_rng(0))
    assert (labels[:20] == SKY).all()
    assert (labels[20:] == ROAD).all()


def test_gain_brightens() -> None:
    dark, bright = (develop(drawn(gain), np.random.default_rng(0))[0][25:].mean() for gain in (0.5, 1.0))
    assert dark == pytest.approx(0.5 * bright, rel=0.03)


def test_shadows_darken_the_ground_and_not_the_sky() -> None:
    lit, _ = develop(drawn(1.0), np.random.default_rng(0))
    shaded, _ = develop(drawn(1.0, shadow=0.4), np.random.default_rng(0))
    assert shaded[30:].mean() == pytest.approx(0.4 * lit[30:].mean(), rel=0.05)
    np.testing.assert_array_equal(shaded[:19], lit[:19])
