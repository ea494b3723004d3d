"""The camera and the sheet: perspective, and picture and labels that cannot disagree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data.canvas import NEAREST_M, Camera, Canvas, Dice

CAMERA = Camera(size=(100, 200), height_m=1.5, horizon=0.4, heading=0.0, bend=0.0)


def test_eye_level_is_the_horizon_at_any_distance() -> None:
    for ahead in (3.0, 30.0, 300.0):
        assert CAMERA.spot(0.0, 1.5, ahead) == pytest.approx((100.0, 40.0))


@given(st.floats(NEAREST_M, 100.0), st.floats(1.01, 3.0))
def test_twice_as_far_is_half_as_large(ahead: float, factor: float) -> None:
    near = CAMERA.spot(1.0, 0.0, ahead)[0] - CAMERA.spot(0.0, 0.0, ahead)[0]
    far = CAMERA.spot(1.0, 0.0, factor * ahead)[0] - CAMERA.spot(0.0, 0.0, factor * ahead)[0]
    assert near == pytest.approx(CAMERA.scale(ahead))
    assert far * factor == pytest.approx(near)


def test_points_behind_the_camera_stay_in_front_of_it() -> None:
    assert CAMERA.spot(1.0, 0.0, -5.0) == CAMERA.spot(1.0, 0.0, NEAREST_M)


def test_a_road_that_bends_to_the_right_moves_to_the_right() -> None:
    bent = Camera(size=(100, 200), height_m=1.5, horizon=0.4, heading=0.0, bend=0.002)
    offsets = [bent.spot(0.0, 0.0, ahead)[0] - 100.0 for ahead in (5.0, 20.0, 80.0)]
    assert offsets == sorted(offsets)
    assert offsets[0] > 0


def test_what_comes_later_hides_what_came_before() -> None:
    canvas = Canvas(CAMERA, haze=(200.0, 200.0, 200.0), haze_m=100.0)
    sky = canvas.surface(0, (0.0, 0.0, 255.0))
    wall = canvas.surface(1, (255.0, 0.0, 0.0))
    canvas.rectangle(sky, 0, 0, 200, 100)
    canvas.rectangle(wall, 50, 50, 60, 60)
    labels = canvas.class_ids()[canvas.surfaces()]
    assert labels[55, 55] == 1
    assert labels[40, 40] == 0
    assert canvas.colours()[canvas.surfaces()][55, 55].tolist() == [255.0, 0.0, 0.0]


def test_far_surfaces_fade_to_the_haze() -> None:
    canvas = Canvas(CAMERA, haze=(200.0, 200.0, 200.0), haze_m=100.0)
    for ahead in (0.0, 100.0, 10_000.0):
        canvas.surface(0, (0.0, 0.0, 0.0), ahead_m=ahead)
    np.testing.assert_allclose(canvas.colours()[:, 0], [0.0, 126.4, 200.0], atol=0.1)


def test_shadows_lie_on_the_ground_only_where_they_fall() -> None:
    canvas = Canvas(CAMERA, haze=(200.0, 200.0, 200.0), haze_m=100.0)
    canvas.shade(((-1.0, 0.0, 5.0), (1.0, 0.0, 5.0), (1.0, 0.0, 8.0), (-1.0, 0.0, 8.0)), 0.5)
    across, down = (round(pixel) for pixel in CAMERA.spot(0.0, 0.0, 6.0))
    assert canvas.light()[down, across] == pytest.approx(0.5, abs=0.01)
    assert canvas.light()[0, 0] == 1.0


def test_dice_keep_to_their_ranges() -> None:
    dice = Dice(np.random.default_rng(0))
    assert {dice.whole(2, 4) for _ in range(200)} == {2, 3, 4}
    assert {dice.side() for _ in range(50)} == {-1, 1}
    assert {dice.pick("abc") for _ in range(100)} == set("abc")
    assert all(2.0 <= dice.between(2.0, 3.0) < 3.0 for _ in range(3000))
    assert not dice.chance(0.0)
