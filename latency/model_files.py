"""ONNX models of workloads, exported once for all processes of a fill.

Several fresh processes measure the same workloads, and exporting takes as long as measuring, most of all in a process
that has to import torch for it. The folder belongs to one fill and goes with it: there is nothing that could be stale.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latency.onnx_export import export_onnx
from latency.workload import Workload

FOLDER_VARIABLE = "PACELINE_MODELS"
"""Environment variable that names the folder to a process that measures."""

_SEED = 0


def onnx_model(workload: Workload) -> bytes:
    """What ``export_onnx`` gives for ``workload``, from the folder where it is there.

    Raises:
        WrongUse: there is no such operator, or it does not take what the workload has.
        ValueError: the model has no form in the workload's precision.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return export_onnx(workload)
    file = Path(folder) / f"{workload.digest}.onnx"
    if not file.exists():
        # Whole or not there: the process may be killed in between.
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(export_onnx(workload))
        unfinished.replace(file)
    return file.read_bytes()


def input_arrays(workload: Workload) -> tuple[npt.NDArray[np.float32 | np.float16], ...]:
    """Standard normal numbers for the inputs of that model, each (batch, channels, height, width).

    They are float16 where the precision is ``fp16``, and float32 otherwise. Times do not depend on them, as long as
    they are neither zero nor denormal.
    """
    random = np.random.default_rng(_SEED)
    kind = np.float16 if workload.precision == "fp16" else np.float32
    shapes = [(workload.batch, *shape) for shape in workload.inputs]
    return tuple(random.standard_normal(shape, dtype=np.float32).astype(kind) for shape in shapes)
