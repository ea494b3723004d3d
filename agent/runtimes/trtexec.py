"""TensorRT through the program ``trtexec``."""

import os
import shutil
import tempfile
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Deque, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from agent.loop import ProfilingError, TimedRun
from agent.runtimes.child_programs import TookTooLong, run_program
from agent.runtimes.gpu_sensors import device_watch, driver_versions
from agent.runtimes.runtime import PRECISIONS, Missing, Model, Runtime, Unavailable
from agent.runtimes.trtexec_commands import Trtexec, failure_reason, has_failed, read_help, read_times, shown
from agent.sampling import median
from agent.watch import Watch

_JETPACK_PATH = "/usr/src/tensorrt/bin/trtexec"
"""Where JetPack and NVIDIA's Debian packages put it, off PATH."""

_HELP_LIMIT_S = 60.0

_RECORD_S = 1.0
"""A run of trtexec costs seconds to start, so that it should then record about this much."""

_LEAST_ITERATIONS = 100
_MOST_ITERATIONS = 10_000
"""Bounds of what one run records; an iteration is a quarter of a kilobyte in the file."""

_LEAST_FREE_BYTES = 2**20
"""With less than this, what failed has failed for want of room."""


class TrtexecRuntime(Runtime):
    """Runs ``trtexec``, the one found at $TRTEXEC, on PATH, or where JetPack puts it.

    A run of the program gives many iterations, each with its time on the device. ``open`` builds an engine; a timed
    run takes as many recorded iterations as it is asked for, in the order they happened, and runs the program on the
    same engine again when they are used up. The state of the device and the sentinel are looked at between samples
    as ever, but samples of one run of the program happened before the first of them was handed out. So a ``watch``
    looks at the device while the program runs: samples of a run during which it was slowed down count as disturbed when
    they are handed out, and the mean power is that of the iterations.

    At int8, which TensorRT offers here up to 10, trtexec invents the ranges of all tensors: the results are wrong and
    the times are right.

    Args:
        threads: recorded, without effect on a GPU.
        options: ``launch``: one CUDA graph for each call, or kernel by kernel; ``tf32``: let fp32 compute with the 19
            bits of TF32, where the GPU can, which is TensorRT's own default; ``timing_cache``: ``none`` times all
            kernels in every build, ``shared`` keeps the times in a file.
        limit_s: seconds after which a run of the program counts as hanging.
        watch: makes what watches the device while the program runs.

    Attributes:
        timing_cache: file of the times of kernels that builds share; beside the model when None.

    Raises:
        Unavailable: there is no trtexec, or what is found is something else.
    """

    name = "trtexec"
    accelerator = "cuda"
    patience_s = 1800.0
    takes_turns = False  # Its samples lie before the moment at which they are handed out.
    choices = {"launch": ("graph", "stream"), "tf32": ("no", "yes"), "timing_cache": ("none", "shared")}

    def __init__(
        self,
        threads: int,
        options: Mapping[str, str],
        *,
        limit_s: float = 900.0,
        watch: Callable[[], Watch] = device_watch,
    ) -> None:
        super().__init__(threads, options)
        self._limit_s = limit_s
        self._watch = watch
        self._program = str(_find_program())
        self._trtexec = _probe(self._program)
        self._disturbances = 0
        self.timing_cache: Optional[str] = None

    @classmethod
    def missing(cls) -> Optional[Missing]:
        """The program."""
        if _find_program() is None:
            return Missing(
                f"no trtexec is found at $TRTEXEC, on PATH or at {_JETPACK_PATH}",
                "It comes with JetPack, with NVIDIA's package libnvinfer-bin and with the archive of TensorRT; set "
                "TRTEXEC to its path when it lies elsewhere.",
            )
        return None

    def versions(self) -> Dict[str, str]:
        """TensorRT's, by the first line that trtexec writes, and the driver's."""
        return dict(driver_versions(), tensorrt=self._trtexec.version)

    def fixed_options(self) -> Dict[str, str]:
        """All flags that change a time."""
        built = self._trtexec.build_flags("fp32", tf32=self.options["tf32"] == "yes")
        return {"flags": shown((*built, *self._trtexec.run_flags(self.options["launch"])))}

    def graph_precisions(self) -> Dict[str, str]:
        """As this trtexec has options for them."""
        return self._trtexec.graph_precisions(PRECISIONS)

    def graph_precision(self, precision: str) -> str:
        """That of the graph for one of them.

        Raises:
            ProfilingError: this trtexec cannot run the precision, and why.
        """
        return self._trtexec.graph_precision(precision)

    def disturbances(self) -> int:
        """How many samples were handed out of runs during which the device was slowed down."""
        return self._disturbances

    @contextmanager
    def open(self, model: Model) -> Iterator[TimedRun]:
        """Build an engine in a folder of its own, and hand out what runs of it record."""
        self.graph_precision(model.precision)
        with tempfile.TemporaryDirectory(prefix="trtexec-") as folder:
            engine = self._build(model, Path(folder))
            iterations = Iterations(lambda count: self._record(engine, count))

            def take(calls: int) -> float:
                took_s, slowed = iterations.take(calls)
                self._disturbances += slowed
                return took_s

            yield TimedRun(take, iterations.costs)

    def _build(self, model: Model, folder: Path) -> Path:
        engine = folder / "model.engine"
        tf32, cache = self.options["tf32"] == "yes", self._timing_cache(model)
        arguments = self._trtexec.build(model.path, str(engine), model.precision, tf32=tf32, timing_cache=cache)
        self._call("build", arguments, folder)
        return engine

    def _timing_cache(self, model: Model) -> Optional[str]:
        if self.options["timing_cache"] == "none":
            return None
        beside = Path(model.path).with_name(f"{self.name}-{self._trtexec.version}.timing")
        file = beside if self.timing_cache is None else Path(self.timing_cache)
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file)

    def _record(self, engine: Path, count: int) -> "Recorded":
        times = engine.with_name("times.json")
        if times.exists():
            times.unlink()  # A run that writes none must not be taken for the one before.
        arguments = self._trtexec.run(str(engine), str(times), count, self.options["launch"])
        with self._watch() as watch:
            started = time.monotonic()
            self._call("run", arguments, engine.parent)
            return _read(times, watch, started)

    def _call(self, stage: str, arguments: Sequence[str], folder: Path) -> None:
        try:
            ended = run_program([self._program, *arguments], self._limit_s)
        except TookTooLong as error:
            raise ProfilingError(stage, f"trtexec did not end within {self._limit_s:g} s") from error
        except OSError as error:
            raise ProfilingError(stage, f"trtexec could not be started: {error}") from error
        if has_failed(ended.status, ended.output):
            full = "the disk is full; " if shutil.disk_usage(str(folder)).free < _LEAST_FREE_BYTES else ""
            raise ProfilingError(stage, f"trtexec failed ({ended.status}): {full}{failure_reason(ended.output)}")


class Recorded(NamedTuple):
    """What one run of the program recorded, and what was seen of the device meanwhile.

    Attributes:
        compute_s: seconds on the device, of each iteration in order.
        enqueue_s: seconds the host needs to launch one; None where it is not known.
        slowed: whether the device was seen slowed down.
        energy_j: energy of all iterations together, in joules, idle power included; None where it is not known.
    """

    compute_s: Tuple[float, ...]
    enqueue_s: Optional[float]
    slowed: bool = False
    energy_j: Optional[float] = None


class Iterations:
    """Recorded iterations in the order they happened; records more when they are used up.

    Args:
        record: records so many of them.
    """

    def __init__(self, record: Callable[[int], Recorded]) -> None:
        self._record = record
        self._waiting: Deque[Tuple[float, bool]] = deque()
        self._count = _LEAST_ITERATIONS
        self._enqueue_s: Optional[float] = None
        self._metered = 0
        self._energy_j = 0.0

    def take(self, calls: int) -> Tuple[float, bool]:
        """Seconds that the next ``calls`` iterations took together, and whether any was in a run that was slowed."""
        while len(self._waiting) < calls:
            self._more(max(self._count, calls))
        taken = [self._waiting.popleft() for _ in range(calls)]
        return sum(time_s for time_s, _ in taken), any(slowed for _, slowed in taken)

    def _more(self, count: int) -> None:
        recorded = self._record(count)
        self._waiting.extend((time_s, recorded.slowed) for time_s in recorded.compute_s)
        self._count = _fitting(median(recorded.compute_s))
        self._enqueue_s = recorded.enqueue_s
        if recorded.energy_j is not None:
            self._metered += len(recorded.compute_s)
            self._energy_j += recorded.energy_j

    def costs(self) -> Dict[str, float]:
        """Time to launch one, and energy of one, where they are known."""
        energy_j = self._energy_j / self._metered if self._metered else 0.0
        known = {"enqueue_s": self._enqueue_s or 0.0, "energy_j": energy_j}
        return {name: value for name, value in known.items() if value > 0}


def _fitting(iteration_s: float) -> int:
    """Iterations to record at a time."""
    if not iteration_s > 0:
        return _MOST_ITERATIONS
    return min(_MOST_ITERATIONS, max(_LEAST_ITERATIONS, round(_RECORD_S / iteration_s)))


def _read(times: Path, watch: Watch, started: float) -> Recorded:
    """What a run that began at ``started`` wrote, with what ``watch`` saw of its iterations."""
    if not times.is_file():
        raise ProfilingError("run", "trtexec ended well but wrote no times")
    recorded = read_times(times.read_text(encoding="utf-8", errors="replace"))
    ended = time.monotonic()
    # trtexec writes its file when the last iteration is done, and then takes its time to end.
    written = ended - (time.time() - times.stat().st_mtime)
    until = written if started <= written <= ended else ended  # The other clock may jump.
    since = max(started, until - recorded.span_s)
    power_w = watch.power_w(since, until)
    energy_j = None if power_w is None else power_w * recorded.span_s
    return Recorded(recorded.compute_s, recorded.enqueue_s, watch.slowed(since, until), energy_j)


def _find_program() -> Optional[Path]:
    """$TRTEXEC where it is set, and then nothing else; a name in it is looked up on PATH."""
    named = os.environ.get("TRTEXEC")
    found = shutil.which(named) if named else shutil.which("trtexec") or shutil.which(_JETPACK_PATH)
    return None if found is None else Path(found).absolute()


def _probe(program: str) -> Trtexec:
    """What the program says it is."""
    try:
        ended = run_program([program, "--help"], _HELP_LIMIT_S)
    except (OSError, TookTooLong) as error:
        raise Unavailable(f"{program} --help fails: {error}", "Set TRTEXEC to the path of one that runs.") from error
    trtexec = read_help(ended.output)
    if trtexec is None:
        raise Unavailable(
            f"{program} --help ({ended.status}) is not the help of trtexec of TensorRT 8 to 11; it ends with: "
            f"{failure_reason(ended.output)}",
            "Set TRTEXEC to the path of one.",
        )
    return trtexec
