"""Operations inside and between cells: those of NAS-Bench-201 (Dong and Yang, 2020) and NASNet (Zoph et al., 2018).

In a cell the activation comes first, so that what is summed is not cut at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from devices import WrongUse
from latency.operators.contract import Operator, flag, integer
from latency.operators.layer import Layer, convolution, output_size
from latency.operators.mobile_blocks import activation_of
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import nn


@final
class ReluConvolution(Operator):
    """ReLU, convolution, batch normalisation. With kernel and stride 1 that is a ``projection``, and called so."""

    name = "relu_convolution"
    attributes = {"channels": int, "kernel": int, "stride": int, "dilation": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One convolution."""
        channels, kernel, stride, _ = (integer(workload, name) for name in self.attributes)
        return (convolution(workload.inputs[0], channels, kernel, stride),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from torch import nn

        from latency.operators import modules

        channels, kernel, stride, dilation = (integer(workload, name) for name in self.attributes)
        source = workload.inputs[0][0]
        return nn.Sequential(nn.ReLU(), modules.convolution(source, channels, kernel, stride, dilation=dilation))


@final
class SeparableConvolution(Operator):
    """ReLU, depthwise, 1x1, batch normalisation, twice; the first has the stride (NASNet, appendix A.4)."""

    name = "separable_convolution"
    attributes = {"channels": int, "kernel": int, "stride": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Four convolutions; only the pointwise ones are normalised."""
        channels, kernel, stride = (integer(workload, name) for name in self.attributes)
        source = workload.inputs[0]
        first = convolution(source, source[0], kernel, stride, groups=source[0], norm=False)
        between = convolution(first.output, channels)
        second = convolution(between.output, channels, kernel, groups=channels, norm=False)
        return first, between, second, convolution(second.output, channels)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import cell_modules

        channels, kernel, stride = (integer(workload, name) for name in self.attributes)
        return cell_modules.separable_convolution(workload.inputs[0][0], channels, kernel, stride)


@final
class AveragePool(Operator):
    """The average of a window, of those of its pixels that lie inside the picture."""

    name = "average_pool"
    attributes = {"kernel": int, "stride": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """A pool, which counts nothing."""
        return (_pool(workload),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, C, H / stride, W / stride)."""
        from torch import nn

        kernel, stride = integer(workload, "kernel"), integer(workload, "stride")
        return nn.AvgPool2d(kernel, stride, kernel // 2, count_include_pad=False)


@final
class MaxPool(Operator):
    """The largest number of a window."""

    name = "max_pool"
    attributes = {"kernel": int, "stride": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """A pool, which counts nothing."""
        return (_pool(workload),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, C, H / stride, W / stride)."""
        from torch import nn

        kernel, stride = integer(workload, "kernel"), integer(workload, "stride")
        return nn.MaxPool2d(kernel, stride, kernel // 2)


@final
class ResidualReduction(Operator):
    """A basic residual block at stride 2, as between the stages of NAS-Bench-201.

    Two times ReLU, 3x3, batch normalisation; plus the average of 2x2 pixels and a 1x1 without normalisation.
    """

    name = "residual_reduction"
    attributes = {"channels": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Three convolutions and a pool.

        Raises:
            WrongUse: a side of the input is odd, so that the two ways would write different sizes.
        """
        source, channels = workload.inputs[0], integer(workload, "channels")
        if source[1] % 2 or source[2] % 2:
            raise WrongUse(f"{self.name} reads an even number of rows and columns; got {source[1]}x{source[2]}.")
        pooled = Layer(output=(source[0], source[1] // 2, source[2] // 2))
        shortcut = convolution(pooled.output, channels, norm=False)
        first = convolution(source, channels, 3, 2)
        return pooled, shortcut, first, convolution(first.output, channels, 3)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / 2, W / 2)."""
        from latency.operators import cell_modules

        return cell_modules.ResidualReduction(workload.inputs[0][0], integer(workload, "channels"))


@final
class NormalisedActivation(Operator):
    """Batch normalisation where ``norm`` is 1, then ``activation``: what closes the last cell."""

    name = "normalised_activation"
    attributes = {"norm": int, "activation": str}
    from_zero = frozenset({"norm"})

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One layer without multiply-accumulates."""
        activation_of(workload)
        source = workload.inputs[0]
        return (Layer(output=source, parameters=2 * source[0] * flag(workload, "norm")),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W), the same shape."""
        from torch import nn

        from latency.operators import mobile_modules

        norm = [nn.BatchNorm2d(workload.inputs[0][0])] if flag(workload, "norm") else []
        return nn.Sequential(*norm, mobile_modules.activation(activation_of(workload)))


def _pool(workload: Workload) -> Layer:
    """The output of a pool that keeps the size at stride 1."""
    kernel, stride = integer(workload, "kernel"), integer(workload, "stride")
    if kernel % 2 == 0:
        raise WrongUse(f"{workload.operator} needs an odd kernel, which keeps the size at stride 1; got {kernel}.")
    channels, height, width = workload.inputs[0]
    return Layer(output=(channels, output_size(height, stride), output_size(width, stride)))
