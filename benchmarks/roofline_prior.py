"""How good is a table in which nothing was measured?

Blocks of devices whose times and peak figures are both published are estimated from the peaks alone, as
``profile-device --estimate`` does it, and held against their measured times. The factor between roofline and time, and
the spread around it, that each device is judged by come from the other devices: nothing that is printed of a device
was fitted to it. The constants of latency/roofline.py are those of all devices together, the deviation rounded up.

Printed are time over roofline (the geometric mean, and the standard deviation of its logarithm), the share of times in
the 90 % interval, also in that of the constants as they ship, which is wider, and Spearman's rank correlation of times
with the estimates, beside that with MACs, which need no peaks either. Data that is missing is left out, and said so.
From the root of the repository:

    python benchmarks/roofline_prior.py --data ../shared/data

A table that profile-device filled is one more device; with runs/local.jsonl from one core of an AMD EPYC (Zen 4, two
256-bit FMA units at 3.7 GHz, 460.8 GB/s):

    python benchmarks/roofline_prior.py --table runs/local.jsonl --operations 118.4e9 --bandwidth 460.8e9
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple, TypeAlias, final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.kernels_v100 import Kernels
from devices import PacelineError, Peaks, WrongUse, find_target
from latency import (
    ROOFLINE_FACTOR,
    ROOFLINE_LOG_DEVIATION,
    Measurement,
    Roofline,
    Shape,
    Workload,
    open_roofline,
    operator_of,
)
from lut import FORMATS, Statement, Table, format_of, read_foreign
from search import open_published, open_space

Array: TypeAlias = npt.NDArray[np.float64]

_LAUNCH_S = 5e-6
"""What a kernel launch takes on any GPU; next to the layers of a processor it is nothing."""

_V100 = Peaks({"fp32": 15.7e12}, 900e9, "NVIDIA V100 datasheet (SXM2)", _LAUNCH_S)
_GTX_1080_TI = Peaks({"fp32": 11.3e12}, 484e9, "NVIDIA GeForce GTX 1080 Ti specifications", _LAUNCH_S)
_NOTE10 = Peaks(
    {"fp32": 45.4e9},
    34.1e9,
    "one Cortex-A76 at 2.84 GHz with two 128-bit FMA pipes (Arm's optimisation guide), 64-bit LPDDR4X-4266",
    _LAUNCH_S,
)
_MOST_ROWS = 5000
"""Of a file, chosen at random; more do not change a figure."""

_Z90 = NormalDist().inv_cdf(0.95)
_LEAST_DEVICES = 3
"""Of two devices, neither says how much devices differ."""

_XAVIER_MOST_MS = {"lat_small": 35.0, "lat_large": 100.0}
"""What SqueezeNAS says its networks take at most on an AGX Xavier, at 1024x2048."""


class Row(NamedTuple):
    """A block, as the workloads that run one after another, and its measured time in seconds."""

    workloads: tuple[Workload, ...]
    time_s: float


@final
@dataclass(frozen=True, eq=False)
class Known:
    """A device whose times and peaks are known.

    Attributes:
        name: for the screen.
        peaks: its maker's figures.
        time_s: measured, shape (n,), seconds.
        bound_s: rooflines, shape (n,), seconds.
        macs: multiply-accumulates, shape (n,).
    """

    name: str
    peaks: Peaks
    time_s: Array
    bound_s: Array
    macs: Array

    @staticmethod
    def of(name: str, peaks: Peaks, rows: Iterable[Row]) -> Known:
        """The device of these rows."""
        roofline, found = Roofline(peaks), tuple(rows)
        return Known(
            name=name,
            peaks=peaks,
            time_s=np.array([row.time_s for row in found]),
            bound_s=np.array([sum(map(roofline.bound_s, row.workloads)) for row in found]),
            macs=np.array([sum(operator_of(w).macs(w) for w in row.workloads) for row in found], dtype=float),
        )

    @property
    def log_ratio(self) -> Array:
        """Logarithm of time over roofline, shape (n,)."""
        return np.log(self.time_s / self.bound_s)


class Prior(NamedTuple):
    """A log-normal belief in time over roofline: its median, and the standard deviation of its logarithm."""

    factor: float
    log_deviation: float

    @staticmethod
    def of(devices: Sequence[Known]) -> Prior:
        """What they tell of the blocks of one more device.

        Every device counts the same, however many rows it has. Devices vary, blocks vary within them, and the mean
        over few devices is not sure itself.
        """
        means = [float(known.log_ratio.mean()) for known in devices]
        between = float(np.var(means, ddof=1)) * (1 + 1 / len(devices))
        within = float(np.mean([known.log_ratio.var() for known in devices]))
        return Prior(math.exp(np.mean(means)), math.sqrt(between + within))

    def coverage(self, known: Known) -> float:
        """Share of the device's times that lie in the 90 % interval."""
        z = (known.log_ratio - math.log(self.factor)) / self.log_deviation
        return float(np.mean(np.abs(z) <= _Z90))


_SHIPPED = Prior(ROOFLINE_FACTOR, ROOFLINE_LOG_DEVIATION)


def main() -> None:
    """Read, hold each device against the others, print."""
    arguments = _arguments()
    devices = list(_devices(arguments))
    if len(devices) < _LEAST_DEVICES:
        raise WrongUse(
            f"At least {_LEAST_DEVICES} devices are needed; got {len(devices)}. Name their folder with --data."
        )
    print(f"\n{'device':26}{'blocks':>8}{'factor':>9}{'log dev.':>10}{'by the others':>16}{'in 90 %':>9}", end="")
    print(f"{'shipped':>10}{'rank':>8}{'of MACs':>9}")
    for known in devices:
        print(_line(known, Prior.of([other for other in devices if other is not known])))
    every = Prior.of(devices)
    print(f"all devices: factor {every.factor:.2f}, log deviation {every.log_deviation:.2f}", end="; ")
    print(f"latency/roofline.py has {ROOFLINE_FACTOR:g} and {ROOFLINE_LOG_DEVIATION:g}")
    _print_xavier()


def _line(known: Known, prior: Prior) -> str:
    ratio = known.log_ratio
    return (
        f"{known.name:26}{len(ratio):8}{math.exp(ratio.mean()):9.2f}{ratio.std():10.2f}"
        f"{prior.factor:9.2f}{prior.log_deviation:7.2f}{prior.coverage(known):9.0%}"
        f"{_SHIPPED.coverage(known):10.0%}{_spearman(known.bound_s, known.time_s):8.3f}"
        f"{_spearman(known.macs, known.time_s):9.3f}"
    )


def _print_xavier() -> None:
    """Estimates of networks of which upper bounds are published; nothing was fitted to them."""
    try:
        roofline = open_roofline(find_target("xavier"), "fp16")
    except WrongUse as error:
        print(f"left out: networks on a Xavier ({error})")
        return
    for name, most_ms in _XAVIER_MOST_MS.items():
        space, architecture = open_published(name, (1024, 2048))
        half = open_space(space.name, space.input_size, space.classes, "fp16")
        known = roofline.estimate(half.network(half.architecture(space.names(architecture))))
        low_s, high_s = known.interval_s
        print(
            f"{name} on a Xavier, fp16: {known.mean_s * 1e3:.1f} ms estimated, 95 % interval {low_s * 1e3:.1f} to "
            f"{high_s * 1e3:.1f}; SqueezeNAS says less than {most_ms:g} ms"
        )


def _devices(arguments: argparse.Namespace) -> Iterator[Known]:
    """Those whose data is there; of the others, words."""
    readers = {
        "V100, TensorRT, batch 1": (_V100, _v100, arguments.data / "v100_tensorrt_conv_fp32.npz"),
        "GTX 1080 Ti, TensorRT": (_GTX_1080_TI, _fasterseg, arguments.data / "lut" / "fasterseg_1080ti.json"),
        "Galaxy Note10, one core": (_NOTE10, _note10, arguments.data / "lut"),
    }
    for name, (peaks, read, path) in readers.items():
        if path.exists():
            yield _said(Known.of(name, peaks, _some(list(read(path)))))
        else:
            print(f"left out: {name} ({path} is missing)")
    if arguments.table is None:
        print("left out: a device of your own (--table)")
    else:
        peaks = Peaks({"fp32": arguments.operations}, arguments.bandwidth, "the command line", _LAUNCH_S)
        yield _said(Known.of(arguments.table.stem, peaks, _table(arguments.table)))


def _said(known: Known) -> Known:
    rate, bandwidth = known.peaks.operations_per_s["fp32"], known.peaks.bandwidth_bytes_per_s
    print(f"{known.name}: {rate / 1e9:,.1f} G operations/s, {bandwidth / 1e9:,.1f} GB/s ({known.peaks.source})")
    return known


def _some(rows: Sequence[Row]) -> list[Row]:
    chosen = np.random.default_rng(0).permutation(len(rows))[:_MOST_ROWS]
    return [rows[index] for index in np.sort(chosen)]


def _v100(path: Path) -> Iterator[Row]:
    """Single convolutions, of one image as in a table."""
    kernels = Kernels.read(path)
    chosen = kernels.only(np.flatnonzero(kernels.key[:, 1] == 1))
    for workload, time_s in zip(chosen.workloads("fp32"), chosen.time_s, strict=True):
        yield Row((workload,), float(time_s))


def _fasterseg(path: Path) -> Iterator[Row]:
    """Operations made of convolutions alone; the others resize or pool."""
    for workload, time_s in _foreign([path]):
        kind, values = workload.operator.removeprefix("fasterseg."), workload.attributes
        stride, channels, source = values.get("stride", 1), values.get("channels"), workload.inputs[0]
        if workload.operator == "convolution":
            yield Row((workload,), time_s)
        elif kind in {"BasicResidual1x", "BasicResidual2x"}:
            first = _convolution(source, channels, 3, stride)
            more = (_convolution(operator_of(first).output(first), channels, 3),) if kind.endswith("2x") else ()
            yield Row((first, *more), time_s)
        elif kind == "FactorizedReduce" and stride == 2:
            yield Row((_convolution(source, channels, 1, 2),), time_s)


def _note10(folder: Path) -> Iterator[Row]:
    """Inverted residuals and convolutions of Once-for-All; squeeze-and-excitation counts nothing."""
    for workload, time_s in _foreign(sorted(folder.glob("ofa_note10_*.yaml"))):
        values, source = workload.attributes, workload.inputs[0]
        if workload.operator == "inverted_residual":
            yield Row((workload,), time_s)
        elif workload.operator == "activated_convolution":
            yield Row((_convolution(source, values["channels"], values["kernel"], values["stride"]),), time_s)
        elif workload.operator == "mbconv":
            yield Row(tuple(_mbconv(source, values)), time_s)


def _mbconv(source: Shape, values: Mapping[str, Any]) -> Iterator[Workload]:
    hidden = (values["hidden"], *source[1:])
    if hidden != source:
        yield _convolution(source, hidden[0], 1)
    depthwise = _convolution(hidden, hidden[0], values["kernel"], values["stride"], groups=hidden[0])
    yield depthwise
    yield _convolution(operator_of(depthwise).output(depthwise), values["channels"], 1)


def _convolution(source: Shape, channels: Any, kernel: Any, stride: Any = 1, *, groups: int = 1) -> Workload:
    attributes = {"channels": channels, "kernel": kernel, "stride": stride, "groups": groups}
    return Workload("grouped_convolution", (source,), attributes)


def _foreign(paths: Sequence[Path]) -> Iterator[tuple[Workload, float]]:
    for path in paths:
        imported = read_foreign(path, format_of(path, "auto"), Statement(), lambda done, of: None, FORMATS.values())
        yield from ((row.workload, row.estimate.mean_s) for row in imported.rows)


def _table(path: Path) -> Iterator[Row]:
    for outcome in Table.read(path).values():
        if isinstance(outcome, Measurement) and outcome.workload.precision == "fp32":
            yield Row((outcome.workload,), outcome.time_s)


def _spearman(first: Array, second: Array) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published times")
    parser.add_argument("--table", type=Path, default=None, help="a table that was measured, in fp32")
    parser.add_argument("--operations", type=float, default=118.4e9, help="peak of that table's device, per second")
    parser.add_argument("--bandwidth", type=float, default=460.8e9, help="bytes per second of its memory")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except PacelineError as error:
        sys.exit(f"error: {error}")
