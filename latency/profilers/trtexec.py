"""TensorRT through the program ``trtexec``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import final

from agent.runtimes.runtime import Model, Unavailable
from agent.runtimes.tensorrt_engines import timing_cache_file
from agent.runtimes.trtexec import TrtexecRuntime
from devices import Device, DeviceState, NotAvailable, WrongUse
from latency.burst import Costs
from latency.environment import Environment, Runtime
from latency.model_files import onnx_model
from latency.onnx_export import OPSET
from latency.profiler import Missing, Profiler, ProfilingError, TimedRun
from latency.workload import Workload


@final
class TrtexecProfiler(Profiler):
    """Runs ``trtexec`` as ``agent.runtimes.trtexec`` does on every device, and says what is special about it.

    Args:
        device: the GPU, or the machine it is in.
        state: reads its state.
        threads: recorded, without effect on a GPU.
        options: ``launch``: one CUDA graph for each call, or kernel by kernel; ``tf32`` and ``timing_cache``: see
            ``TensorRtProfiler``.
        limit_s: seconds after which a run of the program counts as hanging.

    Raises:
        NotAvailable: there is no trtexec, or what is found is something else.
        WrongUse: threads is not at least 1, or there is no such option.
    """

    name = TrtexecRuntime.name
    accelerator = "cuda"
    patience_s = TrtexecRuntime.patience_s
    takes_turns = TrtexecRuntime.takes_turns
    choices = TrtexecRuntime.choices

    def __init__(
        self,
        device: Device,
        state: Callable[[], DeviceState],
        threads: int = 1,
        options: Mapping[str, str] = {},
        *,
        limit_s: float = 900.0,
    ) -> None:
        if threads < 1:
            raise WrongUse(f"A profiler needs at least 1 thread; got {threads}.")
        chosen = self.chosen(options)
        self.refuse_missing()
        try:
            self._runtime = TrtexecRuntime(threads, chosen, limit_s=limit_s)
        except Unavailable as error:
            raise NotAvailable(f"{self.name} cannot be used here: {error}") from error
        versions = {**self._runtime.versions(), "torch": metadata.version("torch")}
        cache = timing_cache_file(self.name, versions["tensorrt"], device.fingerprint)
        self._runtime.timing_cache = str(cache)
        options = {"opset": str(OPSET), **self._runtime.recorded_options()}
        super().__init__(Environment(device, Runtime(self.name, versions, threads, options)), state)

    @classmethod
    def missing(cls) -> Missing | None:
        """The program."""
        found = TrtexecRuntime.missing()
        return None if found is None else Missing(*found)

    def disturbances(self) -> int:
        """How many samples were handed out of runs during which the device was slowed down."""
        return self._runtime.disturbances()

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """Build an engine in a folder of its own, and hand out what runs of it record."""
        graph = replace(workload, precision=self._runtime.graph_precision(workload.precision))
        with tempfile.TemporaryDirectory(prefix="paceline-") as folder:
            model = Path(folder, "model.onnx")
            try:
                model.write_bytes(onnx_model(graph))
            except (WrongUse, RuntimeError, ValueError, TypeError) as error:
                raise ProfilingError("build", f"{type(error).__name__}: {error}") from error
            with self._runtime.open(Model(str(model), workload.precision)) as run:
                yield TimedRun(run, lambda: Costs(**run.costs()))
