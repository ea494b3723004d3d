"""Street furniture: each piece leaves its own classes, and stands on the ground."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from search.data.canvas import Dice
from search.data.furniture import draw_fence, draw_hedge, draw_lamp, draw_sign, draw_tree
from search.data.street import FENCE, POLE, ROAD, SIGN, TREE, Scene, plan_scene

Draw = Callable[[Scene], None]


def drawn(draw: Draw, seed: int) -> tuple[Scene, np.ndarray]:
    """A thing on a sheet that is otherwise road."""
    scene = plan_scene((192, 384), Dice(np.random.default_rng(seed)))
    scene.canvas.rectangle(scene.canvas.surface(ROAD, (90.0, 90.0, 90.0)), 0, 0, 384, 192)
    draw(scene)
    return scene, scene.canvas.class_ids()[scene.canvas.surfaces()]


THINGS: dict[str, tuple[Draw, set[int]]] = {
    "tree": (partial(draw_tree, right_m=0.0, ahead_m=10.0), {TREE}),
    "hedge": (partial(draw_hedge, right_m=2.0, near_m=5.0, far_m=15.0), {TREE}),
    "lamp": (partial(draw_lamp, right_m=0.0, ahead_m=10.0, side=1), {POLE}),
    "sign": (partial(draw_sign, right_m=0.0, ahead_m=10.0), {POLE, SIGN}),
    "fence": (partial(draw_fence, right_m=2.0, near_m=5.0, far_m=15.0), {FENCE}),
}


@pytest.mark.parametrize("name", THINGS)
def test_a_thing_leaves_its_classes_and_no_other(name: str) -> None:
    draw, expected = THINGS[name]
    for seed in range(8):
        assert set(np.unique(drawn(draw, seed)[1])) == expected | {ROAD}


@pytest.mark.parametrize("name", ["tree", "lamp", "sign"])
def test_a_thing_stands_on_the_ground(name: str) -> None:
    for seed in range(8):
        scene, labels = drawn(THINGS[name][0], seed)
        lowest = np.flatnonzero((labels != ROAD).any(axis=1))[-1]
        assert lowest == pytest.approx(scene.canvas.camera.spot(0.0, 0.0, 10.0)[1], abs=3)


def test_fences_hide_what_is_behind_them_or_let_it_through() -> None:
    """Some are of planks and some of pales: the share that is covered tells them apart."""
    shares = []
    for seed in range(20):
        scene, labels = drawn(THINGS["fence"][0], seed)
        across = int(scene.canvas.camera.spot(2.0, 0.0, 7.0)[0])
        rows = np.flatnonzero((labels == FENCE).any(axis=1))
        shares.append((labels[rows[0] : rows[-1], across - 20 : across + 20] == FENCE).mean())
    assert min(shares) < 0.4
    assert max(shares) > 0.6


def test_a_tree_shades_the_ground_only_in_the_sun() -> None:
    seen = set()
    for seed in range(20):
        scene, _ = drawn(THINGS["tree"][0], seed)
        shaded = bool((scene.canvas.light() < 1.0).any())
        assert shaded == (scene.weather.sun > 0)
        seen.add(shaded)
    assert seen == {True, False}
