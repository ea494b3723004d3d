"""Vehicles and people: each leaves its own class where it stands, at its size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from search.data.canvas import Dice
from search.data.street import BICYCLIST, CAR, PEDESTRIAN, ROAD, Scene, plan_scene
from search.data.traffic import BODIES, draw_car, draw_cyclist, draw_person

Draw = Callable[[Scene], None]


def drawn(draw: Draw, seed: int) -> tuple[Scene, np.ndarray]:
    """A thing on a sheet that is otherwise road."""
    scene = plan_scene((192, 384), Dice(np.random.default_rng(seed)))
    scene.canvas.rectangle(scene.canvas.surface(ROAD, (90.0, 90.0, 90.0)), 0, 0, 384, 192)
    draw(scene)
    return scene, scene.canvas.class_ids()[scene.canvas.surfaces()]


CAR_BODY = BODIES[0]

THINGS: dict[str, tuple[Draw, int]] = {
    "person": (partial(draw_person, right_m=0.0, ahead_m=10.0), PEDESTRIAN),
    "cyclist": (partial(draw_cyclist, right_m=0.0, ahead_m=10.0), BICYCLIST),
    "car": (partial(draw_car, right_m=0.0, ahead_m=10.0, body=CAR_BODY), CAR),
    "bus": (partial(draw_car, right_m=0.0, ahead_m=10.0, body=BODIES[-1]), CAR),
}

HEIGHTS_M = {
    "person": (0.9, 2.0),
    "cyclist": (1.4, 2.0),
    "car": (CAR_BODY.height_m - 0.25, CAR_BODY.height_m + 0.1),
    "bus": (BODIES[-1].height_m - 0.25, BODIES[-1].height_m + 0.1),
}


@pytest.mark.parametrize("name", THINGS)
def test_a_thing_leaves_its_class_and_no_other(name: str) -> None:
    draw, class_id = THINGS[name]
    for seed in range(8):
        assert set(np.unique(drawn(draw, seed)[1])) == {class_id, ROAD}


@pytest.mark.parametrize("name", THINGS)
def test_a_thing_stands_on_the_ground_and_has_its_height(name: str) -> None:
    low, high = HEIGHTS_M[name]
    for seed in range(8):
        scene, labels = drawn(THINGS[name][0], seed)
        rows = np.flatnonzero((labels != ROAD).any(axis=1))
        foot, unit = scene.canvas.camera.spot(0.0, 0.0, 10.0)[1], scene.canvas.camera.scale(10.0)
        assert abs(rows[-1] - foot) < 0.15 * unit + 2
        assert low * unit - 2 < rows[-1] - rows[0] < high * unit + 3


def test_a_far_car_is_smaller() -> None:
    near, far = (
        (drawn(partial(draw_car, right_m=0.0, ahead_m=ahead, body=CAR_BODY), 3)[1] == CAR).sum()
        for ahead in (8.0, 32.0)
    )
    assert far < near / 8


@pytest.mark.parametrize("side", [-1, 1])
def test_a_parked_car_shows_the_flank_that_is_turned_to_the_camera(side: int) -> None:
    """Beyond the inner edge of its near end, towards the middle of the street."""
    for seed in range(8):
        scene, labels = drawn(partial(draw_car, right_m=4.0 * side, ahead_m=8.0, body=CAR_BODY), seed)
        inner = 4.0 * side - 0.5 * side * CAR_BODY.width_m
        edge, down = scene.canvas.camera.spot(inner, 0.6, 8.0)
        across = round(edge) - 4 * side
        assert labels[round(down), across] == CAR


def test_it_is_dark_under_a_car() -> None:
    scene, _ = drawn(THINGS["car"][0], 0)
    across, down = (round(pixel) for pixel in scene.canvas.camera.spot(0.0, 0.0, 11.0))
    assert scene.canvas.light()[down, across] < 0.5
