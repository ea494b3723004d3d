"""Sky, road and pavement: each pixel is covered and the road lies between its kerbs."""

from __future__ import annotations

import numpy as np

from search.data.canvas import Dice
from search.data.ground import draw_ground
from search.data.street import BUILDING, PAVEMENT, ROAD, SKY, TREE, Scene, plan_scene


def labels_of(seed: int) -> tuple[Scene, np.ndarray]:
    scene = plan_scene((96, 192), Dice(np.random.default_rng(seed)))
    draw_ground(scene)
    return scene, scene.canvas.class_ids()[scene.canvas.surfaces()]


def test_ground_has_road_inside_the_kerbs_and_none_outside() -> None:
    for seed in range(20):
        scene, labels = labels_of(seed)
        for side in (-1, 1):
            kerb = scene.street.kerb(side)
            for right_m, road in ((kerb - 0.3 * side, True), (kerb + 0.6 * side, False)):
                across, down = (int(pixel) for pixel in scene.canvas.camera.spot(right_m, 0.0, 9.0))
                if 0 <= across < 192 and 0 <= down < 96:
                    assert (labels[down, across] == ROAD) == road


def test_no_other_class_and_sky_only_above() -> None:
    for seed in range(10):
        scene, labels = labels_of(seed)
        assert set(np.unique(labels)) <= {SKY, BUILDING, TREE, PAVEMENT, ROAD}
        assert not (labels[int(96 * scene.canvas.camera.horizon) + 3 :] == SKY).any()
        assert (labels[0] == SKY).any()
