"""Scores of networks that are trained from scratch: short, to compare them, or as long as it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

from devices import WrongUse
from latency import build_module
from search.compute_device import training_device
from search.cost import Picks
from search.data import LabelledImages, score_of
from search.evaluators.evaluator import Evaluator, network_digest, space_identity
from search.recipe import TrainRecipe
from search.spaces import Architecture, Space


@final
class TrainedFromScratch(Evaluator):
    """Trains each network in the same way and scores it.

    A training that is interrupted goes on from its checkpoint; the checkpoint of a network that is scored is removed.

    Args:
        space: whose networks are trained.
        train: images to train on.
        validation: images to score on.
        recipe: how long and how fast; the length decides what a score costs.
        seed: of weights, order and augmentation.
        folder: for checkpoints.
        tell: progress of each training: steps done and steps in all.
        device: where they are trained: ``auto`` (the GPU where there is one), ``cpu`` or ``cuda``. It has no part in
            the identity of a score, though a GPU's numbers differ in their last digits.

    Raises:
        NotAvailable: there is no such device here.
        WrongUse: the space's networks do not tell the classes of these images, or no pixel to score on is labelled.
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
        device: str = "cpu",
    ) -> None:
        self._device = training_device(device)
        refuse_unfit(space, train)
        refuse_unfit(space, validation)
        validation.refuse_unlabelled()
        meaning = score_of(validation).meaning
        self.meaning = f"{meaning} on validation images after {recipe.steps} steps of training, 0 to 1"
        self._space, self._train, self._validation = space, train, validation
        self._recipe, self._seed, self._folder, self._tell = recipe, seed, folder, tell

    def score(self, picks: Picks) -> float:
        """Mean intersection over union, or top-1 accuracy where pictures have one class each.

        Raises:
            WrongUse: no pixel of the validation images is labelled.
        """
        from search.training import score_network, scoring_batches, train_network

        network = build_module(self._space.network(Architecture(self._space.name, picks)), seed=self._seed)
        network = network.to(self._device)
        checkpoint = self._folder / f"{self.digest(picks)}.safetensors"
        train_network(network, self._train, self._recipe, self._seed, checkpoint, self._tell)
        score, _ = score_network(network, scoring_batches(self._validation))
        checkpoint.unlink(missing_ok=True)
        return score

    def identity(self) -> Mapping[str, object]:
        """Space, images, recipe and seed."""
        images = [[images.name, len(images)] for images in (self._train, self._validation)]
        return {**space_identity(self._space), "images": images, "recipe": self._recipe.identity(), "seed": self._seed}

    def digest(self, picks: Picks) -> str:
        """Of all that the network computes."""
        return network_digest(self._space, picks)

    def words(self, score: float) -> str:
        """As mIoU or accuracy."""
        return score_of(self._validation).words(score)


def refuse_unfit(space: Space, images: LabelledImages) -> None:
    """Make sure that networks of a space can be trained on these images.

    Raises:
        WrongUse: one has a class for every pixel and the other for a whole image, or their numbers of classes differ.
    """
    classifies = space.tap is None
    if classifies and not images.has_one_class_each:
        raise WrongUse(
            f"{space.name} classifies whole images, and {images.name} has a class for every pixel. Choose --data with "
            "one class for each image, such as objects; or score networks without training, by a table "
            "(--evaluator FILE.npz:COLUMN), a proxy (synflow) or a function of yours (my_file.py:function)."
        )
    if images.has_one_class_each and not classifies:
        raise WrongUse(
            f"{space.name} tells the class of every pixel, and {images.name} has one class for each image. "
            "Choose --data with a class for every pixel, such as scenes; or a space that classifies, such as fbnet."
        )
    if len(images.classes) != space.classes:
        raise WrongUse(
            f"{images.name} has {len(images.classes)} classes, the networks tell {space.classes} apart. "
            f"Choose other --data, or --classes {len(images.classes)}."
        )
