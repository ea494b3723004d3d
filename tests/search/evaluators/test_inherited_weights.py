"""Networks with the weights of a supernet."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devices import WrongUse
from search import Batches, LabelledImages, Space, open_space
from search.evaluators.evaluator import network_digest

torch = pytest.importorskip("torch", reason="torch is not installed; supernets are its modules")

MakeImages = Callable[[int], LabelledImages]


def made(space: Space, train: LabelledImages, validation: LabelledImages, seed: int = 0) -> object:
    from search.evaluators.inherited_weights import InheritedWeights
    from search.supernet import Supernet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        supernet = Supernet(space)
    batches = [Batches(images, 2, seed=0, augment=False) for images in (train, validation)]
    return InheritedWeights(supernet, *batches, 1, {"seed": seed})


def test_scores_are_repeatable_whatever_was_scored_before(tiny: Space, patches: MakeImages) -> None:
    evaluator = made(tiny, patches(4), patches(3))
    first = evaluator.score((3, 3, 0, 0))
    evaluator.score((0, 0, 12, 12))
    assert evaluator.score((3, 3, 0, 0)) == first
    assert 0 <= first <= 1
    assert evaluator.words(0.25) == "mIoU 0.250"


def test_what_the_supernet_was_trained_from_is_part_of_what_a_score_is(tiny: Space, patches: MakeImages) -> None:
    assert made(tiny, patches(4), patches(3), 0).key != made(tiny, patches(4), patches(3), 1).key
    assert made(tiny, patches(4), patches(3)).digest((0, 0, 0, 0)) == network_digest(tiny, (0, 0, 0, 0))


def test_networks_of_cells_inherit_weights_and_are_scored_by_accuracy(objects: MakeImages) -> None:
    space = open_space("nasbench201", (8, 8), 10)
    evaluator = made(space, objects(4), objects(3))
    assert evaluator.meaning == "top-1 accuracy with inherited weights on validation images, 0 to 1"
    assert evaluator.words(0.25) == "accuracy 0.250"
    first = evaluator.score(space.reference)
    evaluator.score((0,) * 6)
    assert evaluator.score(space.reference) == first in (0, 1 / 3, 2 / 3, 1)


def test_images_without_a_labelled_pixel_are_refused(tiny: Space, patches: MakeImages) -> None:
    class Blank(type(patches(1))):
        def read(self, index: int) -> tuple:
            picture, labels = super().read(index)
            return picture, labels * 0 + 255

    with pytest.raises(WrongUse, match="patches has no labelled pixel to score on"):
        made(tiny, patches(4), Blank(2)).score((0, 0, 0, 0))
