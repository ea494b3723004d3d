"""Times that nobody measured, from what a device can do at most by its maker's figures.

A layer takes at least as long as its operations do at the peak rate, and as long as its bytes take through the memory
(Williams, Waterman and Patterson, Roofline: an insightful visual performance model for multicore architectures, CACM
52(4), 2009); engines overlap the two, so the longer one counts, and on top comes the least time that any layer takes.
A block is the sum of its layers and not one roofline over all of them, because what lies between two layers is
written to memory and read again: engines fuse elementwise work, batch normalisation and activations into the
convolution before them, but no convolution into another. What is assumed of a layer:

- It reads its input and its weights once and writes its output once, all in the precision of the workload.
- A layer that is no convolution (pooling, resizing, concatenation) reads as much as it writes.
- Inputs that no convolution reads are read once more: the sum at the end of a residual block.

No device reaches its peaks, so the sum is multiplied by what measured devices take on average (``ROOFLINE_FACTOR``).
How far blocks and devices are from that is in the interval, which is wide. ``benchmarks/roofline_prior.py`` has the
figures, and how well blocks are ranked by such times: about as well as by their MACs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import final

from devices import Device, Peaks, Target, WrongUse
from latency.environment import Environment, Runtime
from latency.estimate import Estimate
from latency.operators import Layer, operator_of
from latency.profilers import find_profiler
from latency.workload import PRECISION_BYTES, Shape, Workload

ROOFLINE = "roofline"
"""Stands for the runtime in the environment of such times: nothing ran."""

ROOFLINE_FACTOR = 1.8
"""Time over roofline: the geometric mean over four devices, each the geometric mean over its blocks.

They are a V100 (3.0) and a GTX 1080 Ti (1.1) with TensorRT, one core of a Galaxy Note10 (2.0) and one of an EPYC with
ONNX Runtime (1.5), all in fp32 and for one image. None tells of tensor cores, which small layers hardly fill.
"""

ROOFLINE_LOG_DEVIATION = 1.0
"""Standard deviation of the logarithm of a block's time: the 95 % interval is a factor of 7 in both directions.

The four devices tell of 0.74 (devices differ by 0.4, blocks around theirs by 0.2 to 0.9). It is rounded up because the
worst of them, the V100, is off by 1.06, and because none tells of tensor cores. A single measurement says more.
"""

_TARGET = "target"


@final
class Roofline:
    """The roofline of a device.

    Args:
        peaks: its maker's figures.
    """

    def __init__(self, peaks: Peaks) -> None:
        self._peaks = peaks

    def bound_s(self, workload: Workload) -> float:
        """Seconds that the workload takes where every layer reaches the peaks; 0 for one that leaves no trace.

        Raises:
            WrongUse: the precision has no peak, or no operator takes the workload.
        """
        operator = operator_of(workload)
        if operator.is_free:
            return 0.0
        operations_per_s = _operations_per_s(self._peaks, workload.precision)
        layers = operator.layers(workload)
        times_s = [self._layer_s(layer, workload, operations_per_s) for layer in layers]
        unread = _unread(workload, layers) * PRECISION_BYTES[workload.precision] * workload.batch
        return sum(times_s) + unread / self._peaks.bandwidth_bytes_per_s

    def estimate(self, workload: Workload) -> Estimate:
        """What the workload is believed to take.

        Raises:
            WrongUse: as ``bound_s``.
        """
        mean_s = ROOFLINE_FACTOR * self.bound_s(workload)
        return Estimate(mean_s, ROOFLINE_LOG_DEVIATION * mean_s, "roofline", is_inside=False)

    def _layer_s(self, layer: Layer, workload: Workload, operations_per_s: float) -> float:
        operations = 2 * layer.macs * workload.batch
        moved = workload.batch * (_read(layer) + _elements(layer.output)) + layer.parameters
        moved_s = moved * PRECISION_BYTES[workload.precision] / self._peaks.bandwidth_bytes_per_s
        return max(operations / operations_per_s, moved_s) + self._peaks.launch_s


def open_roofline(target: Target, precision: str) -> Roofline:
    """The roofline of a target.

    Args:
        target: the device.
        precision: number format that times are asked for.

    Raises:
        WrongUse: no peaks are known of the target, or none of the precision.
    """
    peaks = _peaks(target)
    _operations_per_s(peaks, precision)
    return Roofline(peaks)


def roofline_environment(target: Target) -> Environment:
    """Where times from the peaks of ``target`` come from: no device that was seen, and nothing that ran.

    The figures are part of it, so that times from other figures are never mixed with them, and measured ones neither.

    Raises:
        WrongUse: no peaks are known of the target.
    """
    peaks = _peaks(target)
    device = Device(find_profiler(target.runtime).accelerator, target.description, "unknown")
    options = {
        _TARGET: target.name,
        **{f"{name} operations per s": f"{rate:g}" for name, rate in sorted(peaks.operations_per_s.items())},
        "bandwidth bytes per s": f"{peaks.bandwidth_bytes_per_s:g}",
        "launch s": f"{peaks.launch_s:g}",
        "peaks from": peaks.source,
        "factor": f"{ROOFLINE_FACTOR:g}",
        "log deviation": f"{ROOFLINE_LOG_DEVIATION:g}",
    }
    return Environment(device, Runtime(ROOFLINE, {"paceline": _version()}, None, options))


def is_estimated(environment: Environment) -> bool:
    """Whether times of this environment come from peak figures, and none was measured."""
    return environment.runtime.name == ROOFLINE


def estimated_target(environment: Environment) -> str:
    """The name of the target whose peaks the times of such an environment come from."""
    return environment.runtime.options[_TARGET]


def nothing_measured(environment: Environment) -> str:
    """What must be said wherever a time of the environment is shown; empty where times are measured."""
    if not is_estimated(environment):
        return ""
    return f"Estimated from peak figures of {environment.device.name}; nothing was measured."


def _peaks(target: Target) -> Peaks:
    if target.peaks is None:
        raise WrongUse(
            f"No peak figures are known of the target {target.name!r}, so nothing can be estimated of it. Measure it: "
            "give the same command without --estimate."
        )
    return target.peaks


def _operations_per_s(peaks: Peaks, precision: str) -> float:
    if precision not in peaks.operations_per_s:
        raise WrongUse(
            f"No peak is known for {precision} on this device, but for {', '.join(peaks.operations_per_s)}. Choose one "
            "of these with --precision."
        )
    return peaks.operations_per_s[precision]


def _version() -> str:
    try:
        return version("paceline")
    except PackageNotFoundError:  # Run from a checkout.
        return "unknown"


def _read(layer: Layer) -> int:
    """Elements that a layer reads of one image, its weights aside."""
    return _elements(layer.output if layer.window is None else layer.window.source)


def _unread(workload: Workload, layers: Sequence[Layer]) -> int:
    """Elements of one image that no convolution reads, such as what is added at the end of a residual block."""
    read = {layer.window.source for layer in layers if layer.window is not None}
    return sum(_elements(shape) for shape in workload.inputs[1:] if shape not in read)


def _elements(shape: Shape) -> int:
    channels, height, width = shape
    return channels * height * width
