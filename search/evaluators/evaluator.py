"""The contract of an evaluator: how good is a network?"""

from __future__ import annotations

import abc
import hashlib
import json
from collections.abc import Mapping
from typing import final

from search.cost import Picks
from search.spaces import Architecture, Space


class Evaluator(abc.ABC):
    """Gives networks of one space a number, larger for better ones.

    The same network gets the same number, so that it has to be evaluated once.

    Attributes:
        name: what the user types.
        meaning: what a score is, in words, with its unit: ``accuracy after 12 epochs on validation images, %``.
    """

    name: str
    meaning: str

    @abc.abstractmethod
    def score(self, picks: Picks) -> float:
        """The score of a network; NaN when it cannot be scored, which excludes it and ends no search.

        Args:
            picks: candidate index for each unit.
        """

    @abc.abstractmethod
    def identity(self) -> Mapping[str, object]:
        """What decides the scores (space, data, recipe, seed), as plain values; scores of another one differ."""

    @abc.abstractmethod
    def digest(self, picks: Picks) -> str:
        """Short text that stands for the network, whatever its picks are called in some later version."""

    def words(self, score: float) -> str:
        """A score for the screen."""
        return f"{score:.4g}"

    @property
    @final
    def key(self) -> str:
        """Short text that stands for name and identity."""
        return digest_of({"name": self.name, **self.identity()})


def space_identity(space: Space) -> dict[str, object]:
    """What tells a space from others, as plain values: name, input size and number of classes."""
    return {"space": space.name, "input_size": list(space.input_size), "classes": space.classes}


def network_digest(space: Space, picks: Picks) -> str:
    """The digest of a network's workload, which covers everything that it computes."""
    return space.network(Architecture(space.name, picks)).digest


def digest_of(values: object) -> str:
    """Sixteen hexadecimal digits of plain values, the same for equal ones."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
