"""What a workload amounts to on paper: the few sizes that its time depends on, whatever its operator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from latency.operators import operator_of
from latency.workload import PRECISION_BYTES, Workload

Array: TypeAlias = npt.NDArray[np.float64]

AMOUNTS = ("macs", "activation_bytes", "weight_bytes", "layers", "channels_in", "channels_out", "pixels_in", "pixels")
"""Names of the amounts, in the order of the columns of ``amounts``."""

_CACHED = 1 << 17
"""Workloads whose amounts are kept: more than any table has."""


def amounts(workloads: Sequence[Workload]) -> Array:
    """The amounts of each workload, shape (n, 8), all at least 1.

    Columns: multiply-accumulates, bytes of activations read and written, bytes of weights, counted layers, channels of
    the input and of the output, pixels of the largest input and of the
    output, for the whole batch.

    Raises:
        WrongUse: a workload is of an unknown operator, or does not fit it.
    """
    return np.array([_amounts(workload) for workload in workloads], dtype=np.float64).reshape(-1, len(AMOUNTS))


@lru_cache(maxsize=_CACHED)
def _amounts(workload: Workload) -> tuple[float, ...]:
    operator = operator_of(workload)
    output = operator.output(workload)
    pixels_in = max(shape[1] * shape[2] for shape in workload.inputs)
    found = (
        operator.macs(workload),
        operator.activation_bytes(workload),
        operator.parameters(workload) * PRECISION_BYTES[workload.precision],
        len(operator.layers(workload)),
        sum(shape[0] for shape in workload.inputs),
        output[0],
        workload.batch * pixels_in,
        workload.batch * output[1] * output[2],
    )
    return tuple(float(max(amount, 1)) for amount in found)
