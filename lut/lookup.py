"""From a table to arrays: what each candidate of each unit costs, and what all networks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency import (
    NOTHING,
    Calibration,
    Environment,
    Estimate,
    Failure,
    Measurement,
    Workload,
    operator_of,
    total,
    unique,
)
from lut.table import Table

Array: TypeAlias = npt.NDArray[np.float64]

_CHUNK = 8192
"""Architectures summed at a time: their indices and partial sums stay in a core's own cache."""


@dataclass(frozen=True)
class Lookup:
    """Latencies of a grid of workloads, read from a table.

    Attributes:
        mean_s: latency of each candidate, shape (units, candidates), seconds. NaN where the candidate failed on the
            device, so that no network with it compares as within any limit.
        deviation_s: standard deviation of each, same shape.
        cells: number of the workload behind each candidate, same shape. Equal workloads share one measurement and so
            one error.
        fixed: latency of what every network shares.
        environment: where the times come from.
        calibration: what whole networks taught of the blocks, where the table was calibrated for all of them. Times
            are then those inside a network; the measurements themselves stay in the table.
        fixed_workloads: what every network shares, as often as it occurs.
        grid: the workload behind each candidate.
    """

    mean_s: Array
    deviation_s: Array
    cells: npt.NDArray[np.intp]
    fixed: Estimate
    environment: Environment
    calibration: Calibration | None = None
    fixed_workloads: tuple[Workload, ...] = ()
    grid: tuple[tuple[Workload, ...], ...] = ()

    @staticmethod
    def read(
        table: Table,
        grid: Sequence[Sequence[Workload]],
        fixed: Sequence[Workload],
        *,
        fill_command: str = "profile-device",
        calibrated: bool = True,
    ) -> Lookup:
        """Look up every candidate and the fixed part.

        Args:
            table: rows of one environment.
            grid: ``grid[unit][candidate]``; all units have equally many candidates.
            fixed: workloads that every network has.
            fill_command: the command that measures what is missing, for the message.
            calibrated: use the table's calibration where it has one for all of these; the plain measurements if not.

        Raises:
            WrongUse: rows are missing, with the command that fills them; the table mixes environments; or a
                workload of the fixed part failed on the device.
        """
        if not table.environments():
            raise WrongUse(f"The table has no rows yet. This command fills it: {fill_command}")
        environment = table.environment()
        _refuse_missing(table, environment, [*fixed, *(workload for unit in grid for workload in unit)], fill_command)
        _refuse_failed(table, environment, fixed)
        everything = [*fixed, *(workload for unit in grid for workload in unit)]
        working = [w for w in measurable(everything) if isinstance(table.outcome(w, environment), Measurement)]
        calibration = table.calibration(environment, working) if calibrated else None

        def cost(workload: Workload) -> Estimate | None:
            known = _estimate(table, workload, environment)
            return known if calibration is None or known in (None, NOTHING) else calibration.entry(workload)

        cells = [[cost(workload) for workload in unit] for unit in grid]
        return Lookup(
            mean_s=np.array([[np.nan if cell is None else cell.mean_s for cell in unit] for unit in cells]),
            deviation_s=np.array(
                [[np.nan if cell is None else cell.standard_deviation_s for cell in unit] for unit in cells]
            ),
            cells=_numbered(grid),
            fixed=total([cost(workload) or NOTHING for workload in fixed]),
            environment=environment,
            calibration=calibration,
            fixed_workloads=tuple(fixed),
            grid=tuple(tuple(unit) for unit in grid),
        )

    def estimate(self, architecture: Sequence[int]) -> Estimate:
        """The latency of one architecture: a candidate index for each unit.

        With a calibration, errors hang together as it says. Without one, errors of different measurements are taken
        to be independent; units that share a measurement share its error.

        Raises:
            WrongUse: it is of another space, or a candidate it has failed on the device.
        """
        picks = np.asarray(architecture)
        if len(picks) != len(self.mean_s):
            raise WrongUse(
                f"An architecture needs a candidate for each of the {len(self.mean_s)} units that were looked up; got "
                f"{len(picks)}. Look up the space that it belongs to."
            )
        units = np.arange(len(picks))
        means, deviations = self.mean_s[units, picks], self.deviation_s[units, picks]
        if np.isnan(means).any():
            raise WrongUse(
                f"Unit {int(np.flatnonzero(np.isnan(means))[0])} has a candidate that failed on the device. "
                "Measure it again with `profile-device --again failed`, or pick another."
            )
        if self.calibration is not None:
            picked = [workloads[pick] for workloads, pick in zip(self.grid, picks, strict=True)]
            return self.calibration.estimate([*self.fixed_workloads, *picked])
        measurements, times = np.unique(self.cells[units, picks], return_inverse=True)
        sums = [(float(means[times == i].sum()), float(deviations[times == i].sum())) for i in range(len(measurements))]
        return total([self.fixed, *(Estimate(mean_s, deviation_s) for mean_s, deviation_s in sums)])


def sum_of_picks(costs: Array, fixed: float, architectures: npt.NDArray[np.integer]) -> Array:
    """Cost of many architectures at once: fixed part plus the cost of each unit's pick.

    Args:
        costs: shape (units, candidates).
        fixed: added to every sum.
        architectures: candidate indices, shape (n, units).

    Returns:
        Sums, shape (n,), in the unit of ``costs``.
    """
    sums = np.full(len(architectures), fixed, dtype=np.float64)
    for start in range(0, len(architectures), _CHUNK):
        by_unit = architectures[start : start + _CHUNK].T.astype(np.intp)
        part = sums[start : start + _CHUNK]
        for unit_costs, picks in zip(costs, by_unit, strict=True):
            part += unit_costs.take(picks)
    return sums


def _numbered(grid: Sequence[Sequence[Workload]]) -> npt.NDArray[np.intp]:
    """A number for each cell, equal where the workloads are."""
    numbers = {workload: number for number, workload in enumerate(unique(w for unit in grid for w in unit))}
    return np.array([[numbers[workload] for workload in unit] for unit in grid], dtype=np.intp)


def measurable(workloads: Sequence[Workload]) -> tuple[Workload, ...]:
    """The different workloads that take any time: those whose operator leaves a trace in a network."""
    return tuple(workload for workload in unique(workloads) if not operator_of(workload).is_free)


def _estimate(table: Table, workload: Workload, environment: Environment) -> Estimate | None:
    """The latency of ``workload``; None when it failed. It is in the table: ``_refuse_missing`` has looked."""
    if operator_of(workload).is_free:
        return NOTHING
    outcome = table.outcome(workload, environment)
    return None if outcome is None or isinstance(outcome, Failure) else outcome.estimate()


def _refuse_failed(table: Table, environment: Environment, fixed: Sequence[Workload]) -> None:
    for workload in fixed:
        outcome = table.outcome(workload, environment)
        if isinstance(outcome, Failure):
            raise WrongUse(
                f"{workload.describe()} is part of every network and failed: {outcome.reason}. "
                "Mend the cause, and measure it again with `profile-device --again failed`."
            )


def _refuse_missing(table: Table, environment: Environment, workloads: list[Workload], fill_command: str) -> None:
    missing = [workload for workload in measurable(workloads) if table.outcome(workload, environment) is None]
    if missing:
        raise WrongUse(
            f"The table lacks {len(missing)} of {len(measurable(workloads))} entries, {missing[0].describe()} for one. "
            f"This command fills them: {fill_command}"
        )
