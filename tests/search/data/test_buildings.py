"""Houses: where they stand, and what is drawn on their fronts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from search.data.buildings import House, draw_house
from search.data.canvas import Dice
from search.data.street import BUILDING, ROAD, Scene, plan_scene

Draw = Callable[[Scene], None]


def drawn(draw: Draw, seed: int) -> tuple[Scene, np.ndarray]:
    """A thing on a sheet that is otherwise road."""
    scene = plan_scene((192, 384), Dice(np.random.default_rng(seed)))
    scene.canvas.rectangle(scene.canvas.surface(ROAD, (90.0, 90.0, 90.0)), 0, 0, 384, 192)
    draw(scene)
    return scene, scene.canvas.class_ids()[scene.canvas.surfaces()]


RIGHT = House(side=1, wall_m=4.0, near_m=8.0, far_m=20.0, height_m=9.0, roof_m=2.5)
LEFT = replace(RIGHT, side=-1, wall_m=-4.0)


@pytest.mark.parametrize("house", [LEFT, RIGHT, replace(RIGHT, roof_m=0.0)])
def test_a_house_is_nothing_but_building(house: House) -> None:
    for seed in range(8):
        assert set(np.unique(drawn(partial(draw_house, house=house), seed)[1])) == {BUILDING, ROAD}


@pytest.mark.parametrize("house", [LEFT, RIGHT])
def test_the_street_beside_a_house_stays_free(house: House) -> None:
    for seed in range(8):
        scene, labels = drawn(partial(draw_house, house=house), seed)
        ahead = house.near_m + 2.0
        before, on = (house.wall_m - 0.5 * house.side, 0.0), (house.wall_m, 1.0)
        for (right_m, up_m), expected in ((before, ROAD), (on, BUILDING)):
            across, down = (round(pixel) for pixel in scene.canvas.camera.spot(right_m, up_m, ahead))
            if 0 <= across < 384:
                assert labels[down, across] == expected


def test_near_fronts_have_windows_and_far_ones_do_not() -> None:
    """Windows are surfaces of their own."""
    near, _ = drawn(partial(draw_house, house=RIGHT), 0)
    far, _ = drawn(partial(draw_house, house=replace(RIGHT, near_m=400.0, far_m=420.0)), 0)
    assert len(np.unique(near.canvas.surfaces())) > len(np.unique(far.canvas.surfaces()))
