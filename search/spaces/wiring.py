"""How the picked candidates of a space become one network."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from latency import Workload, chain_workload, network_workload

Picked = Sequence[tuple[Workload, ...]]
"""What the picked candidate of each unit lowers to."""


@dataclass(frozen=True)
class Frame:
    """What all networks of a space share; see the attributes of ``Space`` of the same names."""

    stem: tuple[Workload, ...]
    head: tuple[Workload, ...]
    tap: int | None
    decoder: Workload


class Wiring(abc.ABC):
    """Which part of a network reads what others wrote. A wiring is plain data: equal ones wire alike."""

    @abc.abstractmethod
    def network(self, frame: Frame, picked: Picked, picks: tuple[int, ...]) -> Workload:
        """The whole network as one workload, made of the parts of ``frame`` and of ``picked``, and of nothing else.

        Args:
            frame: what all networks share.
            picked: the workloads of the candidate that each unit picked.
            picks: the indices of these candidates, for wirings that depend on them.
        """

    def names(self, text: str) -> tuple[str, ...]:
        """The candidates that ``text`` names, one for each unit: between spaces or '|'."""
        return tuple(text.replace("|", " ").split())


@final
@dataclass(frozen=True)
class ChainWiring(Wiring):
    """Each part reads what the one before it wrote; the decoder may read one unit's output beside the last.

    A candidate of several workloads is a row of layers, and one of none passes on what it reads.
    """

    def network(self, frame: Frame, picked: Picked, picks: tuple[int, ...]) -> Workload:
        """Stem, units, head, decoder in a row."""
        encoder = [*frame.stem, *(workload for workloads in picked for workload in workloads), *frame.head]
        if frame.tap is None:
            return chain_workload([*encoder, frame.decoder])
        tapped = len(frame.stem) + sum(len(workloads) for workloads in picked[: frame.tap + 1]) - 1
        return network_workload(encoder, tapped, frame.decoder)
