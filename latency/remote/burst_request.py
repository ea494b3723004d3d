"""What an agent is asked to measure, in its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from latency.onnx_export import input_names
from latency.profiler import ProfilingError
from latency.remote.models import ExportedModels, ModelFile
from latency.sampling import SamplingPlan
from latency.workload import Workload


@dataclass(frozen=True)
class RemoteModel:
    """A workload as the agent knows it.

    Attributes:
        file: its ONNX file.
        precision: number format that is measured, which need not be that of the graph.
        inputs: name, shape and type of each input of the graph.
    """

    file: ModelFile
    precision: str
    inputs: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, workload: Workload, graph_precisions: Mapping[str, str], models: ExportedModels) -> Self:
        """Export a workload.

        Args:
            workload: what to export.
            graph_precisions: the precisions that are measured, each with the one that the graph must have.
            models: where the file is kept.

        Raises:
            ProfilingError: it cannot be exported, or its precision is not among those.
        """
        if workload.precision not in graph_precisions:
            known = ", ".join(sorted(graph_precisions)) or "nothing"
            raise ProfilingError("build", f"the runtime measures {known} on this device; got {workload.precision}")
        graph = replace(workload, precision=graph_precisions[workload.precision])
        kind = "float16" if graph.precision == "fp16" else "float32"
        shapes = ([graph.batch, *shape] for shape in graph.inputs)
        named = zip(input_names(graph), shapes, strict=True)
        inputs = tuple({"name": name, "shape": shape, "type": kind} for name, shape in named)
        return cls(models.of(graph), workload.precision, inputs)

    def to_json(self) -> dict[str, Any]:
        """It as plain values."""
        return {"digest": self.file.digest, "precision": self.precision, "inputs": list(self.inputs)}


@dataclass(frozen=True)
class BurstRequest:
    """One burst.

    Attributes:
        token: its name: asked for once more, it is not measured once more.
        model: what to time.
        plan: how.
        sentinel: what to look at between samples; None for nothing.
        usual_s: what that takes when nothing disturbs the device; None where nobody knows.
    """

    token: str
    model: RemoteModel
    plan: SamplingPlan
    sentinel: RemoteModel | None
    usual_s: float | None

    def files(self) -> tuple[ModelFile, ...]:
        """The files that the device needs for it."""
        return tuple(model.file for model in (self.model, self.sentinel) if model is not None)

    def to_json(self) -> dict[str, Any]:
        """It as the fields of ``measure`` of ``agent.protocol``."""
        beside = None if self.sentinel is None else {"model": self.sentinel.to_json(), "usual_s": self.usual_s}
        return {"token": self.token, "model": self.model.to_json(), "plan": self.plan.to_json(), "sentinel": beside}
