"""Scores of networks that are trained from scratch: short, to compare them, or as long as it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import final

from devices import WrongUse
from latency import build_module
from search.cost import Picks
from search.data import LabelledImages
from search.evaluators.evaluator import Evaluator, network_digest, space_identity
from search.recipe import TrainRecipe
from search.spaces import Architecture, Space


@final
class TrainedFromScratch(Evaluator):
    """Trains each network in the same way and scores it.

    A training that is interrupted goes on from its checkpoint; the checkpoint of a network that is scored is removed.

    Args:
        space: whose networks are trained: they tell the classes of pixels.
        train: images to train on.
        validation: images to score on.
        recipe: how long and how fast; the length decides what a score costs.
        seed: of weights, order and augmentation.
        folder: for checkpoints.
        tell: progress of each training: steps done and steps in all.

    Raises:
        WrongUse: the space's networks do not tell the classes of these images.
    """

    name = "train"

    def __init__(
        self,
        space: Space,
        train: LabelledImages,
        validation: LabelledImages,
        recipe: TrainRecipe,
        seed: int,
        folder: Path,
        tell: Callable[[int, int], None] = lambda done, steps: None,
    ) -> None:
        refuse_unfit(space, train)
        self.meaning = f"mIoU on validation images after {recipe.steps} steps of training, 0 to 1"
        self._space, self._train, self._validation = space, train, validation
        self._recipe, self._seed, self._folder, self._tell = recipe, seed, folder, tell

    def score(self, picks: Picks) -> float:
        """Mean intersection over union.

        Raises:
            WrongUse: no pixel of the validation images is labelled.
        """
        from search.training import score_network, scoring_batches, train_network

        network = build_module(self._space.network(Architecture(self._space.name, picks)), seed=self._seed)
        checkpoint = self._folder / f"{self.digest(picks)}.safetensors"
        train_network(network, self._train, self._recipe, self._seed, checkpoint, self._tell)
        score, _ = score_network(network, scoring_batches(self._validation))
        if math.isnan(score):
            raise WrongUse(f"{self._validation.name} has no labelled pixel to score on. Choose other --data.")
        checkpoint.unlink(missing_ok=True)
        return score

    def identity(self) -> Mapping[str, object]:
        """Space, images, recipe and seed."""
        images = [[images.name, len(images)] for images in (self._train, self._validation)]
        return {**space_identity(self._space), "images": images, "recipe": asdict(self._recipe), "seed": self._seed}

    def digest(self, picks: Picks) -> str:
        """Of all that the network computes."""
        return network_digest(self._space, picks)

    def words(self, score: float) -> str:
        """As mIoU."""
        return f"mIoU {score:.3f}"


def refuse_unfit(space: Space, images: LabelledImages) -> None:
    """Make sure that networks of a space can be trained on images whose pixels have classes.

    Raises:
        WrongUse: they say one class for a whole image, or tell another number of classes apart.
    """
    if space.tap is None:
        raise WrongUse(
            f"{space.name} classifies whole images, and {images.name} has a class for every pixel. Score it by a table "
            "(--evaluator FILE.npz:COLUMN), a proxy (--evaluator synflow) or a function of yours (my_file.py:function)."
        )
    if len(images.classes) != space.classes:
        raise WrongUse(
            f"{images.name} has {len(images.classes)} classes, the networks tell {space.classes} apart. "
            "Choose other --data."
        )
