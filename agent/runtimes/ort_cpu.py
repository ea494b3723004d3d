"""ONNX Runtime on the processor."""

from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Optional

from agent.loop import ProfilingError, TimedRun, profiling_errors
from agent.runtimes.ort_session import (
    LEAST_VERSION,
    PROCESSOR,
    bound,
    common_options,
    installed,
    load,
    normal_arrays,
    session_options,
    version,
)
from agent.runtimes.runtime import Missing, Model, Runtime
from agent.runtimes.wall_clock import lost_cores, timed_calls

_REMEDY = "`python3 -m pip install --user onnxruntime` brings it for Python 3.7 and later; or measure with trtexec."


class OrtCpuRuntime(Runtime):
    """Times models with ONNX Runtime's CPU provider, at fp32: at fp16 it computes in fp32 between conversions.

    Raises:
        Unavailable: the package is not there, threads is not at least 1, or there is no such option.
    """

    name = "onnxruntime-cpu"

    @classmethod
    def missing(cls) -> Optional[Missing]:
        """The package."""
        try:
            onnxruntime = installed()
        except (ImportError, OSError) as error:  # OSError: the package is there, and a library that it needs is not.
            return Missing(f"ONNX Runtime cannot be imported ({error})", _REMEDY)
        if not hasattr(onnxruntime, "InferenceSession"):
            return Missing("the package onnxruntime is there but empty", _REMEDY)
        if version() < LEAST_VERSION:
            return Missing(
                f"ONNX Runtime must be 1.12 or later to read opset 17; got {onnxruntime.__version__}", _REMEDY
            )
        if PROCESSOR not in onnxruntime.get_available_providers():
            return Missing(f"the ONNX Runtime that is installed has no {PROCESSOR}", _REMEDY)
        return None

    def versions(self) -> Dict[str, str]:
        """ONNX Runtime."""
        return {"onnxruntime": str(installed().__version__)}

    def fixed_options(self) -> Dict[str, str]:
        """What the session is told."""
        return common_options(self.threads)

    def graph_precisions(self) -> Dict[str, str]:
        """That one."""
        return {"fp32": "fp32"}

    def disturbances(self) -> int:
        """How often the kernel took a core away from this process."""
        return lost_cores()

    @contextmanager
    def open(self, model: Model) -> Iterator[TimedRun]:
        """A session with its inputs and output bound."""
        if model.precision != "fp32":
            raise ProfilingError("build", f"{self.name} measures fp32; got {model.precision}")
        with profiling_errors("load"):
            session = load(Path(model.path).read_bytes(), session_options(self.threads), PROCESSOR, {})
            types = {one.type for one in model.inputs}
            arrays = normal_arrays([one.shape for one in model.inputs], types.pop())
            binding = bound(session, {one.name: array for one, array in zip(model.inputs, arrays)})
        yield TimedRun(timed_calls(lambda: session.run_with_iobinding(binding)))
