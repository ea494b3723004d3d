"""Plans of streets: they must leave room for what is drawn into them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.data.camvid import CLASSES
from search.data.canvas import Dice
from search.data.street import BICYCLIST, SKY, plan_scene


@given(st.integers(0, 2**32))
def test_walls_are_behind_kerbs_and_the_camera_is_on_the_road(seed: int) -> None:
    street = plan_scene((96, 192), Dice(np.random.default_rng(seed))).street
    assert street.wall(-1) < street.kerb(-1) < -1.0
    assert 1.0 < street.kerb(1) < street.wall(1)
    for side in (-1, 1):
        assert street.on_pavement(side, 0.0) == street.kerb(side)
        assert abs(street.on_pavement(side, 0.5)) > abs(street.kerb(side))


@given(st.integers(0, 2**32))
def test_the_sunny_wall_is_the_brighter_one(seed: int) -> None:
    weather = plan_scene((96, 192), Dice(np.random.default_rng(seed))).weather
    lit, shaded = weather.wall_light(-weather.sun_side), weather.wall_light(weather.sun_side)
    assert lit > shaded if weather.sun else lit == shaded == 1.0
    assert shaded > 0.0


def test_class_ids_are_those_of_camvid() -> None:
    assert CLASSES[SKY] == "sky"
    assert CLASSES[BICYCLIST] == "bicyclist"
