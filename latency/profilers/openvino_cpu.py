"""OpenVINO on the processor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, final

from devices import WrongUse
from latency.model_files import input_arrays, onnx_model
from latency.onnx_export import OPSET
from latency.profiler import Missing, ProfilingError
from latency.profilers.wall_clock import WallClockProfiler
from latency.workload import Workload

_DEVICE = "CPU"

_HINTS: Mapping[str, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
"""OpenVINO's names of the precisions that it can be asked for."""

_NO_ARITHMETIC = {"Const", "Input", "Output"}

_MOST_NAMED = 5
"""So many nodes are named in an error."""

_TELEMETRY = "openvino_telemetry"


@final
class OpenVinoProfiler(WallClockProfiler):
    """Times workloads with OpenVINO's CPU plug-in.

    Precision is a hint to OpenVINO: unasked it computes an fp32 model in bf16 where the processor can, and asked for
    what the processor cannot it takes something else. So what it took is read back, and another one is a failure.
    With ``bf16`` the inputs and the output stay float32, and the time includes their conversion.

    One request runs in one stream; its inputs are set before timing and are read where they lie, so that no copy is
    timed. OpenVINO does not tell how much memory a model takes.
    """

    name = "openvino"

    @classmethod
    def missing(cls) -> Missing | None:
        """OpenVINO with its plug-in for the processor."""
        try:
            devices = _openvino().Core().available_devices
        except ImportError:
            return Missing("OpenVINO is not installed", "`pip install 'paceline[openvino]'` brings it.")
        if _DEVICE not in devices:
            return Missing(
                f"OpenVINO must have the device {_DEVICE}; got {', '.join(devices) or 'none'}",
                "`pip install --force-reinstall openvino` brings its plug-in.",
            )
        return None

    def versions(self) -> Mapping[str, str]:
        """OpenVINO, and torch, which exports."""
        return {"openvino": metadata.version("openvino"), "torch": metadata.version("torch")}

    def fixed_options(self) -> Mapping[str, str]:
        """Opset of the files and what the plug-in is told."""
        return {"opset": str(OPSET), "performance_hint": "latency", "streams": "1"}

    @contextmanager
    def load(self, workload: Workload) -> Iterator[Callable[[], None]]:
        """Export ``workload``, compile it and set its inputs."""
        compiled = self.compiled(workload)
        request = compiled.create_infer_request()
        tensor = _openvino().Tensor
        arrays = input_arrays(workload)
        for index, array in enumerate(arrays):
            request.set_input_tensor(index, tensor(array, shared_memory=True))
        yield lambda: request.infer(share_outputs=True)

    def compiled(self, workload: Workload) -> Any:
        """Export ``workload`` and compile it.

        Raises:
            ProfilingError: it cannot be exported or compiled, or would be computed in another precision or by fewer
                threads.
        """
        model, hint = self._exported(workload)
        config = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = _openvino().Core()
        try:
            compiled = core.compile_model(core.read_model(model), _DEVICE, config)
        except (RuntimeError, TypeError) as error:
            raise ProfilingError("load", str(error)) from error
        took = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        refuse_other_precision(took, executed_precisions(compiled), hint)
        self._refuse_other_threads(compiled.get_property("INFERENCE_NUM_THREADS"))
        return compiled

    def _refuse_other_threads(self, took: int) -> None:
        """OpenVINO takes no more threads than there are processors, one for each core, that this process may use."""
        wanted = self.threads
        if took != wanted:
            raise ProfilingError("load", f"the threads must be {wanted}; OpenVINO takes {took}: ask for {took}")

    def _exported(self, workload: Workload) -> tuple[bytes, str]:
        if workload.precision not in _HINTS:
            raise ProfilingError("build", f"{self.name} measures {', '.join(_HINTS)}; got {workload.precision}")
        try:
            return onnx_model(workload), _HINTS[workload.precision]
        except (WrongUse, RuntimeError, ValueError, TypeError) as error:
            raise ProfilingError("build", f"{type(error).__name__}: {error}") from error


def executed_precisions(compiled: Any) -> Mapping[str, str]:
    """The precision in which a compiled model computes each of its nodes, by name of the node."""
    found = {}
    for node in compiled.get_runtime_model().get_ops():
        about = node.get_rt_info()
        if about["layerType"].astype(str) not in _NO_ARITHMETIC:
            found[node.get_friendly_name()] = about["runtimePrecision"].astype(str)
    return found


def refuse_other_precision(took: str, executed: Mapping[str, str], wanted: str) -> None:
    """Refuse a compiled model that does not compute in the precision ``wanted``.

    Nodes of single precision are part of every model: conversions, and what has no kernel in another one.

    Args:
        took: the hint that OpenVINO took.
        executed: precision of each node, see ``executed_precisions``.
        wanted: the hint that it was given.

    Raises:
        ProfilingError: in stage ``load``; it took another hint, or a node computes in a third precision.
    """
    if took != wanted:
        raise ProfilingError("load", f"the precision must be {wanted}; OpenVINO takes {took} on this processor")
    strays = [f"{name} in {p}" for name, p in executed.items() if p in _HINTS.values() and p not in {wanted, "f32"}]
    if strays:
        raise ProfilingError("load", f"every node must be computed in {wanted}; got {', '.join(strays[:_MOST_NAMED])}")


def _openvino() -> Any:
    """OpenVINO without its telemetry, which reports to its maker that it was imported, and files an id for that.

    It does without where the package of that name is not installed, so that is what it is told.
    """
    modules: dict[str, Any] = sys.modules
    if "openvino" in modules or _TELEMETRY in modules:
        return import_module("openvino")
    modules[_TELEMETRY] = None
    try:
        return import_module("openvino")
    finally:
        del modules[_TELEMETRY]
