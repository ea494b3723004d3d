"""The ProxylessNAS spaces for mobile phones (Cai, Zhu and Han, ICLR 2019, arXiv 1812.00332).

21 units of MBConv blocks, kernels 3, 5 and 7 by expansions 3 and 6, and Zero where the input can take the block's
place. Stem, first block and last 1x1 are fixed; activations are ReLU6.

Their workloads are spelled as the rows of imported tables are: ``proxylessnas-trim`` has the widths of the published
table of a Pixel 1, so that this table serves it. The published network has a wider first stage, 32 channels, and
belongs to ``proxylessnas``, of which that table lacks the 18 blocks that touch that stage. MACs are those of
convolutions and of the fully connected layer, without biases: the published network has 320 427 584 at 224 pixels, and
4 080 512 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from latency import Shape, Workload
from lut import activated_convolution, classifier, mobile_block
from search.spaces.chains import Stage, classifying, output_of, refuse_small, stage_units
from search.spaces.space import Candidate, Space

_LEAST_SIZE = 32
"""Least height and width: at output stride 32 one pixel remains."""

_ACTIVATION = "relu6"

_STEM, _FIRST, _LAST = 32, 16, 1280
"""Channels of stem, first block and last 1x1."""

_CHOICES = tuple((kernel, expansion) for kernel in (3, 5, 7) for expansion in (3, 6))

ZERO = "zero"

_REFERENCE = "k3e6"
"""In every unit, the hand-made network that limits in percent refer to: MobileNetV2's block."""

PROXYLESS_STAGES: Mapping[str, tuple[Stage, ...]] = MappingProxyType(
    {
        name: (
            Stage(first, 4, 2),
            Stage(40, 4, 2),
            Stage(80, 4, 2),
            Stage(96, 4, 1),
            Stage(192, 4, 2),
            Stage(320, 1, 1),
        )
        for name, first in (("proxylessnas", 32), ("proxylessnas-trim", 24))
    }
)
"""The spaces by name."""


def proxylessnas(
    name: str, stages: tuple[Stage, ...], input_size: tuple[int, int], classes: int, precision: str = "fp32"
) -> Space:
    """Build a space of the ProxylessNAS kind.

    Args:
        name: its name.
        stages: widths, depths and strides.
        input_size: height and width of the input image, each at least 32 pixels.
        classes: number of classes.
        precision: number format of all workloads.

    Raises:
        WrongUse: the input is too small, or there is no class.
    """
    refuse_small(name, input_size, classes, _LEAST_SIZE)
    image = (3, *input_size)
    stem = activated_convolution(image, _STEM, activation=_ACTIVATION, kernel=3, stride=2, precision=precision)
    first = _block(output_of(stem), _FIRST, 1, 3, 1, precision)
    units = stage_units(stages, output_of(first), partial(_candidates, precision))
    end = output_of(units[-1].candidates[0].workload)
    mix = activated_convolution(end, _LAST, activation=_ACTIVATION, precision=precision)
    last = classifier(output_of(mix), classes, pool=True, precision=precision)
    return classifying(name, input_size, (stem, first), units, (mix,), last, _REFERENCE)


def _candidates(precision: str, source: Shape, channels: int, stride: int) -> tuple[Candidate, ...]:
    blocks = [
        Candidate(f"k{kernel}e{expansion}", (_block(source, channels, stride, kernel, expansion, precision),))
        for kernel, expansion in _CHOICES
    ]
    zero = Candidate(ZERO, (Workload("identity", (source,), {}, precision),))
    return (*blocks, zero) if _adds_input(source, channels, stride) else tuple(blocks)


def _block(source: Shape, channels: int, stride: int, kernel: int, expansion: int, precision: str) -> Workload:
    return mobile_block(
        source,
        channels,
        kernel=kernel,
        stride=stride,
        hidden=source[0] * expansion,
        activation=_ACTIVATION,
        skip=_adds_input(source, channels, stride),
        precision=precision,
    )


def _adds_input(source: Shape, channels: int, stride: int) -> bool:
    return stride == 1 and source[0] == channels
