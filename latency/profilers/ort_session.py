"""What the profilers share that measure with ONNX Runtime, one for each of its providers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, ClassVar

from agent.runtimes import ort_session
from devices import WrongUse
from latency.model_files import input_arrays, onnx_model
from latency.onnx_export import OPSET, input_names
from latency.profiler import Missing, ProfilingError
from latency.profilers.ort_missing import missing_onnxruntime, ort_errors
from latency.profilers.wall_clock import WallClockProfiler
from latency.workload import Workload


class OrtProfiler(WallClockProfiler):
    """Loads workloads into sessions of one provider, and refuses a session of which any node is elsewhere.

    Inputs and output are bound before timing, where the provider wants them, so that no copy is timed.

    Sessions are those of ``agent.runtimes.ort_session``, as on every device.

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
        return {"opset": str(OPSET), **ort_session.common_options(self.threads)}

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
        model = self._exported(workload)
        try:
            return ort_session.load(model, self.session_options(), self.provider, dict(self.provider_options(workload)))
        except ort_errors() as error:
            raise ProfilingError("load", str(error)) from error

    def session_options(self) -> Any:
        """Threads, optimisations, and the record of where nodes are."""
        return ort_session.session_options(self.threads)

    def bound(self, session: Any, workload: Workload) -> Any:
        """A binding of example inputs and room for the output, all in the provider's memory."""
        inputs = zip(input_names(workload), input_arrays(workload), strict=True)
        return ort_session.bound(session, dict(inputs), self.memory)

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
