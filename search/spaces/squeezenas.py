"""The SqueezeNAS spaces (Shaw et al., 2019, arXiv 1908.01748): Small, Large, XLarge, and a scaled demo.

13 candidates for each of 20 or 22 units, a fixed stem, an optional head, and a decoder that reads the encoder's
output at stride 16 and one unit's output at stride 4 or 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from latency import Shape, Value, Workload
from search.spaces.chains import Stage, output_of, refuse_small, stage_units
from search.spaces.space import Candidate, Space

_LEAST_SIZE = 32
"""Least height and width: at output stride 16 two pixels remain, the fewest that can be resized."""


@dataclass(frozen=True)
class Macro:
    """What sets the spaces apart: widths, depths, tap and decoder.

    Attributes:
        stem: channels of the 3x3 stride-2 stem.
        stages: stages in order.
        head: channels of a 1x1 after the last unit, None without one.
        tap: 0-based unit whose output the decoder reads.
        decoder: name of the decoder's operator.
        middle: channels inside the decoder.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int | None
    tap: int
    decoder: str
    middle: int


@dataclass(frozen=True)
class _Kind:
    """An inverted residual among the candidates."""

    kernel: int
    expansion: int
    groups: int
    dilation: int = 1

    @property
    def name(self) -> str:
        return f"k{self.kernel}e{self.expansion}g{self.groups}" + (f"d{self.dilation}" if self.dilation > 1 else "")


_VARIANTS = ((1, 1), (1, 2), (3, 1), (6, 1))
"""Expansion and groups of the four variants of each depthwise kernel, in the published index order."""

_KINDS = tuple(
    _Kind(kernel, expansion, groups, dilation)
    for kernel, dilation in ((3, 1), (5, 1), (3, 2))
    for expansion, groups in _VARIANTS
)

SKIP = "skip"

_REFERENCE = "k3e3g1"
"""In every unit, the hand-made network that limits in percent refer to: MobileNetV2's block at half its expansion."""

MACROS: Mapping[str, Macro] = MappingProxyType(
    {
        "squeezenas-small": Macro(
            stem=16,
            stages=(Stage(16, 4, 2), Stage(24, 4, 2), Stage(40, 4, 2), Stage(48, 4, 1), Stage(96, 4, 1)),
            head=256,
            tap=7,
            decoder="lr_aspp",
            middle=128,
        ),
        "squeezenas-large": Macro(
            stem=16,
            stages=(
                Stage(16, 1, 1),
                Stage(24, 4, 2),
                Stage(32, 4, 2),
                Stage(64, 4, 2),
                Stage(96, 4, 1),
                Stage(160, 4, 1),
                Stage(160, 1, 1),
            ),
            head=None,
            tap=8,
            decoder="lr_aspp",
            middle=128,
        ),
        "squeezenas-xlarge": Macro(
            stem=48,
            stages=(
                Stage(24, 1, 1),
                Stage(32, 4, 2),
                Stage(48, 4, 2),
                Stage(96, 4, 2),
                Stage(144, 4, 1),
                Stage(240, 4, 1),
                Stage(320, 1, 1),
            ),
            head=None,
            tap=4,
            decoder="aspp",
            middle=160,
        ),
        # squeezenas-small at half width and half depth; every rule that makes the space is the same.
        "demo": Macro(
            stem=8,
            stages=(Stage(8, 2, 2), Stage(12, 2, 2), Stage(20, 2, 2), Stage(24, 2, 1), Stage(48, 2, 1)),
            head=128,
            tap=3,
            decoder="lr_aspp",
            middle=64,
        ),
    }
)
"""The spaces by name."""


def squeezenas(name: str, macro: Macro, input_size: tuple[int, int], classes: int, precision: str = "fp32") -> Space:
    """Build a space of the SqueezeNAS kind.

    Args:
        name: its name.
        macro: widths, depths, tap and decoder.
        input_size: height and width of the input image, each at least 32 pixels.
        classes: number of classes.
        precision: number format of all workloads.

    Raises:
        WrongUse: the input is too small, or there is no class.
    """
    refuse_small(name, input_size, classes, _LEAST_SIZE)
    image = Workload("convolution", ((3, *input_size),), _convolution(macro.stem, 3, 2), precision)
    units = stage_units(macro.stages, output_of(image), partial(_candidates, precision))
    ends = [output_of(unit.candidates[0].workload) for unit in units]
    head: tuple[Workload, ...] = ()
    last = ends[-1]
    if macro.head is not None:
        head = (Workload("convolution", (last,), _convolution(macro.head, 1, 1), precision),)
        last = output_of(head[-1])
    reads = {"middle": macro.middle, "classes": classes, "height": input_size[0], "width": input_size[1]}
    decoder = Workload(macro.decoder, (last, ends[macro.tap]), reads, precision)
    reference = tuple(unit.names.index(_REFERENCE) for unit in units)
    return Space(name, input_size, classes, (image,), units, head, macro.tap, decoder, reference)


def _candidates(precision: str, source: Shape, channels: int, stride: int) -> tuple[Candidate, ...]:
    blocks = [
        Candidate(kind.name, (Workload("inverted_residual", (source,), _block(kind, channels, stride), precision),))
        for kind in _KINDS
    ]
    return (*blocks, Candidate(SKIP, (_skip(source, channels, stride, precision),)))


def _skip(source: Shape, channels: int, stride: int, precision: str) -> Workload:
    if stride == 2:
        return Workload("factorized_reduce", (source,), {"channels": channels}, precision)
    if source[0] != channels:
        return Workload("projection", (source,), {"channels": channels}, precision)
    return Workload("identity", (source,), {}, precision)


def _block(kind: _Kind, channels: int, stride: int) -> dict[str, Value]:
    return {
        "channels": channels,
        "kernel": kind.kernel,
        "stride": stride,
        "expansion": kind.expansion,
        "groups": kind.groups,
        "dilation": kind.dilation,
    }


def _convolution(channels: int, kernel: int, stride: int) -> dict[str, Value]:
    return {"channels": channels, "kernel": kernel, "stride": stride}
