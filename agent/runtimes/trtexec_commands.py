"""What is said to ``trtexec`` and what it answers, from TensorRT 8.5 to 11. Runs nothing.

Defaults changed with 11: CUDA graphs, spinning, no transfers and a profile run of its own came to be what happens
anyway. So whatever changes a time is written out, as far as this trtexec has a word for it; its ``--help`` says
which. Options and files: NVIDIA/TensorRT, samples/common/sampleOptions.cpp and sampleReporting.cpp.
"""

import json
import math
import re
from contextlib import suppress
from typing import Dict, FrozenSet, Iterable, NamedTuple, Optional, Sequence, Tuple

from agent.loop import ProfilingError
from agent.runtimes.tensorrt_engines import OPTIMIZATION_LEVEL, WORKSPACE_MIB, refuse_untyped
from agent.sampling import median

WARM_UP_MS = 200
"""trtexec's own default in every version, written out."""

_OPTION = re.compile(r"^\s+--(\w+)", re.MULTILINE)
_BANNER = re.compile(r"TensorRT\.trtexec(?: \[TensorRT v(\d+)\])?")
_ERROR_LINE = re.compile(r"\[E\]\s*(.+)")

_MOST_ERROR_LINES = 4
"""The last ones; the first lines of a long failure are about layers that TensorRT then did without."""

_ALWAYS = ("useSpinWait", "noDataTransfers", "separateProfileRun")
"""Spinning finds the end sooner, inputs stay on the device as they do natively, and no profiler is attached."""


class Trtexec(NamedTuple):
    """One build of trtexec.

    Attributes:
        version: of TensorRT, ``8.5.2``.
        options: names of the options it knows, without the dashes.
    """

    version: str
    options: FrozenSet[str]

    @property
    def is_strongly_typed(self) -> bool:
        """Whether the types of the graph are the types that run: from 11 on there is no other way."""
        return "fp16" not in self.options

    def graph_precision(self, precision: str) -> str:
        """The precision that the ONNX graph must have for a workload of ``precision``.

        Raises:
            ProfilingError: this trtexec cannot run the precision.
        """
        if self.is_strongly_typed:
            refuse_untyped("trtexec " + self.version, precision)
            return precision
        if precision not in {"fp32", *self.options}:
            raise ProfilingError("build", f"trtexec {self.version} has no option --{precision}")
        return "fp32" if precision == "int8" else precision

    def graph_precisions(self, precisions: Iterable[str]) -> Dict[str, str]:
        """Those of ``precisions`` that this trtexec can run, each with that of its graph."""
        found = {}
        for precision in precisions:
            with suppress(ProfilingError):
                found[precision] = self.graph_precision(precision)
        return found

    def run_flags(self, launch: str) -> Tuple[str, ...]:
        """Flags that change a time, for ``launch`` by ``graph`` or by ``stream``."""
        graph = "useCudaGraph" if launch == "graph" else "noCudaGraph"  # The second one exists since 11.
        return tuple(f"--{name}" for name in (graph, *_ALWAYS) if name in self.options)

    def build_flags(self, precision: str, *, tf32: bool) -> Tuple[str, ...]:
        """Flags that change an engine."""
        pinned = {
            "memPoolSize": f"--memPoolSize=workspace:{WORKSPACE_MIB}",
            "builderOptimizationLevel": f"--builderOptimizationLevel={OPTIMIZATION_LEVEL}",  # Since 8.6.
            precision: f"--{precision}",  # fp32 and, from 11 on, all others are no options.
        }
        if not tf32:
            pinned["noTF32"] = "--noTF32"
        return tuple(flag for name, flag in pinned.items() if name in self.options)

    def build(
        self, model: str, engine: str, precision: str, *, tf32: bool = False, timing_cache: Optional[str] = None
    ) -> Tuple[str, ...]:
        """Arguments that build an engine and run nothing.

        Args:
            model: path of the ONNX file.
            engine: path the engine is written to.
            precision: of the workload.
            tf32: whether fp32 may compute in TF32.
            timing_cache: path of the file in which times of kernels are looked up and kept.
        """
        only = "--skipInference" if "skipInference" in self.options else "--buildOnly"  # The second one until 8.5.
        cache = () if timing_cache is None else (f"--timingCacheFile={timing_cache}",)
        flags = self.build_flags(precision, tf32=tf32)
        return (f"--onnx={model}", f"--saveEngine={engine}", only, *flags, *cache)

    def run(self, engine: str, times: str, iterations: int, launch: str) -> Tuple[str, ...]:
        """Arguments that run an engine ``iterations`` times after the warm-up.

        Args:
            engine: path of the engine.
            times: path the times are written to.
            iterations: how many.
            launch: ``graph`` or ``stream``.
        """
        pinned = (f"--warmUp={WARM_UP_MS}", "--duration=0", f"--iterations={iterations}", "--avgRuns=1")
        return (f"--loadEngine={engine}", f"--exportTimes={times}", *pinned, *self.run_flags(launch))


def read_help(text: str) -> Optional[Trtexec]:
    """What ``trtexec --help`` says of itself; None when this is not trtexec's help."""
    banner, options = _BANNER.search(text), frozenset(_OPTION.findall(text))
    if banner is None or "onnx" not in options or "exportTimes" not in options:
        return None
    return Trtexec(_version(banner.group(1)), options)


def _version(digits: Optional[str]) -> str:
    """``8502`` is 8.5.2; from 10 on each part but the first has two digits: ``101600`` is 10.16.0."""
    if digits is None:
        return "unknown"
    number, tens = int(digits), 100 if len(digits) > 4 else 10
    major, rest = divmod(number, tens * 100)
    return f"{major}.{rest // 100}.{rest % 100}"


class Times(NamedTuple):
    """What one run of trtexec recorded.

    Attributes:
        compute_s: seconds on the device, of each iteration in order.
        enqueue_s: seconds the host needs to launch one, the median; None where the file does not say.
        span_s: seconds from the start of the first to the end of the last.
    """

    compute_s: Tuple[float, ...]
    enqueue_s: Optional[float]
    span_s: float


def read_times(text: str) -> Times:
    """The file of ``--exportTimes``, without the iterations of the warm-up, which it holds up to 8.2.

    Raises:
        ProfilingError: this is no such file, it holds no iteration, or one that took less than no time.
    """
    try:
        rows = [row for row in json.loads(text) if row.get("startComputeMs", WARM_UP_MS) >= WARM_UP_MS]
        compute_s = tuple(float(row["computeMs"]) / 1e3 for row in rows)
        enqueues_s = [(row["endEnqMs"] - row["startEnqMs"]) / 1e3 for row in rows if "endEnqMs" in row]
        moments_s = [row[name] / 1e3 for row in rows for name in ("startComputeMs", "endComputeMs") if name in row]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProfilingError(
            "run", f"trtexec wrote no times that can be read: {type(error).__name__}: {error}"
        ) from error
    if not compute_s:
        raise ProfilingError("run", "trtexec wrote no times beyond its warm-up")
    # One among many would not be seen in their sum.
    strange = next((time_s for time_s in compute_s if not 0 <= time_s < math.inf), None)
    if strange is not None:
        raise ProfilingError("run", f"an iteration must take 0 ms or more; trtexec wrote {1e3 * strange:g} ms")
    enqueue_s = median(enqueues_s) if enqueues_s else 0.0
    span_s = max(moments_s) - min(moments_s) if moments_s else 0.0
    return Times(compute_s, enqueue_s if enqueue_s > 0 else None, max(span_s, sum(compute_s)))


def failure_reason(output: str) -> str:
    """Why trtexec failed, in the last of its own words."""
    errors = [line.strip() for line in _ERROR_LINE.findall(output)]
    if errors:
        return "; ".join(dict.fromkeys(errors[-_MOST_ERROR_LINES:]))
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def has_failed(exit_status: int, output: str) -> bool:
    """Whether a run failed: by its exit status, or by the line it ends with."""
    return exit_status != 0 or "&&&& FAILED" in output


def shown(arguments: Sequence[str]) -> str:
    """Flags as one text, for the record."""
    return " ".join(arguments)
