"""Inverted residuals that only FBNet has: with a channel shuffle, and with two depthwise convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from latency.operators.contract import Operator, integer
from latency.operators.layer import Layer, convolution
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import nn


@final
class ShuffledResidual(Operator):
    """An ``inverted_residual`` in groups, with a channel shuffle after the first 1x1 (FBNet, figure 2).

    The shuffle lets the groups of the second 1x1 read from all groups of the first; it counts nothing, and takes time.
    """

    name = "shuffled_residual"
    attributes = {"channels": int, "kernel": int, "stride": int, "expansion": int, "groups": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Three convolutions, and the shuffle after the first."""
        channels, kernel, stride, expansion, groups = (integer(workload, name) for name in self.attributes)
        source = workload.inputs[0]
        hidden = source[0] * expansion
        widen = convolution(source, hidden, groups=groups)
        depthwise = convolution(widen.output, hidden, kernel, stride, groups=hidden)
        narrow = convolution(depthwise.output, channels, groups=groups)
        return widen, Layer(output=widen.output), depthwise, narrow

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import fbnet_modules

        attributes = (integer(workload, name) for name in self.attributes)
        return fbnet_modules.ShuffledResidual(workload.inputs[0][0], *attributes)


@final
class DoubleDepthwiseResidual(Operator):
    """An ``inverted_residual`` with two depthwise convolutions, the first with the stride: FBNet's ``k3+3``."""

    name = "double_depthwise_residual"
    attributes = {"channels": int, "kernel": int, "stride": int, "expansion": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Four convolutions."""
        channels, kernel, stride, expansion = (integer(workload, name) for name in self.attributes)
        source = workload.inputs[0]
        hidden = source[0] * expansion
        first = convolution((hidden, *source[1:]), hidden, kernel, stride, groups=hidden)
        second = convolution(first.output, hidden, kernel, groups=hidden)
        return convolution(source, hidden), first, second, convolution(second.output, channels)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import fbnet_modules

        attributes = (integer(workload, name) for name in self.attributes)
        return fbnet_modules.DoubleDepthwiseResidual(workload.inputs[0][0], *attributes)
