"""How the picked candidates of a space become one network."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, final

from latency import NetworkGraph, Workload, chain_workload, network_workload

Picked = Sequence[tuple[Workload, ...]]
"""What the picked candidate of each unit lowers to."""

Signal = TypeVar("Signal")
"""What flows from part to part: the number of a node while a graph is laid out, a tensor while a network computes."""


@dataclass(frozen=True)
class Frame:
    """What all networks of a space share; see the attributes of ``Space`` of the same names."""

    stem: tuple[Workload, ...]
    head: tuple[Workload, ...]
    tap: int | None
    decoder: Workload


class Parts(abc.ABC, Generic[Signal]):
    """What a wiring connects. The same wiring lays out one network and runs all of them at once.

    Attributes:
        frame: what all networks share.
        units: how many units there are.
    """

    frame: Frame
    units: int

    @abc.abstractmethod
    def stem(self, read: Signal) -> Signal:
        """All layers before the first unit, one after another."""

    @abc.abstractmethod
    def head(self, index: int, read: Signal) -> Signal:
        """One of the layers between the last unit and the decoder."""

    @abc.abstractmethod
    def decoder(self, *reads: Signal) -> Signal:
        """The decoder, or the classifier."""

    @abc.abstractmethod
    def row(self, unit: int, read: Signal) -> Signal:
        """The candidate of a unit with all its workloads one after another; one of none passes on what it reads."""

    @abc.abstractmethod
    def place(self, unit: int, place: int, read: Callable[[int], Signal]) -> Signal | None:
        """The candidate of a unit at one of the places where it is used, which has a workload of its own for each.

        Args:
            unit: index of the unit.
            place: index of the workload.
            read: what a candidate reads, by its index.

        Returns:
            What it writes; None where it has no workload, so that nothing arrives.
        """

    @abc.abstractmethod
    def total(self, arriving: Sequence[Signal | None], like: Signal) -> Signal:
        """The sum of what arrives; zeros in the shape of ``like`` where nothing does."""

    @abc.abstractmethod
    def concatenated(self, reads: Sequence[Signal]) -> Signal:
        """One after another along the channels."""


class Wiring(abc.ABC):
    """Which part of a network reads what others wrote. A wiring is plain data: equal ones wire alike.

    ``wire`` says it once, for single networks and for a supernet of all.
    """

    @abc.abstractmethod
    def wire(self, parts: Parts[Signal], image: Signal) -> Signal:
        """Connect the parts, from the image to what the decoder writes.

        Args:
            parts: what is connected; each is used once, and the candidate of a unit once at each place.
            image: what the network reads.
        """

    def network(self, frame: Frame, picked: Picked, picks: tuple[int, ...]) -> Workload:
        """The whole network as one workload, made of the parts of ``frame`` and of ``picked``, and of nothing else.

        Args:
            frame: what all networks share.
            picked: the workloads of the candidate that each unit picked.
            picks: the indices of these candidates, for wirings that depend on them.
        """
        # In every wiring so far what comes first reads the image.
        first = next(row[0] for row in (frame.stem, *picked, frame.head, (frame.decoder,)) if row)
        graph = NetworkGraph(first.inputs[0])
        self.wire(_Layout(graph, frame, picked, picks), 0)
        return graph.workload()

    def names(self, text: str) -> tuple[str, ...]:
        """The candidates that ``text`` names, one for each unit: between spaces or '|'."""
        return tuple(text.replace("|", " ").split())


@final
class _Layout(Parts[int]):
    """The parts of one network as nodes of a graph."""

    def __init__(self, graph: NetworkGraph, frame: Frame, picked: Picked, picks: tuple[int, ...]) -> None:
        self.frame, self.units = frame, len(picked)
        self._graph, self._picked, self._picks = graph, picked, picks

    def stem(self, read: int) -> int:
        return self._added(self.frame.stem, read)

    def head(self, index: int, read: int) -> int:
        return self._graph.add(self.frame.head[index], read)

    def decoder(self, *reads: int) -> int:
        return self._graph.add(self.frame.decoder, *reads)

    def row(self, unit: int, read: int) -> int:
        return self._added(self._picked[unit], read)

    def place(self, unit: int, place: int, read: Callable[[int], int]) -> int | None:
        workloads = self._picked[unit]
        return self._graph.add(workloads[place], read(self._picks[unit])) if workloads else None

    def total(self, arriving: Sequence[int | None], like: int) -> int:
        nodes = [node for node in arriving if node is not None]
        return self._graph.join("sum", *nodes) if nodes else self._graph.join("zeros", like)

    def concatenated(self, reads: Sequence[int]) -> int:
        return self._graph.join("concatenate", *reads)

    def _added(self, layers: Sequence[Workload], read: int) -> int:
        for layer in layers:
            read = self._graph.add(layer, read)
        return read


@final
@dataclass(frozen=True)
class ChainWiring(Wiring):
    """Each part reads what the one before it wrote; the decoder may read one unit's output beside the last.

    A candidate of several workloads is a row of layers, and one of none passes on what it reads.
    """

    def wire(self, parts: Parts[Signal], image: Signal) -> Signal:
        """Stem, units, head, decoder in a row."""
        last = tapped = parts.stem(image)
        for unit in range(parts.units):
            last = parts.row(unit, last)
            tapped = last if unit == parts.frame.tap else tapped
        for layer in range(len(parts.frame.head)):
            last = parts.head(layer, last)
        return parts.decoder(last) if parts.frame.tap is None else parts.decoder(last, tapped)

    def network(self, frame: Frame, picked: Picked, picks: tuple[int, ...]) -> Workload:
        """Stem, units, head, decoder in a row; with a tap as an operator of its own, which tables have had for long."""
        encoder = [*frame.stem, *(workload for workloads in picked for workload in workloads), *frame.head]
        if frame.tap is None:
            return chain_workload([*encoder, frame.decoder])
        tapped = len(frame.stem) + sum(len(workloads) for workloads in picked[: frame.tap + 1]) - 1
        return network_workload(encoder, tapped, frame.decoder)
