"""What the profilers share that measure with ONNX Runtime, one for each of its providers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, ClassVar

from devices import WrongUse
from latency.model_files import input_arrays, onnx_model
from latency.onnx_export import OPSET, input_names
from latency.profiler import Missing, ProfilingError
from latency.profilers.ort_missing import missing_onnxruntime, ort_errors
from latency.profilers.ort_placement import RECORD_PLACEMENT, placements, refuse_elsewhere
from latency.profilers.wall_clock import WallClockProfiler
from latency.workload import Workload

_STOP_SPINNING = "session.force_spinning_stop"


class OrtProfiler(WallClockProfiler):
    """Loads workloads into sessions of one provider, and refuses a session of which any node is elsewhere.

    Inputs and output are bound before timing, where the provider wants them, so that no copy is timed.

    With several threads, those of a session wait for work by spinning while it runs and sleep between runs. Unasked
    they would spin on for up to a second, and those of the sentinel's session would then compete for the cores with
    those of the session that is timed. The price is that each run wakes its threads once.

    The most memory of a call is not among the costs. ONNX Runtime's Python interface has it only in the files of a
    profiled session, and there without the weights.
    """

    provider: ClassVar[str]
    """ONNX Runtime's name of the provider."""

    extra: ClassVar[str]
    """The extra of this project that brings it."""

    memory: ClassVar[str] = "cpu"
    """ONNX Runtime's name of the memory in which inputs and output lie."""

    precisions: ClassVar[Mapping[str, str]] = {"fp32": ""}
    """Precisions that it measures, and where there are others that it could, why it does not."""

    @classmethod
    def missing(cls) -> Missing | None:
        """ONNX Runtime with the provider."""
        return missing_onnxruntime(cls.provider, extra=cls.extra)

    def versions(self) -> Mapping[str, str]:
        """ONNX Runtime, and torch, which exports."""
        return {"onnxruntime": import_module("onnxruntime").__version__, "torch": metadata.version("torch")}

    def fixed_options(self) -> Mapping[str, str]:
        """Opset of the files and what the session is told."""
        always = {"opset": str(OPSET), "graph_optimization": "all", "execution": "sequential"}
        return {**always, "spinning": "within a run"} if self.threads > 1 else always

    @abc.abstractmethod
    def provider_options(self, workload: Workload) -> Mapping[str, str]:
        """What the provider is told for this workload."""

    @contextmanager
    def load(self, workload: Workload) -> Iterator[Callable[[], None]]:
        """A call that is done when it returns."""
        session = self.session(workload)
        binding = self.bound(session, workload)
        yield lambda: session.run_with_iobinding(binding)

    def session(self, workload: Workload) -> Any:
        """Export ``workload`` and load it into a session that has all nodes where they are wanted.

        Raises:
            ProfilingError: it cannot be exported or loaded, or a node is elsewhere.
        """
        onnxruntime = import_module("onnxruntime")
        model = self._exported(workload)
        provider = (self.provider, dict(self.provider_options(workload)))
        try:
            # Its own fall-back would create the session with other providers, and print that it did.
            session = onnxruntime.InferenceSession(
                model, self.session_options(), providers=[provider], enable_fallback=0
            )
        except ort_errors() as error:
            raise ProfilingError("load", str(error)) from error
        refuse_elsewhere(session.get_providers(), placements(session), self.provider)
        return session

    def session_options(self) -> Any:
        """Threads, optimisations, and the record of where nodes are."""
        onnxruntime = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry(RECORD_PLACEMENT, "1")
        if self.threads > 1:
            options.add_session_config_entry(_STOP_SPINNING, "1")
        return options

    def bound(self, session: Any, workload: Workload) -> Any:
        """A binding of example inputs and room for the output, all in the provider's memory."""
        value_of = import_module("onnxruntime").OrtValue
        binding = session.io_binding()
        inputs = input_arrays(workload)
        for name, array in zip(input_names(workload), inputs, strict=True):
            binding.bind_ortvalue_input(name, value_of.ortvalue_from_numpy(array, self.memory, 0))
        (output,) = session.get_outputs()
        room = value_of.ortvalue_from_shape_and_type(output.shape, inputs[0].dtype, self.memory, 0)
        binding.bind_ortvalue_output(output.name, room)
        return binding

    def _exported(self, workload: Workload) -> bytes:
        if self.precisions.get(workload.precision):
            raise ProfilingError("build", self.precisions[workload.precision])
        if workload.precision not in self.precisions:
            known = ", ".join(name for name, reason in self.precisions.items() if not reason)
            raise ProfilingError("build", f"{self.name} measures {known}; got {workload.precision}")
        try:
            return onnx_model(workload)
        except (WrongUse, RuntimeError, ValueError, TypeError) as error:
            raise ProfilingError("build", f"{type(error).__name__}: {error}") from error
