"""TensorRT engines of whole networks, as files to be shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from agent.runtimes.tensorrt_engines import TensorRt
from devices import read_timed_device
from latency.onnx_export import export_onnx
from latency.profiler import Missing, ProfilingError
from latency.profilers.tensorrt_native import TensorRtFamilyProfiler, TensorRtProfiler, TensorRtRtxProfiler
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import nn

_KINDS: Sequence[type[TensorRtFamilyProfiler]] = (TensorRtProfiler, TensorRtRtxProfiler)
"""The first one that is here builds."""


@dataclass(frozen=True)
class BuiltEngine:
    """A serialised engine.

    Attributes:
        plan: its bytes. They run on this GPU, or one like it, with this version.
        built_by: runtime and version.
        device: the GPU, in words.
        precision: number format that it may compute in.
    """

    plan: bytes
    built_by: str
    device: str
    precision: str


def missing_for_engine() -> Missing | None:
    """Why no engine can be built on this machine; None where one can. Nothing is built, and no context is made."""
    lacking = [kind.missing() for kind in _KINDS]
    return None if None in lacking else lacking[0]


def build_engine(workload: Workload, module: nn.Module) -> BuiltEngine | Missing:
    """Build an engine for the GPU of this machine, of fixed shape, as one is built to be measured.

    Args:
        workload: the network; its precision is the engine's.
        module: it built, with the weights to ship.

    Returns:
        The engine, or what is missing here and how it gets here.

    Raises:
        ProfilingError: TensorRT is here and cannot build it, in its own words.
    """
    if (lacking := missing_for_engine()) is not None:
        return lacking
    kind = next(kind for kind in _KINDS if kind.missing() is None)
    tensorrt = TensorRt(import_module(kind.module))
    graph = replace(workload, precision=tensorrt.graph_precision(workload.precision))
    try:
        model = export_onnx(graph, module)
    except ValueError as error:
        raise ProfilingError("build", str(error)) from error
    plan = tensorrt.build(model, workload.precision)
    device = read_timed_device(kind.accelerator).describe()
    return BuiltEngine(plan, f"{kind.name} {tensorrt.version}", device, workload.precision)
