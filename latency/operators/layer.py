"""Layers an operator is made of, as far as counting needs them."""

from __future__ import annotations

from dataclasses import dataclass, field

from devices import WrongUse
from latency.workload import Shape


@dataclass(frozen=True)
class Window:
    """How a convolution reads its input.

    Attributes:
        source: shape of what it reads, for one image.
        kernel: pixels along each axis that one output pixel is made from.
        stride: pixels from one such square to the next.
        groups: parts that the channels are convolved in, each for itself.
    """

    source: Shape
    kernel: int
    stride: int
    groups: int


@dataclass(frozen=True)
class Layer:
    """One counted layer and the tensor it writes.

    Counting convention of SqueezeNAS: a convolution counts output elements x kernel height x kernel width x
    input channels / groups; bias, batch normalisation, activation, pooling and resizing count 0 MACs. A fully connected
    layer counts as a 1x1 convolution of one pixel.
    Parameters are convolution weights and biases, and weight and bias of batch normalisation.

    Attributes:
        output: shape of what the layer writes, for one image.
        macs: multiply-accumulates for one image.
        parameters: trainable numbers.
        window: how it reads, if it is a convolution. No count, so that layers that count the same are equal.
    """

    output: Shape
    macs: int = 0
    parameters: int = 0
    window: Window | None = field(default=None, compare=False)


def output_size(size: int, stride: int) -> int:
    """Pixels along one axis after a stride, with the padding that keeps the size at stride 1."""
    return -(-size // stride)


def convolution(
    source: Shape,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    *,
    bias: bool = False,
    norm: bool = True,
) -> Layer:
    """A convolution that keeps the size at stride 1, with its batch normalisation if ``norm``.

    Raises:
        WrongUse: the kernel is even, or the groups do not divide the channels.
    """
    if kernel % 2 == 0 or source[0] % groups or channels % groups:
        raise WrongUse(
            f"A convolution needs an odd kernel, and groups that divide its input and output channels; got kernel "
            f"{kernel}, {groups} groups, {source[0]} -> {channels} channels."
        )
    height, width = output_size(source[1], stride), output_size(source[2], stride)
    weights = channels * kernel * kernel * source[0] // groups
    return Layer(
        output=(channels, height, width),
        macs=weights * height * width,
        parameters=weights + channels * bias + 2 * channels * norm,
        window=Window(source, kernel, stride, groups),
    )
