"""MobileNetV2 (Sandler et al., 2018, arXiv 1801.04381) for segmentation: the hand-made network to be compared with.

The encoder is that of the paper's table 2 at output stride 16, as its section 6.3 and DeepLab's public code have it
(``slim/nets/mobilenet``, ``output_stride=16``): the stage that would go to stride 32 keeps 16, its first block as it
is, and the blocks after it with depthwise convolutions of dilation 2. The 1x1 to 1280 channels is left out, as in that
section. The decoder is the LR-ASPP of SqueezeNAS' Small and Large, at its own width whatever that of the encoder; it
reads the last unit, and the last one at output stride 8.

A width multiplies the channels of stem and stages, each rounded to a multiple of 8 that is at most 10 % below, and
at least 8 (``make_divisible`` of the public code). Every unit has one candidate, so that a space is one network:
``mobilenetv2`` at width 1, ``mobilenetv2-0.5`` at half of it, and so on for any width.

It is built of what SqueezeNAS' spaces are built of, so that training, export and tables treat it the same. Where it
thereby differs from the paper: ReLU in place of ReLU6; no batch normalisation with a decay of its own; and weights that
are drawn as SqueezeNAS' are, without ImageNet.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from devices import WrongUse
from latency import Shape, Value, Workload
from search.spaces.chains import output_of, refuse_small
from search.spaces.space import Candidate, Space, Unit

MOBILENETV2 = "mobilenetv2"
"""The space at width 1; ``mobilenetv2-0.5`` and the like at others."""

LEAST_WIDTH, MOST_WIDTH = 0.05, 4.0
"""Widths beyond these are taken for slips; the paper has 0.35 to 1.4."""

_LEAST_SIZE = 32
"""Least height and width, as of SqueezeNAS' spaces: two pixels remain at output stride 16."""

_DIVISOR = 8
_LARGEST_LOSS = 0.1
"""Channels are whole multiples of the divisor, and rounding down takes no larger share of them than this."""

_STEM, _MIDDLE = 32, 128
"""Channels of the stem at width 1, and of the decoder at every width."""

_EXPANSION, _DILATION = 6, 2

_TAP_STAGE = 2
"""The stage, counted from 0, whose last unit the decoder reads beside the encoder's output: output stride 8."""


@dataclass(frozen=True)
class _Stage:
    """A row of table 2 at output stride 16: the first unit has the stride, those after it the dilation."""

    expansion: int
    channels: int
    units: int
    stride: int
    first_dilation: int = 1
    dilation: int = 1


_STAGES = (
    _Stage(1, 16, 1, 1),
    _Stage(_EXPANSION, 24, 2, 2),
    _Stage(_EXPANSION, 32, 3, 2),
    _Stage(_EXPANSION, 64, 4, 2),
    _Stage(_EXPANSION, 96, 3, 1),
    _Stage(_EXPANSION, 160, 3, 1, dilation=_DILATION),  # Stride 2 in the paper.
    _Stage(_EXPANSION, 320, 1, 1, _DILATION, _DILATION),
)


def mobilenetv2(name: str, width: float, input_size: tuple[int, int], classes: int, precision: str = "fp32") -> Space:
    """Build MobileNetV2 with an LR-ASPP decoder as a space of one network.

    Args:
        name: its name.
        width: multiplies the channels of stem and stages.
        input_size: height and width of the input image, each at least 32 pixels.
        classes: number of classes.
        precision: number format of all workloads.

    Raises:
        WrongUse: the input is too small, there is no class, or the width is no width.
    """
    refuse_small(name, input_size, classes, _LEAST_SIZE)
    if not LEAST_WIDTH <= width <= MOST_WIDTH:
        raise WrongUse(f"A width of {MOBILENETV2} is from {LEAST_WIDTH} to {MOST_WIDTH}; got {width:g}.")
    attributes = {"channels": scaled(_STEM, width), "kernel": 3, "stride": 2}
    image = Workload("convolution", ((3, *input_size),), attributes, precision)
    units = _units(output_of(image), width, precision)
    ends = [output_of(unit.candidates[0].workload) for unit in units]
    tap = sum(stage.units for stage in _STAGES[: _TAP_STAGE + 1]) - 1
    reads = {"middle": _MIDDLE, "classes": classes, "height": input_size[0], "width": input_size[1]}
    decoder = Workload("lr_aspp", (ends[-1], ends[tap]), reads, precision)
    return Space(name, input_size, classes, (image,), units, (), tap, decoder, (0,) * len(units))


def mobilenetv2_width(name: str) -> float | None:
    """The width that the name of such a space ends with, 1 where it ends with none; None for another name."""
    match = re.fullmatch(rf"{MOBILENETV2}(?:-(\d+(?:\.\d+)?))?", name)
    return None if match is None else float(match[1] or 1)


def mobilenetv2_name(width: float) -> str:
    """The name of the space of that width."""
    return MOBILENETV2 if width == 1 else f"{MOBILENETV2}-{width:g}"


def scaled(channels: int, width: float) -> int:
    """Channels at a width: the nearest multiple of 8, or the next one where that loses more than a tenth.

    Source: ``make_divisible`` of the public code of MobileNetV2.
    """
    wanted = channels * width
    nearest = max(_DIVISOR, math.floor(wanted + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return nearest if nearest >= (1 - _LARGEST_LOSS) * wanted else nearest + _DIVISOR


def _units(source: Shape, width: float, precision: str) -> tuple[Unit, ...]:
    units, shape = list[Unit](), source
    for number, stage in enumerate(_STAGES, 1):
        for index in range(stage.units):
            block = _plain_block if stage.expansion == 1 else _expanded_block
            candidate = block(stage, index, scaled(stage.channels, width), shape, precision)
            units.append(Unit(f"stage {number}.{index + 1}", (candidate,)))
            shape = output_of(candidate.workload)
    return tuple(units)


def _expanded_block(stage: _Stage, index: int, channels: int, source: Shape, precision: str) -> Candidate:
    """SqueezeNAS' k3e6g1, or k3e6g1d2 where it is dilated; called as it is there."""
    dilation = stage.first_dilation if index == 0 else stage.dilation
    attributes = {
        "channels": channels,
        "kernel": 3,
        "stride": stage.stride if index == 0 else 1,
        "expansion": stage.expansion,
        "groups": 1,
        "dilation": dilation,
    }
    name = f"k3e{stage.expansion}g1" + (f"d{dilation}" if dilation > 1 else "")
    return Candidate(name, (Workload("inverted_residual", (source,), attributes, precision),))


def _plain_block(stage: _Stage, index: int, channels: int, source: Shape, precision: str) -> Candidate:
    """A block that does not expand: it has no first 1x1, which SqueezeNAS' k3e1g1 has."""
    stride = stage.stride if index == 0 else 1
    attributes: dict[str, Value] = {
        "channels": channels,
        "kernel": 3,
        "stride": stride,
        "hidden": source[0],
        "activation": "relu",
        "skip": int(stride == 1 and source[0] == channels),
        "se": 0,
    }
    return Candidate("k3e1", (Workload("mbconv", (source,), attributes, precision),))
