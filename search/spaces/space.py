"""A search space as plain data: units with candidates, and what all its networks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from devices import WrongUse, unknown_name
from latency import Workload, network_workload, operator_of, unique


@dataclass(frozen=True)
class Candidate:
    """One choice of a unit: its name, and the workload it lowers to."""

    name: str
    workload: Workload


@dataclass(frozen=True)
class Unit:
    """A place in the network where one candidate is picked. All candidates read and write the same shapes."""

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
        tap: index of the unit whose output the decoder reads beside the encoder's.
        decoder: the workload of the decoder.
        reference: picks of a hand-made network, which limits in percent refer to.
    """

    name: str
    input_size: tuple[int, int]
    classes: int
    stem: tuple[Workload, ...]
    units: tuple[Unit, ...]
    head: tuple[Workload, ...]
    tap: int
    decoder: Workload
    reference: tuple[int, ...]

    @property
    def fixed(self) -> tuple[Workload, ...]:
        """Workloads that every network has."""
        return (*self.stem, *self.head, self.decoder)

    @property
    def grid(self) -> tuple[tuple[Workload, ...], ...]:
        """Workloads of the candidates, ``grid[unit][candidate]``."""
        return tuple(tuple(candidate.workload for candidate in unit.candidates) for unit in self.units)

    @cached_property
    def macs(self) -> npt.NDArray[np.int64]:
        """MACs of each candidate, shape (units, candidates)."""
        return np.array([[operator_of(workload).macs(workload) for workload in unit] for unit in self.grid])

    @cached_property
    def fixed_macs(self) -> int:
        """MACs of what every network has."""
        return sum(operator_of(workload).macs(workload) for workload in self.fixed)

    def workloads(self) -> tuple[Workload, ...]:
        """The different workloads of the space: fixed parts first, then candidates."""
        return unique([*self.fixed, *(workload for unit in self.grid for workload in unit)])

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

    def names(self, architecture: Architecture) -> tuple[str, ...]:
        """The candidate's name in each unit."""
        return tuple(candidate.name for candidate in self._picked(architecture))

    def lower(self, architecture: Architecture) -> tuple[Workload, ...]:
        """The workloads of a network in order: stem, units, head, decoder."""
        picked = tuple(candidate.workload for candidate in self._picked(architecture))
        return (*self.stem, *picked, *self.head, self.decoder)

    def network(self, architecture: Architecture) -> Workload:
        """The whole network as one workload."""
        *encoder, decoder = self.lower(architecture)
        return network_workload(encoder, len(self.stem) + self.tap, decoder)

    def _picked(self, architecture: Architecture) -> list[Candidate]:
        if architecture.space != self.name or len(architecture.picks) != len(self.units):
            raise WrongUse(
                f"This architecture belongs to {architecture.space} ({len(architecture.picks)} units), "
                f"not to {self.name} ({len(self.units)} units)."
            )
        return [unit.candidates[pick] for unit, pick in zip(self.units, architecture.picks, strict=True)]
