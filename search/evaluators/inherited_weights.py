"""Scores of networks with the weights that they inherit from a supernet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

from devices import WrongUse
from search.cost import Picks
from search.data import Batches, score_of
from search.evaluators.evaluator import Evaluator, network_digest, space_identity
from search.supernet import Supernet
from search.training import recalibrate, score_network


@final
class InheritedWeights(Evaluator):
    """Picks a network from a trained supernet, renews its batch-norm statistics, and scores it (SqueezeNAS; FBNet).

    Args:
        supernet: trained.
        training: batches that batch-norm statistics are renewed with.
        validation: batches to score on.
        recalibration_batches: how many of the first; none leaves the statistics as they are.
        origin: what the supernet was trained from, as plain values.
    """

    name = "supernet"

    def __init__(
        self,
        supernet: Supernet,
        training: Batches,
        validation: Batches,
        recalibration_batches: int,
        origin: Mapping[str, object],
    ) -> None:
        self._supernet, self._training, self._validation = supernet, training, validation
        self._recalibration_batches, self._origin = recalibration_batches, dict(origin)
        self.meaning = f"{score_of(validation.images).meaning} with inherited weights on validation images, 0 to 1"

    def score(self, picks: Picks) -> float:
        """Mean intersection over union, or top-1 accuracy where pictures have one class each.

        Raises:
            WrongUse: no pixel of the images is labelled.
        """
        network = self._supernet.pick(picks)
        recalibrate(network, self._training, self._recalibration_batches)
        score, _ = score_network(network, self._validation)
        if math.isnan(score):
            raise WrongUse(f"{self._validation.images.name} has no labelled pixel to score on. Choose other --data.")
        return score

    def identity(self) -> Mapping[str, object]:
        """Space, and what the supernet was trained from."""
        return {**space_identity(self._supernet.space), **self._origin}

    def digest(self, picks: Picks) -> str:
        """Of all that the network computes."""
        return network_digest(self._supernet.space, picks)

    def words(self, score: float) -> str:
        """As mIoU or accuracy."""
        return score_of(self._validation.images).words(score)
