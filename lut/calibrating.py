"""From the rows of a table to a calibration: which are blocks, and which are networks made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from latency import (
    Calibration,
    Environment,
    Estimate,
    Measurement,
    WholeNetwork,
    Workload,
    calibrate,
    is_network,
    operator_of,
    parts,
)
from lut.lookup import misfit
from lut.table import Table


def blocks_of(table: Table, environment: Environment) -> Mapping[Workload, Estimate]:
    """What each block takes by itself in ``environment``: measured, or else predicted or reported.

    A report that does not say how sure it is cannot be weighed against what networks say, and is left out.
    """
    blocks = {row.workload: row.estimate for row in table.unmeasured() if row.environment.digest == environment.digest}
    blocks |= {m.workload: m.estimate() for m in _measurements(table, environment)}
    blocks = {workload: known for workload, known in blocks.items() if not misfit(workload)}
    return {w: known for w, known in blocks.items() if not (is_network(w) or math.isnan(known.standard_deviation_s))}


def networks_of(table: Table, environment: Environment) -> Sequence[WholeNetwork]:
    """The networks measured whole in ``environment`` whose parts all are known there, too."""
    blocks = blocks_of(table, environment)
    found = []
    for measurement in _measurements(table, environment):
        if is_network(measurement.workload):
            timed = tuple(part for part in parts(measurement.workload) if not operator_of(part).is_free)
            if all(part in blocks for part in timed):
                estimate = measurement.estimate()
                found.append(WholeNetwork(timed, estimate.mean_s, estimate.standard_deviation_s))
    return found


def calibrated(table: Table, environment: Environment) -> Calibration:
    """What the whole networks of ``table`` teach of its blocks.

    Raises:
        WrongUse: there are too few of them.
    """
    return calibrate(blocks_of(table, environment), networks_of(table, environment))


def _measurements(table: Table, environment: Environment) -> list[Measurement]:
    return [
        outcome
        for key, outcome in table.items()
        if key.environment == environment.digest and isinstance(outcome, Measurement)
    ]
