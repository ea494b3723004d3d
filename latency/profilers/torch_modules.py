"""PyTorch on the processor: modules as they are, and compiled by Inductor."""

from __future__ import annotations

import abc
import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from devices import WrongUse
from latency.onnx_export import build_module, example_inputs
from latency.profiler import Missing, ProfilingError
from latency.profilers.wall_clock import WallClockProfiler
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor, dtype, nn

MEMORY_FORMATS = ("contiguous", "channels_last")
"""Orders of a tensor's elements: channels outermost, as torch has them by default, or innermost."""

_TYPE_NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class TorchCpuProfiler(WallClockProfiler):
    """Times a torch module on the processor, in inference mode.

    The number of threads inside an operator belongs to the whole process; it is set while a workload is open. fp16 and
    bf16 run as torch runs them on this processor: without instructions for them that is slow, and a true answer.
    """

    @abc.abstractmethod
    def ready(self, module: nn.Module) -> Callable[..., Any]:
        """What is called with the inputs: the module itself, or what was made of it."""

    @contextmanager
    def load(self, workload: Workload) -> Iterator[Callable[[], Any]]:
        """Build ``workload``, run it once, and see that it ran here in its own precision."""
        with _intra_op_threads(self.threads):
            module, inputs = load_module(workload, "cpu", self.options.get("memory_format", MEMORY_FORMATS[0]))
            call = partial(self.ready(module), *inputs)
            with self.running():
                run_once(call, module, inputs, workload, "cpu")
            yield call

    def running(self) -> AbstractContextManager[object]:
        """Inference mode: nothing is recorded for gradients."""
        mode: AbstractContextManager[object] = import_module("torch").inference_mode()
        return mode


@final
class TorchEagerProfiler(TorchCpuProfiler):
    """Times torch modules as they are, operator by operator."""

    name = "torch-eager"
    choices = {"memory_format": MEMORY_FORMATS}

    @classmethod
    def missing(cls) -> Missing | None:
        """PyTorch."""
        return missing_torch()

    def versions(self) -> Mapping[str, str]:
        """PyTorch, whose wheel brings oneDNN and the threads."""
        return {"torch": metadata.version("torch")}

    def ready(self, module: nn.Module) -> Callable[..., Any]:
        """The module."""
        return module


@final
class TorchCompileProfiler(TorchCpuProfiler):
    """Times torch modules that Inductor compiled, each as one graph of fixed shape.

    Compiling takes from a second to a minute for each workload and happens before anything is timed. The mode
    ``reduce-overhead`` is not offered: all it adds is CUDA graphs.
    """

    name = "torch-compile"
    patience_s = 1800.0
    choices = {"mode": ("default", "max-autotune-no-cudagraphs")}

    @classmethod
    def missing(cls) -> Missing | None:
        """PyTorch, a C++ compiler and the headers of Python."""
        return missing_torch() or _missing_compiler()

    def versions(self) -> Mapping[str, str]:
        """PyTorch, and the compiler of the code that Inductor writes."""
        return {"torch": metadata.version("torch"), "c++": _compiler_version()}

    def fixed_options(self) -> Mapping[str, str]:
        """That nothing is left to the interpreter, and that shapes are compiled in."""
        return {"fullgraph": "yes", "dynamic": "no"}

    def ready(self, module: nn.Module) -> Callable[..., Any]:
        """The compiled module; it compiles at its first call."""
        # The number of threads is compiled in, and is no part of the key of Inductor's cache in older releases.
        return compiled(module, self.options["mode"], {"cpp.threads": self.threads})


def missing_torch() -> Missing | None:
    """What to say where PyTorch is not installed; does not import it."""
    if find_spec("torch") is None:
        return Missing("PyTorch is not installed", "`pip install torch` brings it.")
    return None


def _missing_compiler() -> Missing | None:
    if shutil.which(_compiler()) is None:
        return Missing(
            f"torch.compile needs a C++ compiler, and there is no {_compiler()!r} on PATH",
            "`apt install g++` brings one on Debian and Ubuntu; the variable CXX names another one.",
        )
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        return Missing(
            f"torch.compile needs the headers of Python, and there is no {header}",
            "`apt install python3-dev` brings them for the Python of Debian and Ubuntu.",
        )
    return None


def _compiler() -> str:
    """The C++ compiler that Inductor takes (its setting ``cpp.cxx``)."""
    return os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")


def _compiler_version() -> str:
    said = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=False).stdout
    return next(iter(said.splitlines()), "unknown")


def load_module(
    workload: Workload, place: str, memory_format: str = MEMORY_FORMATS[0]
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module of ``workload`` in evaluation mode and its inputs, both in its precision.

    Args:
        workload: what to build.
        place: torch's name of the device they shall be on (``cpu``, ``cuda``).
        memory_format: one of ``MEMORY_FORMATS``.

    Raises:
        ProfilingError: of the stage ``build``, when it cannot be built or torch has no modules of its precision.
    """
    import torch

    kind = _tensor_type(workload)
    order = torch.channels_last if memory_format == "channels_last" else torch.contiguous_format
    try:
        module, inputs = build_module(workload), example_inputs(workload)
    except (WrongUse, RuntimeError, ValueError, TypeError) as error:
        raise ProfilingError("build", f"{type(error).__name__}: {error}") from error
    # The typing of Module.to knows no memory format beside a device; torch itself does.
    placed: nn.Module = module.eval().to(device=place, dtype=kind).to(memory_format=order)  # type: ignore[call-overload]
    return placed, tuple(tensor.to(device=place, dtype=kind, memory_format=order) for tensor in inputs)


def _tensor_type(workload: Workload) -> dtype:
    import torch

    if workload.precision not in _TYPE_NAMES:
        known = ", ".join(_TYPE_NAMES)
        raise ProfilingError("build", f"torch modules are measured in {known}; got {workload.precision}")
    kind: dtype = getattr(torch, _TYPE_NAMES[workload.precision])
    return kind


def run_once(
    call: Callable[[], Any], module: nn.Module, inputs: Iterable[Tensor], workload: Workload, place: str
) -> None:
    """Run ``call`` for the first time and see that everything was where it should be.

    Raises:
        ProfilingError: of the stage ``load``, when it does not run, or a parameter, an input or the output is on
            another device or of another precision.
    """
    try:
        with _silence():
            output = call()
    except (RuntimeError, ValueError, TypeError) as error:
        raise ProfilingError("load", f"{type(error).__name__}: {error}") from error
    named = {**module.state_dict(), **{f"input {n}": tensor for n, tensor in enumerate(inputs)}, "output": output}
    kind = _tensor_type(workload)
    for name, tensor in named.items():
        # Counters, like that of the batches a normalisation has seen, stay whole numbers.
        if tensor.device.type != place or (tensor.is_floating_point() and tensor.dtype != kind):
            raise ProfilingError(
                "load", f"{name} must be on {place} in {kind}; it is on {tensor.device.type} in {tensor.dtype}"
            )


@contextmanager
def _silence() -> Iterator[None]:
    """Keep to ourselves what torch says at a first call of its own insides, which nobody here can act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        # TF32 is chosen by an option.
        warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores", category=UserWarning)
        yield


def compiled(module: nn.Module, mode: str, options: Mapping[str, Any] = {}) -> Callable[..., Any]:
    """The module, compiled by Inductor at the first call as one graph of fixed shape.

    Args:
        module: what to compile.
        mode: one of torch.compile's modes.
        options: settings of Inductor beside those of the mode.

    Returns:
        A callable that raises ProfilingError wherever torch would run the module without compiling it.
    """
    import torch

    def call(*inputs: Tensor) -> Any:
        # True while torch traces, and so not in the graph: only the plain interpreter ever gets here with False.
        if not torch.compiler.is_compiling():
            raise ProfilingError("load", "torch ran the module without compiling it; unset TORCH_COMPILE_DISABLE")
        return module(*inputs)

    # Torch keeps what it compiled with the code object, gives up after eight versions of one, and forgets all of them
    # at a reset. With a code object for each workload, any number can be open, and they are released one by one.
    call.__code__ = call.__code__.replace()
    settings = {**import_module("torch._inductor").list_mode_options(mode), **options}
    made: Callable[..., Any] = torch.compile(call, fullgraph=True, dynamic=False, options=settings)
    return made


@contextmanager
def _intra_op_threads(threads: int) -> Iterator[None]:
    """Have torch use so many threads inside an operator, and as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
