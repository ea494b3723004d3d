"""What measures on a device, by name. A new runtime is one file and one line here."""

from typing import Dict, Type

from agent.runtimes.dummy import DummyRuntime
from agent.runtimes.ort_cpu import OrtCpuRuntime
from agent.runtimes.runtime import Input, Missing, Model, Runtime, Unavailable
from agent.runtimes.tensorrt_python import TensorRtRuntime
from agent.runtimes.trtexec import TrtexecRuntime

RUNTIMES: Dict[str, Type[Runtime]] = {
    runtime.name: runtime for runtime in (TrtexecRuntime, TensorRtRuntime, OrtCpuRuntime, DummyRuntime)
}
"""All of them. ``missing`` of each says whether it can be used here."""

__all__ = ["RUNTIMES", "Input", "Missing", "Model", "Runtime", "Unavailable"]
