"""A search space as plain data: units with candidates, and what all its networks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from devices import WrongUse, unknown_name
from latency import Workload, operator_of, unique
from search.spaces.wiring import ChainWiring, Frame, Wiring


@dataclass(frozen=True)
class Candidate:
    """One choice of a unit: its name, and what it lowers to.

    Attributes:
        name: what the user types.
        workloads: as often as each of them occurs. One in most spaces; several where the candidate is a row of layers,
            or where one pick is used in many places, as an operation is in every cell; none where nothing is computed.
    """

    name: str
    workloads: tuple[Workload, ...]

    @property
    def workload(self) -> Workload:
        """The workload of a candidate that has exactly one.

        Raises:
            WrongUse: it has none or several.
        """
        if len(self.workloads) != 1:
            raise WrongUse(f"{self.name} stands for {len(self.workloads)} workloads, not for one; use `workloads`.")
        return self.workloads[0]


@dataclass(frozen=True)
class Unit:
    """A place in the network where one candidate is picked, or a place in its cells.

    In a chain, all candidates of a unit read and write the same shapes. Units may have different numbers of candidates.
    """

    name: str
    candidates: tuple[Candidate, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the candidates, in index order."""
        return tuple(candidate.name for candidate in self.candidates)


@dataclass(frozen=True)
class Architecture:
    """One pick per unit.

    Attributes:
        space: name of the space it belongs to.
        picks: candidate index for each unit.
    """

    space: str
    picks: tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """A set of networks: stem, units, head and decoder at one input size.

    Attributes:
        name: what the user types.
        input_size: height and width of the input image, in pixels.
        classes: number of classes the decoder tells apart.
        stem: workloads before the first unit.
        units: the units in order.
        head: workloads between the last unit and the decoder.
        tap: index of the unit whose output the decoder reads beside the encoder's; None where it reads one input.
        decoder: the workload of the decoder, or of the classifier, which has one input.
        reference: picks of a hand-made network, which limits in percent refer to.
        wiring: how the parts become a network; in most spaces each reads what the one before it wrote.
    """

    name: str
    input_size: tuple[int, int]
    classes: int
    stem: tuple[Workload, ...]
    units: tuple[Unit, ...]
    head: tuple[Workload, ...]
    tap: int | None
    decoder: Workload
    reference: tuple[int, ...]
    wiring: Wiring = field(default_factory=ChainWiring)

    @property
    def fixed(self) -> tuple[Workload, ...]:
        """Workloads that every network has."""
        return (*self.stem, *self.head, self.decoder)

    @property
    def grid(self) -> tuple[tuple[tuple[Workload, ...], ...], ...]:
        """Workloads of the candidates, ``grid[unit][candidate]``, as often as each occurs."""
        return tuple(tuple(candidate.workloads for candidate in unit.candidates) for unit in self.units)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many candidates each unit has."""
        return tuple(len(unit.candidates) for unit in self.units)

    @cached_property
    def macs(self) -> npt.NDArray[np.float64]:
        """MACs of each candidate, shape (units, most candidates); NaN where a unit has no candidate of that index."""
        counts = np.full((len(self.units), max(self.sizes)), np.nan)
        for unit, row in zip(self.grid, counts, strict=True):
            row[: len(unit)] = [_macs(workloads) for workloads in unit]
        return counts

    @cached_property
    def fixed_macs(self) -> int:
        """MACs of what every network has."""
        return _macs(self.fixed)

    def workloads(self) -> tuple[Workload, ...]:
        """The different workloads of the space: fixed parts first, then candidates."""
        return unique([*self.fixed, *(workload for unit in self.grid for several in unit for workload in several)])

    def architecture(self, names: Sequence[str]) -> Architecture:
        """The architecture with these candidates.

        Args:
            names: a candidate's name for each unit.

        Raises:
            WrongUse: there are too many or too few names, or a unit has no candidate of that name.
        """
        if len(names) != len(self.units):
            raise WrongUse(f"An architecture of {self.name} names {len(self.units)} candidates; got {len(names)}.")
        for unit, name in zip(self.units, names, strict=True):
            if name not in unit.names:
                raise unknown_name(f"candidate of {unit.name}", name, unit.names)
        return Architecture(
            self.name, tuple(unit.names.index(name) for unit, name in zip(self.units, names, strict=True))
        )

    def read(self, text: str) -> Architecture:
        """The architecture that a line names: a candidate for each unit between spaces or '|', or as cells are written.

        Raises:
            WrongUse: it names too many or too few, or a unit has no such candidate.
        """
        return self.architecture(self.wiring.names(text))

    def names(self, architecture: Architecture) -> tuple[str, ...]:
        """The candidate's name in each unit."""
        return tuple(candidate.name for candidate in self._picked(architecture))

    def lower(self, architecture: Architecture) -> tuple[Workload, ...]:
        """The workloads of a network, as often as each occurs: stem, units, head, decoder."""
        picked = (workload for candidate in self._picked(architecture) for workload in candidate.workloads)
        return (*self.stem, *picked, *self.head, self.decoder)

    def network(self, architecture: Architecture) -> Workload:
        """The whole network as one workload, made of what the architecture lowers to."""
        picked = [candidate.workloads for candidate in self._picked(architecture)]
        return self.wiring.network(Frame(self.stem, self.head, self.tap, self.decoder), picked, architecture.picks)

    def _picked(self, architecture: Architecture) -> list[Candidate]:
        if architecture.space != self.name or len(architecture.picks) != len(self.units):
            raise WrongUse(
                f"This architecture belongs to {architecture.space} ({len(architecture.picks)} units), "
                f"not to {self.name} ({len(self.units)} units)."
            )
        for unit, pick in zip(self.units, architecture.picks, strict=True):
            if not 0 <= pick < len(unit.candidates):
                raise WrongUse(f"{unit.name} has {len(unit.candidates)} candidates, counted from 0; got {pick}.")
        return [unit.candidates[pick] for unit, pick in zip(self.units, architecture.picks, strict=True)]


def _macs(workloads: Sequence[Workload]) -> int:
    return sum(operator_of(workload).macs(workload) for workload in workloads)
