"""TensorRT through the program ``trtexec``."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import final

from devices import Device, DeviceState, NotAvailable, WrongUse
from latency.burst import Costs
from latency.environment import Environment, Runtime
from latency.model_files import onnx_model
from latency.onnx_export import OPSET
from latency.profiler import Missing, Profiler, ProfilingError, TimedRun
from latency.profilers.cuda_events import driver_sensors
from latency.sampling import median
from latency.tensorrt_engines import timing_cache_file
from latency.trtexec_commands import Trtexec, failure_reason, has_failed, read_help, read_times, shown
from latency.workload import Workload

_JETPACK_PATH = "/usr/src/tensorrt/bin/trtexec"
"""Where JetPack and NVIDIA's Debian packages put it, off PATH."""

_HELP_LIMIT_S = 60.0

_RECORD_S = 1.0
"""A run of trtexec costs seconds to start, so that it should then record about this much."""

_LEAST_ITERATIONS = 100
_MOST_ITERATIONS = 10_000
"""Bounds of what one run records; an iteration is a quarter of a kilobyte in the file."""


@final
class TrtexecProfiler(Profiler):
    """Runs ``trtexec``, the one found at $TRTEXEC, on PATH, or where JetPack puts it.

    A run of the program gives many iterations, each with its time on the device. ``open`` builds an engine; a timed
    run takes as many recorded iterations as it is asked for, in the order they happened, and runs the program on the
    same engine again when they are used up. The state of the device and the sentinel are looked at between samples
    as ever, but samples of one run of the program happened before the first of them was handed out.

    At int8, which TensorRT offers here up to 10, trtexec invents the ranges of all tensors: the results are wrong and
    the times are right.

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

    name = "trtexec"
    accelerator = "cuda"
    patience_s = 1800.0
    takes_turns = False  # Its samples lie before the moment at which they are handed out.
    choices = {"launch": ("graph", "stream"), "tf32": ("no", "yes"), "timing_cache": ("none", "shared")}

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
        self._options = self.chosen(options)
        self.refuse_missing()
        self._limit_s = limit_s
        self._program = str(_find_program())
        self._trtexec = _probe(self._program)
        drivers = driver_sensors().versions()
        versions = {"tensorrt": self._trtexec.version, "torch": metadata.version("torch"), **drivers}
        runtime = Runtime(self.name, versions, threads, {**self._fixed_options(), **self._options})
        super().__init__(Environment(device, runtime), state)

    def _fixed_options(self) -> Mapping[str, str]:
        built = self._trtexec.build_flags("fp32", tf32=self._options["tf32"] == "yes")
        flags = (*built, *self._trtexec.run_flags(self._options["launch"]))
        return {"opset": str(OPSET), "flags": shown(flags)}

    @classmethod
    def missing(cls) -> Missing | None:
        """The program."""
        if _find_program() is None:
            return Missing(
                f"no trtexec is found at $TRTEXEC, on PATH or at {_JETPACK_PATH}",
                "It comes with JetPack, with NVIDIA's package libnvinfer-bin and with the archive of TensorRT; set "
                "TRTEXEC to its path when it lies elsewhere.",
            )
        return None

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """Build an engine in a folder of its own, and hand out what runs of it record."""
        with tempfile.TemporaryDirectory(prefix="paceline-") as folder:
            engine = self._build(workload, Path(folder))
            iterations = _Iterations(lambda count: self._record(engine, count))
            yield TimedRun(iterations.take, lambda: Costs(enqueue_s=iterations.enqueue_s))

    def _build(self, workload: Workload, folder: Path) -> Path:
        model, engine = folder / "model.onnx", folder / "model.engine"
        graph = replace(workload, precision=self._trtexec.graph_precision(workload.precision))
        try:
            model.write_bytes(onnx_model(graph))
        except (WrongUse, RuntimeError, ValueError, TypeError) as error:
            raise ProfilingError("build", f"{type(error).__name__}: {error}") from error
        tf32, cache = self._options["tf32"] == "yes", self._timing_cache()
        arguments = self._trtexec.build(str(model), str(engine), workload.precision, tf32=tf32, timing_cache=cache)
        self._call("build", arguments)
        return engine

    def _timing_cache(self) -> str | None:
        if self._options["timing_cache"] == "none":
            return None
        device = self.environment.device.fingerprint
        file = timing_cache_file(self.name, self._trtexec.version, device)
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file)

    def _record(self, engine: Path, count: int) -> tuple[tuple[float, ...], float | None]:
        times = engine.with_name("times.json")
        times.unlink(missing_ok=True)  # A run that writes none must not be taken for the one before.
        self._call("run", self._trtexec.run(str(engine), str(times), count, self._options["launch"]))
        if not times.is_file():
            raise ProfilingError("run", "trtexec ended well but wrote no times")
        recorded = read_times(times.read_text(encoding="utf-8", errors="replace"))
        return recorded.compute_s, recorded.enqueue_s

    def _call(self, stage: str, arguments: tuple[str, ...]) -> None:
        try:
            ended = _run(self._program, arguments, self._limit_s)
        except subprocess.TimeoutExpired as error:
            raise ProfilingError(stage, f"trtexec did not end within {self._limit_s:g} s") from error
        except OSError as error:
            raise ProfilingError(stage, f"trtexec could not be started: {error}") from error
        if has_failed(ended.returncode, ended.stdout):
            raise ProfilingError(stage, f"trtexec failed ({ended.returncode}): {failure_reason(ended.stdout)}")


@final
class _Iterations:
    """Recorded iterations in the order they happened; records more when they are used up."""

    def __init__(self, record: Callable[[int], tuple[tuple[float, ...], float | None]]) -> None:
        self._record = record
        self._waiting_s: deque[float] = deque()
        self._count = _LEAST_ITERATIONS
        self.enqueue_s: float | None = None

    def take(self, calls: int) -> float:
        """Seconds that the next ``calls`` iterations took together."""
        while len(self._waiting_s) < calls:
            compute_s, self.enqueue_s = self._record(max(self._count, calls))
            self._waiting_s.extend(compute_s)
            self._count = _fitting(median(compute_s))
        return sum(self._waiting_s.popleft() for _ in range(calls))


def _fitting(iteration_s: float) -> int:
    """Iterations to record at a time."""
    if not iteration_s > 0:
        return _MOST_ITERATIONS
    return min(_MOST_ITERATIONS, max(_LEAST_ITERATIONS, round(_RECORD_S / iteration_s)))


def _find_program() -> Path | None:
    """$TRTEXEC where it is set, and then nothing else; a name in it is looked up on PATH."""
    named = os.environ.get("TRTEXEC")
    found = shutil.which(named) if named else shutil.which("trtexec") or shutil.which(_JETPACK_PATH)
    return None if found is None else Path(found).absolute()


def _probe(program: str) -> Trtexec:
    try:
        ended = _run(program, ("--help",), _HELP_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"trtexec cannot be used here: {program} --help fails: {error}.") from error
    trtexec = read_help(ended.stdout)
    if trtexec is None:
        raise NotAvailable(
            f"trtexec cannot be used here: {program} --help ({ended.returncode}) is not the help of trtexec of "
            f"TensorRT 8 to 11; it ends with: {failure_reason(ended.stdout)}. Set TRTEXEC to the path of one."
        )
    return trtexec


def _run(program: str, arguments: tuple[str, ...], limit_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=limit_s,
        check=False,
    )
