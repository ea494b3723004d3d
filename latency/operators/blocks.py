"""Operators of the encoder: convolution, inverted residual, and what stands in for a skipped block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from latency.operators.contract import Operator, integer
from latency.operators.layer import Layer, convolution, output_size
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import nn


@final
class ConvolutionBlock(Operator):
    """Convolution, batch normalisation, ReLU: the stem and the head."""

    name = "convolution"
    attributes = {"channels": int, "kernel": int, "stride": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One convolution."""
        channels, kernel, stride = (integer(workload, name) for name in self.attributes)
        return (convolution(workload.inputs[0], channels, kernel, stride),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import modules

        channels, kernel, stride = (integer(workload, name) for name in self.attributes)
        return modules.convolution(workload.inputs[0][0], channels, kernel, stride, relu=True)


@final
class InvertedResidual(Operator):
    """1x1, depthwise, 1x1, each with batch normalisation, ReLU after the first two (SqueezeNAS, FBNet).

    The hidden width is input channels x expansion, and the first 1x1 is there even at expansion 1. ``groups``
    applies to both 1x1 convolutions. The input is added exactly when stride is 1 and channels do not change.
    """

    name = "inverted_residual"
    attributes = {"channels": int, "kernel": int, "stride": int, "expansion": int, "groups": int, "dilation": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Three convolutions."""
        channels, kernel, stride, expansion, groups, _ = (integer(workload, name) for name in self.attributes)
        source = workload.inputs[0]
        hidden = source[0] * expansion
        widen = convolution(source, hidden, groups=groups)
        depthwise = convolution(widen.output, hidden, kernel, stride, groups=hidden)
        return widen, depthwise, convolution(depthwise.output, channels, groups=groups)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import modules

        return modules.InvertedResidual(workload.inputs[0][0], *(integer(workload, name) for name in self.attributes))


@final
class Identity(Operator):
    """Nothing: a skipped unit whose input and output have the same shape."""

    name = "identity"
    attributes = {}
    is_free = True

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """No work; the output is the input."""
        return (Layer(output=workload.inputs[0]),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) unchanged."""
        from torch import nn

        return nn.Identity()


@final
class FactorizedReduce(Operator):
    """A skipped unit at stride 2: ReLU, two 1x1 convolutions of half the channels, one reading shifted by a pixel.

    At an odd size the shifted input is continued by one row or column of zeros, so that both halves have the
    size that every other candidate of the unit has.
    """

    name = "factorized_reduce"
    attributes = {"channels": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Two convolutions of half the output channels."""
        channels = integer(workload, "channels")
        first = convolution(workload.inputs[0], channels // 2, stride=2)
        second = convolution(workload.inputs[0], channels - channels // 2, stride=2)
        joined = Layer(output=(channels, output_size(workload.inputs[0][1], 2), output_size(workload.inputs[0][2], 2)))
        return first, second, joined

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / 2, W / 2)."""
        from latency.operators import modules

        return modules.FactorizedReduce(workload.inputs[0][0], integer(workload, "channels"), workload.inputs[0][1:])


@final
class Projection(Operator):
    """A skipped unit at stride 1 whose channels change: ReLU, 1x1 convolution, batch normalisation."""

    name = "projection"
    attributes = {"channels": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One 1x1 convolution."""
        return (convolution(workload.inputs[0], integer(workload, "channels")),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H, W)."""
        from torch import nn

        from latency.operators import modules

        return nn.Sequential(nn.ReLU(), modules.convolution(workload.inputs[0][0], integer(workload, "channels")))
