"""ONNX Runtime on the processor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, final

from devices import Device, DeviceState, NotAvailable, WrongUse
from latency.measurement import Environment, Runtime
from latency.onnx_export import OPSET, example_inputs, export_onnx, input_names
from latency.profiler import Profiler, ProfilingError, TimedRun
from latency.workload import Workload

_PROVIDER = "CPUExecutionProvider"


@final
class OrtCpuProfiler(Profiler):
    """Times workloads with ONNX Runtime's CPU provider.

    Inputs and outputs are bound before timing, so that no copy is timed. The session spins while it waits, as it
    does by default; with one thread, also the default here, there is nobody to wait for.

    Args:
        device: the machine this runs on.
        state: reads the machine's state.
        threads: threads inside an operator.

    Raises:
        NotAvailable: onnxruntime is not installed.
        WrongUse: threads is not at least 1.
    """

    name = "onnxruntime-cpu"

    def __init__(self, device: Device, state: Callable[[], DeviceState], threads: int = 1) -> None:
        if threads < 1:
            raise WrongUse(f"A profiler needs at least 1 thread; got {threads}.")
        self._ort = _import_onnxruntime()
        self._state = state
        versions = {"onnxruntime": self._ort.__version__, "torch": metadata.version("torch")}
        options = {"opset": str(OPSET), "graph_optimization": "all", "execution": "sequential"}
        self._environment = Environment(device, Runtime(self.name, versions, threads, options))

    @property
    def environment(self) -> Environment:
        """This machine and this version of ONNX Runtime."""
        return self._environment

    def state(self) -> DeviceState:
        """State of this machine."""
        return self._state()

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """Export ``workload``, load it into a session and bind its inputs and outputs."""
        session = self._session(workload)
        binding = session.io_binding()
        for name, tensor in zip(input_names(workload), example_inputs(workload), strict=True):
            binding.bind_ortvalue_input(name, self._ort.OrtValue.ortvalue_from_numpy(tensor.numpy()))
        binding.bind_output("output")

        def run(calls: int) -> float:
            started = time.perf_counter()
            for _ in range(calls):
                session.run_with_iobinding(binding)
            return time.perf_counter() - started

        yield run

    def _session(self, workload: Workload) -> Any:
        if workload.precision != "fp32":
            raise ProfilingError("build", f"{self.name} measures fp32 so far; got {workload.precision}")
        try:
            model = export_onnx(workload)
        except (WrongUse, RuntimeError, ValueError, TypeError) as error:
            raise ProfilingError("build", f"{type(error).__name__}: {error}") from error
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self._environment.runtime.threads
        options.inter_op_num_threads = 1
        options.execution_mode = self._ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        refusals: tuple[type[Exception], ...] = (*self._status_errors(), RuntimeError, ValueError)
        try:
            return self._ort.InferenceSession(model, options, providers=[_PROVIDER])
        except refusals as error:
            raise ProfilingError("load", str(error)) from error

    def _status_errors(self) -> tuple[type[Exception], ...]:
        """ONNX Runtime's own errors: one class for each status code, each derived from Exception directly."""
        found = vars(self._ort.capi.onnxruntime_pybind11_state).values()
        return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))


def _import_onnxruntime() -> Any:
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError as error:
        raise NotAvailable(
            "ONNX Runtime is not installed. `pip install 'paceline[ort]'` brings it for the processor, "
            "`pip install 'paceline[ort-gpu]'` for an NVIDIA GPU; never both."
        ) from error
    if not hasattr(onnxruntime, "InferenceSession"):
        raise NotAvailable(
            "The package onnxruntime is there but empty, as it is after onnxruntime and onnxruntime-gpu were both "
            "installed and one was removed. `pip install --force-reinstall onnxruntime` mends it."
        )
    return onnxruntime
