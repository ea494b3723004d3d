"""From a table to arrays: what each candidate of each unit costs, and what all networks share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
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
    Workload,
    operator_of,
    total,
    unique,
)
from lut.table import Table

Array: TypeAlias = npt.NDArray[np.float64]

Grid: TypeAlias = Sequence[Sequence[Workload | Sequence[Workload]]]
"""What each candidate of each unit lowers to: a workload, or several, as often as each occurs."""

_CHUNK = 8192
"""Architectures summed at a time: their indices and partial sums stay in a core's own cache."""


@dataclass(frozen=True)
class Lookup:
    """Latencies of a grid of workloads, read from a table.

    Attributes:
        mean_s: latency of each candidate, shape (units, most candidates), seconds. NaN where the candidate failed on
            the device, and where the unit has no candidate of that index, so that no network with it compares as
            within any limit.
        deviation_s: standard deviation of each, same shape; NaN where nobody knows, too.
        fixed: latency of what every network shares.
        environment: where the times come from.
        calibration: what whole networks taught of the blocks, where the table was calibrated for all of them. Times
            are then those inside a network; the measurements themselves stay in the table.
        fixed_workloads: what every network shares, as often as it occurs.
        grid: the workloads behind each candidate.
        estimates: what is known of each workload, for those that take time and work on the device.
        alone: the same without the calibration: measured, reported, predicted, or from peak figures.
    """

    mean_s: Array
    deviation_s: Array
    fixed: Estimate
    environment: Environment
    calibration: Calibration | None = None
    fixed_workloads: tuple[Workload, ...] = ()
    grid: tuple[tuple[tuple[Workload, ...], ...], ...] = ()
    estimates: Mapping[Workload, Estimate] = field(default_factory=dict)
    alone: Mapping[Workload, Estimate] = field(default_factory=dict)

    @staticmethod
    def read(
        table: Table,
        grid: Grid,
        fixed: Sequence[Workload],
        *,
        fill_command: str = "profile-device",
        calibrated: bool = True,
    ) -> Lookup:
        """Look up every candidate and the fixed part.

        Args:
            table: rows of one environment.
            grid: ``grid[unit][candidate]``, a workload or several whose times add up. Units may have different numbers
                of candidates.
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
        listed = tuple(tuple(_several(candidate) for candidate in unit) for unit in grid)
        everything = unique([*fixed, *(workload for unit in listed for several in unit for workload in several)])
        _refuse_missing(table, environment, everything, fill_command)
        _refuse_failed(table, environment, fixed)
        known = alone = _estimates(table, environment, everything)
        calibration = table.calibration(environment, known) if calibrated else None
        if calibration is not None:
            known = {w: replace(calibration.entry(w), is_inside=alone[w].is_inside) for w in known}
        costs = known | {workload: NOTHING for workload in everything if operator_of(workload).is_free}
        cells = [[_sum_of(workloads, costs) for workloads in unit] for unit in listed]
        return Lookup(
            mean_s=_padded([[cell.mean_s if cell else np.nan for cell in unit] for unit in cells]),
            deviation_s=_padded([[cell.standard_deviation_s if cell else np.nan for cell in unit] for unit in cells]),
            fixed=total([known.get(workload, NOTHING) for workload in fixed]),
            environment=environment,
            calibration=calibration,
            fixed_workloads=tuple(fixed),
            grid=listed,
            estimates=known,
            alone=alone,
        )

    def estimate(self, architecture: Sequence[int]) -> Estimate:
        """The latency of one architecture: a candidate index for each unit.

        With a calibration, errors hang together as it says. Without one, errors of different measurements are taken
        to be independent; units that share a measurement share its error.

        Raises:
            WrongUse: it is of another space, or a candidate it has failed on the device.
        """
        picks = [int(pick) for pick in architecture]
        self._refuse_unfit(picks)
        picked = [w for unit, pick in zip(self.grid, picks, strict=True) for w in unit[pick]]
        if self.calibration is not None:
            blocks = [*self.fixed_workloads, *picked]
            inside = all(self.alone[workload].is_inside for workload in blocks if workload in self.alone)
            return replace(self.calibration.estimate(blocks), is_inside=inside)
        times = Counter(workload for workload in picked if workload in self.estimates)
        return total([self.fixed, *(self.estimates[workload].times(count) for workload, count in times.items())])

    def _refuse_unfit(self, picks: Sequence[int]) -> None:
        if len(picks) != len(self.mean_s):
            raise WrongUse(
                f"An architecture needs a candidate for each of the {len(self.mean_s)} units that were looked up; got "
                f"{len(picks)}. Look up the space that it belongs to."
            )
        for number, (unit, pick) in enumerate(zip(self.grid, picks, strict=True)):
            if not 0 <= pick < len(unit):
                raise WrongUse(
                    f"Unit {number} has {len(unit)} candidates, counted from 0; got {pick}. "
                    "Look up the space that the architecture belongs to."
                )
            if np.isnan(self.mean_s[number, pick]):
                raise WrongUse(
                    f"Unit {number} has a candidate that failed on the device. "
                    "Measure it again with `profile-device --again failed`, or pick another."
                )

    def upper_s(self, confidence: float) -> tuple[Array, float]:
        """Upper bounds on the latency of each candidate and of what all networks share.

        A network is below the sum of its bounds with that probability or more, however errors of its parts hang
        together, as far as errors are normal: the standard deviation of a sum is at most the sum of the standard
        deviations. It is a careful bound where they are independent. Predicted times, and those from peak figures, have
        errors that are normal on a logarithmic scale, and bounds to match. A calibration's misfit, which belongs to
        networks, is shared out.

        Args:
            confidence: the probability, from 0.5 to below 1.

        Returns:
            Shape (units, most candidates), NaN as in ``mean_s``, and the shared part; seconds.

        Raises:
            WrongUse: of a time that was reported by somebody else it is not known how sure it is.
        """
        if not 0.5 <= confidence < 1:
            raise WrongUse(f"A confidence is at least 50 % and less than 100 %; got {confidence:.4g}.")
        unsure = [workload for workload, known in self.estimates.items() if math.isnan(known.standard_deviation_s)]
        if unsure:
            raise WrongUse(
                f"{len(unsure)} of {len(self.estimates)} times were reported without saying how sure they are, "
                f"{unsure[0].describe()} for one, so nothing can be said with confidence. Search without it, or "
                "measure them with `profile-device`."
            )
        margin = NormalDist().inv_cdf(confidence)
        scale = 1.0 if self.calibration is None else 1.0 + margin * self.calibration.misfit
        bounds = {workload: scale * _upper_s(known, margin) for workload, known in self.estimates.items()}

        def bound(workloads: Sequence[Workload]) -> float:
            return sum(bounds.get(workload, 0.0) for workload in workloads)

        upper_s = _padded([[bound(workloads) for workloads in unit] for unit in self.grid])
        return np.where(np.isnan(self.mean_s), np.nan, upper_s), bound(self.fixed_workloads)


def _several(candidate: Workload | Sequence[Workload]) -> tuple[Workload, ...]:
    return (candidate,) if isinstance(candidate, Workload) else tuple(candidate)


def _sum_of(workloads: Sequence[Workload], costs: Mapping[Workload, Estimate]) -> Estimate | None:
    """What they take together, the same one with the same error each time; None if one failed on the device."""
    if any(workload not in costs for workload in workloads):
        return None
    if len(workloads) == 1:
        return costs[workloads[0]]
    return total([costs[workload].times(count) for workload, count in Counter(workloads).items()])


def _padded(rows: Sequence[Sequence[float]]) -> Array:
    """Rows of different lengths as one array, NaN where a row has ended."""
    longest = max(map(len, rows), default=0)
    return np.array([[*row, *[np.nan] * (longest - len(row))] for row in rows], dtype=np.float64)


def _upper_s(known: Estimate, margin: float) -> float:
    """What a time is below with the probability that so many standard deviations stand for, in seconds."""
    if known.source in ("predicted", "roofline") and known.mean_s > 0:
        return known.mean_s * math.exp(margin * known.standard_deviation_s / known.mean_s)
    return known.mean_s + margin * known.standard_deviation_s


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


def measurable(workloads: Sequence[Workload]) -> tuple[Workload, ...]:
    """The different workloads that take any time: those whose operator leaves a trace in a network."""
    return tuple(workload for workload in unique(workloads) if not operator_of(workload).is_free)


def misfit(workload: Workload) -> str:
    """Why no operator takes this workload; empty when one does."""
    try:
        operator_of(workload)
    except WrongUse as error:
        return str(error).partition(" Known: ")[0]
    return ""


def _estimates(table: Table, environment: Environment, workloads: Sequence[Workload]) -> dict[Workload, Estimate]:
    """What is known of the workloads that take time and did not fail."""
    known = ((workload, table.estimate(workload, environment)) for workload in measurable(workloads))
    return {workload: estimate for workload, estimate in known if estimate is not None}


def _refuse_failed(table: Table, environment: Environment, fixed: Sequence[Workload]) -> None:
    for workload in fixed:
        outcome = table.outcome(workload, environment)
        if isinstance(outcome, Failure):
            raise WrongUse(
                f"{workload.describe()} is part of every network and failed: {outcome.reason}. "
                "Mend the cause, and measure it again with `profile-device --again failed`."
            )


def _refuse_missing(table: Table, environment: Environment, workloads: Sequence[Workload], fill_command: str) -> None:
    missing = [w for w in measurable(workloads) if not table.is_known(w, environment)]
    if missing:
        raise WrongUse(
            f"The table lacks {len(missing)} of {len(measurable(workloads))} entries, {missing[0].describe()} for one. "
            f"This command fills them: {fill_command}"
        )
