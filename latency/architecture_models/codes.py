"""Architectures as rows of numbers: what a model of whole architectures sees of a search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse

Array: TypeAlias = npt.NDArray[np.float64]
Picks: TypeAlias = npt.NDArray[np.integer]


@final
@dataclass(frozen=True, eq=False)
class ArchitectureCodes:
    """What each architecture is made of.

    Attributes:
        values: shape (n, columns): for instance 1 where a unit picked a candidate, or how often a candidate occurs.
        groups: name of the group of each column. Columns of one group are alike before anything is measured, so a
            model may learn from some of them how much the others can matter.
        main: how many leading columns make the plain additive model (the main effects); the others repeat what these
            say in other words, as counts or products, and help where latencies are no plain sums.

    Raises:
        WrongUse: the shapes do not fit together, there is no main column, or a number is not finite.
    """

    values: Array
    groups: tuple[str, ...]
    main: int

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.groups) or not 0 < self.main <= len(self.groups):
            raise WrongUse(
                "Codes of architectures need values of shape (n, columns), one group for each column, and 1 to all of "
                f"the columns as main ones; got {self.values.shape}, {len(self.groups)} groups and {self.main}."
            )
        wrong = np.flatnonzero(~np.isfinite(self.values).all(axis=1))
        if len(wrong):
            raise WrongUse(f"Every code must be finite; rows {_listed(wrong)} are not. Leave them out.")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> ArchitectureCodes:
        """The architectures of these rows."""
        return ArchitectureCodes(self.values[rows], self.groups, self.main)

    @staticmethod
    def of(main: Mapping[str, Array], further: Mapping[str, Array] | None = None) -> ArchitectureCodes:
        """Codes from matrices by group.

        Args:
            main: columns that make the plain additive model, each of shape (n, columns of the group).
            further: the others, likewise.

        Raises:
            WrongUse: there are no main columns, or numbers of rows differ.
        """
        parts = {**main, **(further or {})}
        if not main or len({len(part) for part in parts.values()}) != 1:
            raise WrongUse(
                "Codes need at least one group of main columns, and as many rows in each group; got "
                f"{ {name: part.shape for name, part in parts.items()} }."
            )
        groups = tuple(name for name, part in parts.items() for _ in range(part.shape[1]))
        columns = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts.values()], axis=1)
        return ArchitectureCodes(columns, groups, sum(part.shape[1] for part in main.values()))


def one_hot(picks: Picks, candidates: int) -> Array:
    """1 where a unit picked a candidate, shape (n, units * candidates), units one after the other.

    Args:
        picks: shape (n, units), counted from 0; -1 where the unit is absent, which leaves all of its columns 0.
        candidates: how many there are of each unit.
    """
    return np.asarray(_picked(picks, candidates).reshape(len(picks), -1), dtype=np.float64)


def counts(picks: Picks, candidates: int) -> Array:
    """How many units picked each candidate, shape (n, candidates); arguments as of ``one_hot``."""
    return np.asarray(_picked(picks, candidates).sum(axis=1), dtype=np.float64)


def _picked(picks: Picks, candidates: int) -> npt.NDArray[np.bool_]:
    return np.asarray(picks[:, :, None] == np.arange(candidates))


def _listed(rows: npt.NDArray[np.intp]) -> str:
    return ", ".join(map(str, rows[:8].tolist())) + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")
