"""The FBNet space (Wu et al., CVPR 2019, arXiv 1812.03443, table 1), and the one that FBNet-B and -C are from.

22 units of nine candidates each, a fixed stem, a 1x1 after the last unit, and a classifier. The published networks B
and C have a wider 1x1, and in places a block of two depthwise convolutions that the paper's nine do not have: they
belong to ``fbnet-zoo``.

MACs are those of convolutions and of the fully connected layer, without biases. At expansion 1 the first 1x1 is there
and is counted. Counted so at 224 pixels, FBNet-A has 249 369 912, B 295 561 032 and C 382 984 480.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from latency import Shape, Value, Workload
from lut import classifier
from search.spaces.chains import Stage, classifying, output_of, refuse_small, stage_units
from search.spaces.space import Candidate, Space

_LEAST_SIZE = 32
"""Least height and width: at output stride 32 one pixel remains."""

_STEM = 16

_STAGES = (
    Stage(16, 1, 1),
    Stage(24, 4, 2),
    Stage(32, 4, 2),
    Stage(64, 4, 2),
    Stage(112, 4, 1),
    Stage(184, 4, 2),
    Stage(352, 1, 1),
)

SKIP = "skip"

_REFERENCE = "k3_e6"
"""In every unit, the hand-made network that limits in percent refer to: MobileNetV2's block."""


class _Kind(NamedTuple):
    """A block among the candidates. ``depthwise`` is how many depthwise convolutions it has."""

    kernel: int
    expansion: int
    groups: int = 1
    depthwise: int = 1

    @property
    def name(self) -> str:
        kernels = "+".join([str(self.kernel)] * self.depthwise)
        return f"k{kernels}_e{self.expansion}" + (f"_g{self.groups}" if self.groups > 1 else "")


_KINDS = tuple(
    _Kind(kernel, expansion, groups) for kernel in (3, 5) for expansion, groups in ((1, 1), (1, 2), (3, 1), (6, 1))
)
"""In the published index order; the ninth candidate is the skip."""


@dataclass(frozen=True)
class FbnetMacro:
    """What sets the two spaces apart.

    Attributes:
        head: channels of the 1x1 after the last unit.
        has_double_depthwise: whether a block of two 3x3 depthwise convolutions follows the nine candidates.
    """

    head: int
    has_double_depthwise: bool


FBNETS: Mapping[str, FbnetMacro] = MappingProxyType(
    {"fbnet": FbnetMacro(1504, has_double_depthwise=False), "fbnet-zoo": FbnetMacro(1984, has_double_depthwise=True)}
)
"""The spaces by name: the paper's, and that of the networks B and C in FBNet's model zoo."""


def fbnet(name: str, macro: FbnetMacro, input_size: tuple[int, int], classes: int, precision: str = "fp32") -> Space:
    """Build a space of the FBNet kind.

    Args:
        name: its name.
        macro: what sets it apart.
        input_size: height and width of the input image, each at least 32 pixels.
        classes: number of classes.
        precision: number format of all workloads.

    Raises:
        WrongUse: the input is too small, or there is no class.
    """
    refuse_small(name, input_size, classes, _LEAST_SIZE)
    stem = _convolution((3, *input_size), _STEM, 3, 2, precision)
    kinds = (*_KINDS, *([_Kind(3, 6, depthwise=2)] if macro.has_double_depthwise else []))

    def candidates(source: Shape, channels: int, stride: int) -> tuple[Candidate, ...]:
        blocks = [_candidate(kind, source, channels, stride, precision) for kind in kinds]
        skip = Candidate(SKIP, (_skip(source, channels, stride, precision),))
        return (*blocks[: len(_KINDS)], skip, *blocks[len(_KINDS) :])

    units = stage_units(_STAGES, output_of(stem), candidates)
    head = _convolution(output_of(units[-1].candidates[0].workload), macro.head, 1, 1, precision)
    last = classifier(output_of(head), classes, pool=True, precision=precision)
    return classifying(name, input_size, (stem,), units, (head,), last, _REFERENCE)


def _candidate(kind: _Kind, source: Shape, channels: int, stride: int, precision: str) -> Candidate:
    """An ``inverted_residual`` where that is the same computation, else an operator of its own."""
    attributes: dict[str, Value] = {
        "channels": channels,
        "kernel": kind.kernel,
        "stride": stride,
        "expansion": kind.expansion,
    }
    if kind.depthwise > 1:
        operator = "double_depthwise_residual"
    elif kind.groups > 1:
        operator = "shuffled_residual"
        attributes["groups"] = kind.groups
    else:
        operator = "inverted_residual"
        attributes |= {"groups": 1, "dilation": 1}
    return Candidate(kind.name, (Workload(operator, (source,), attributes, precision),))


def _skip(source: Shape, channels: int, stride: int, precision: str) -> Workload:
    if stride == 1 and source[0] == channels:
        return Workload("identity", (source,), {}, precision)
    return _convolution(source, channels, 1, stride, precision)


def _convolution(source: Shape, channels: int, kernel: int, stride: int, precision: str) -> Workload:
    attributes: dict[str, Value] = {"channels": channels, "kernel": kernel, "stride": stride}
    return Workload("convolution", (source,), attributes, precision)
