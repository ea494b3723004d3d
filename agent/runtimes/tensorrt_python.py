"""TensorRT through its Python package, which JetPack brings, and CUDA through its runtime library."""

import random
import struct
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Dict, Iterator, Mapping, Optional

from agent.loop import ProfilingError, TimedRun
from agent.runtimes.cuda_library import LibraryCuda
from agent.runtimes.cuda_stream import Cuda, CudaError
from agent.runtimes.cuda_timing import LaunchTimer
from agent.runtimes.gpu_sensors import driver_versions
from agent.runtimes.runtime import PRECISIONS, Missing, Model, Runtime
from agent.runtimes.tensorrt_engines import OPTIMIZATION_LEVEL, WORKSPACE_MIB, Engine, Port, TensorRt

_FORMATS = {"FLOAT": "f", "HALF": "e"}
"""How ``struct`` calls TensorRT's types."""

_SEED = 0
_NUMBERS = 4096
"""So many are drawn, and then repeated: times do not depend on them."""


class TensorRtRuntime(Runtime):
    """TensorRT 8.5 to 11 in this process: builds an engine for each model it opens, and times it by CUDA's events.

    Args:
        threads: recorded, without effect on a GPU.
        options: ``launch``: one CUDA graph for each call, or kernel by kernel; ``l2``: whether a call finds in the
            second-level cache what the last one left there, or nothing; ``tf32``: let fp32 compute with the 19 bits of
            TF32, where the GPU can, which is TensorRT's own default; ``timing_cache``: ``none`` times all kernels in
            every build, ``shared`` keeps the times in a file beside the model.

    Raises:
        Unavailable: the package, CUDA's runtime library, the driver or the GPU is missing.
    """

    name = "tensorrt"
    accelerator = "cuda"
    patience_s = 1800.0
    choices = {
        "launch": ("graph", "stream"),
        "l2": ("warm", "cold"),
        "tf32": ("no", "yes"),
        "timing_cache": ("none", "shared"),
    }

    def __init__(self, threads: int, options: Mapping[str, str]) -> None:
        super().__init__(threads, options)
        self._tensorrt = TensorRt(import_module("tensorrt"))

    @classmethod
    def missing(cls) -> Optional[Missing]:
        """The package; else CUDA's runtime library, the driver or the GPU."""
        remedy = "JetPack brings it as the package python3-libnvinfer; or measure with trtexec."
        try:
            module = import_module("tensorrt")
        except (ImportError, OSError) as error:  # OSError: the bindings are there and the libraries are not.
            return Missing(f"tensorrt cannot be imported ({error})", remedy)
        if not hasattr(module, "Builder"):
            return Missing("the package tensorrt is there but has no builder", remedy)
        # A runtime without a driver may crash the process, so nothing of TensorRT is touched before this is clear.
        return _missing_cuda()

    def versions(self) -> Dict[str, str]:
        """TensorRT and the driver."""
        return dict(driver_versions(), tensorrt=self._tensorrt.version)

    def fixed_options(self) -> Dict[str, str]:
        """What every build is told."""
        level = {"builder_optimization_level": str(OPTIMIZATION_LEVEL)} if self._tensorrt.has_levels else {}
        return dict(level, workspace_mib=str(WORKSPACE_MIB))

    def graph_precisions(self) -> Dict[str, str]:
        """As this TensorRT has flags for them."""
        return self._tensorrt.graph_precisions(PRECISIONS)

    @contextmanager
    def open(self, model: Model) -> Iterator[TimedRun]:
        """Build an engine, load it, and time its launches."""
        plan = self._build(model)
        with _opened_cuda() as cuda, closing(self._tensorrt.load(plan)) as engine:
            timer = self._timer(cuda, engine)

            def costs() -> Dict[str, float]:
                known = {"peak_memory_bytes": engine.memory_bytes, "enqueue_s": timer.enqueue_s}
                return {name: value for name, value in known.items() if value}

            yield TimedRun(timer, costs)

    def _build(self, model: Model) -> bytes:
        self._tensorrt.graph_precision(model.precision)
        path, cache = Path(model.path), None
        if self.options["timing_cache"] == "shared":
            cache = path.with_name(f"{self.name}-{self._tensorrt.version}.timing")
        tf32 = self.options["tf32"] == "yes"
        return self._tensorrt.build(path.read_bytes(), model.precision, tf32=tf32, timing_cache=cache)

    def _timer(self, cuda: Cuda, engine: Engine) -> LaunchTimer:
        def launch() -> None:
            engine.launch(cuda.stream)

        try:
            for port in engine.ports:
                address = cuda.allocate(port.size_bytes)
                engine.bind(port, address)
                if port.is_input:
                    cuda.copy_in(address, normal_numbers(port))
            launch()  # The first one allocates, which must not happen in a graph.
            cuda.synchronise()
            ready = cuda.capture(launch) if self.options["launch"] == "graph" else launch
            return LaunchTimer(cuda, ready, cold=self.options["l2"] == "cold")
        except CudaError as error:
            raise ProfilingError("load", str(error)) from error


def normal_numbers(port: Port) -> bytes:
    """Standard normal numbers for an input, as it takes them.

    Raises:
        ProfilingError: it takes another type than those that graphs have.
    """
    if port.dtype not in _FORMATS:
        raise ProfilingError("load", f"an input must be FLOAT or HALF; {port.name} is {port.dtype}")
    draw = random.Random(_SEED)
    some = struct.pack(f"={_NUMBERS}{_FORMATS[port.dtype]}", *(draw.gauss(0, 1) for _ in range(_NUMBERS)))
    return (some * -(-port.size_bytes // len(some)))[: port.size_bytes]


def _missing_cuda() -> Optional[Missing]:
    try:
        count = LibraryCuda.count_devices()
    except ImportError as error:
        return Missing(str(error), "CUDA's toolkit brings it; its folder must be known to `ldconfig`.")
    except CudaError as error:
        return Missing(f"no NVIDIA driver or no GPU: {error}", "`nvidia-smi` must list a GPU, except on a Jetson.")
    return None if count else Missing("CUDA shows no GPU", "CUDA_VISIBLE_DEVICES may hide it.")


@contextmanager
def _opened_cuda() -> Iterator[Cuda]:
    try:
        cuda = LibraryCuda()
    except (ImportError, CudaError) as error:
        raise ProfilingError("load", str(error)) from error
    with cuda:
        yield cuda
