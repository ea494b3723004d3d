"""Memory: the largest amount of activations that one block of a network holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from latency import Workload, operator_of
from lut import Lookup
from search.cost import Additive, Array
from search.objective import SpaceCost, barred, by_candidate
from search.spaces import Space


@final
@dataclass(frozen=True)
class PeakMemory(SpaceCost):
    """Bytes of activations in the block that holds most: its inputs and what each of its layers writes.

    Blocks run one after the other, so a network needs what its neediest block needs, not the sum. A runtime that frees
    a block's first layers before its last ones needs less, one that keeps a skipped connection or a tap alive across
    blocks needs more: the figure orders networks, and a device's own reading is the measurement.

    Attributes:
        space: the networks.
        bytes_: of each candidate, shape (units, most candidates); NaN where it failed on the device or there is none.
        fixed_bytes: the most that a block needs that every network has.
    """

    space: Space
    bytes_: Array
    fixed_bytes: float

    name = "memory"
    on = ""

    @staticmethod
    def of(space: Space, lookup: Lookup | None = None) -> PeakMemory:
        """From the shapes of the space; NaN for candidates that failed on the device, where its lookup is given."""
        bytes_ = by_candidate(space, lambda workloads: max(map(_activation_bytes, workloads), default=0))
        return PeakMemory(space, barred(bytes_, lookup), float(max(map(_activation_bytes, space.fixed), default=0)))

    @property
    def by_pick(self) -> Array:
        """Bytes of each candidate."""
        return self.bytes_

    def cost(self, architectures: npt.NDArray[np.integer]) -> Array:
        """Bytes of many networks, shape (n,); see the contract."""
        picked = self.bytes_[np.arange(len(self.bytes_)), architectures]
        # maximum and not nanmax: a network with a candidate that failed has no peak.
        return np.asarray(np.maximum(picked.max(axis=1), self.fixed_bytes))

    def tables(self) -> Sequence[Array]:
        """Bytes of the candidates and of what all networks share."""
        return self.bytes_, np.array([self.fixed_bytes])

    def additive(self, limit: float) -> Additive:
        """A limit on a largest part bars the candidates above it, and the others add nothing."""
        return Additive(np.where(self.bytes_ <= limit, 0.0, np.nan), 0.0, 0.0)


def _activation_bytes(workload: Workload) -> int:
    return operator_of(workload).activation_bytes(workload)
