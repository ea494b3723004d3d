"""Networks trained from scratch: repeatable, resumable, and refused where the images do not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices import WrongUse
from search import LabelledImages, Space, TrainRecipe, open_space
from search.evaluators import TrainedFromScratch

pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")

MakeImages = Callable[[int], LabelledImages]
RECIPE = TrainRecipe(steps=3, batch_size=2)


def made(space: Space, patches: MakeImages, folder: Path, **options: object) -> TrainedFromScratch:
    return TrainedFromScratch(space, patches(4), patches(2), RECIPE, 1, folder, **options)


def test_a_network_scores_the_same_each_time_and_leaves_no_checkpoint(
    tiny: Space, patches: MakeImages, tmp_path: Path
) -> None:
    first, second = (made(tiny, patches, tmp_path / name).score((3, 3, 0, 0)) for name in "ab")
    assert first == second
    assert 0 <= first <= 1
    assert list((tmp_path / "a").iterdir()) == []


def test_a_training_that_was_interrupted_goes_on(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    whole = made(tiny, patches, tmp_path / "whole").score((0, 0, 0, 0))

    def interrupt(done: int, steps: int) -> None:
        if done == steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(tiny, patches, tmp_path / "cut", tell=interrupt).score((0, 0, 0, 0))
    told = list[int]()
    went_on = made(tiny, patches, tmp_path / "cut", tell=lambda done, steps: told.append(done))
    assert went_on.score((0, 0, 0, 0)) == whole


def test_the_recipe_is_part_of_what_a_score_is(tiny: Space, patches: MakeImages, tmp_path: Path) -> None:
    short = made(tiny, patches, tmp_path)
    longer = TrainedFromScratch(tiny, patches(4), patches(2), replace(RECIPE, steps=9), 1, tmp_path)
    assert short.key != longer.key
    assert "after 3 steps" in short.meaning
    assert short.words(0.5) == "mIoU 0.500"


def test_a_space_of_other_classes_or_of_whole_images_is_refused(
    tiny: Space, patches: MakeImages, objects: MakeImages, tmp_path: Path
) -> None:
    with pytest.raises(WrongUse, match=r"patches has 3 classes, the networks tell 5 apart\..* or --classes 3"):
        made(replace(tiny, classes=5), patches, tmp_path)
    with pytest.raises(WrongUse, match="nasbench201 classifies whole images, and patches has a class for every pixel"):
        made(open_space("nasbench201"), patches, tmp_path)
    with pytest.raises(WrongUse, match="tiny tells the class of every pixel, and generated objects, train has one"):
        made(tiny, objects, tmp_path)
    with pytest.raises(WrongUse, match="10 classes, the networks tell 7 apart"):
        made(open_space("nasbench201", (8, 8), 7), objects, tmp_path)
    ten = open_space("nasbench201", (8, 8), 10)
    with pytest.raises(WrongUse, match="has a class for every pixel"):
        TrainedFromScratch(ten, objects(4), patches(2), RECIPE, 1, tmp_path)


@pytest.mark.parametrize("name", ["fbnet", "proxylessnas", "nasbench201"])
def test_networks_that_classify_are_trained_and_scored_by_accuracy(
    name: str, objects: MakeImages, tmp_path: Path
) -> None:
    space = open_space(name, (32, 32), 10)
    # One that is small: what can be left out is left out.
    picks = tuple(unit.names.index("skip") if "skip" in unit.names else 0 for unit in space.units)
    train, validation = objects(4, (32, 32)), objects(3, (32, 32), "val")
    evaluator = TrainedFromScratch(space, train, validation, replace(RECIPE, steps=1), 1, tmp_path)
    assert evaluator.meaning == "top-1 accuracy on validation images after 1 steps of training, 0 to 1"
    assert evaluator.words(0.5) == "accuracy 0.500"
    assert evaluator.score(picks) in (0, 1 / 3, 2 / 3, 1)
