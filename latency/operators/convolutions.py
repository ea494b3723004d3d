"""Single convolutions in groups, as tables of convolution kernels time them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from devices import WrongUse
from latency.operators.contract import Operator, integer
from latency.operators.layer import Layer, convolution
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import nn


@final
class GroupedConvolution(Operator):
    """Convolution, batch normalisation, ReLU; depthwise where there are as many groups as channels."""

    name = "grouped_convolution"
    attributes = {"channels": int, "kernel": int, "stride": int, "groups": int}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One convolution."""
        channels, kernel, stride, groups = (integer(workload, name) for name in self.attributes)
        return (convolution(workload.inputs[0], channels, kernel, stride, groups),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import modules

        channels, kernel, stride, groups = (integer(workload, name) for name in self.attributes)
        return modules.convolution(workload.inputs[0][0], channels, kernel, stride, groups, relu=True)


@final
class ResidualConvolution(Operator):
    """Convolution, batch normalisation, plus the second input, ReLU: the end of a residual block.

    The second input has the shape of what the convolution writes. Engines that fuse the sum into the convolution read
    it while they write.
    """

    name = "residual_convolution"
    attributes = {"channels": int, "kernel": int, "stride": int, "groups": int}
    input_count = 2

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One convolution; the sum counts nothing.

        Raises:
            WrongUse: the second input has another shape than what the convolution writes.
        """
        channels, kernel, stride, groups = (integer(workload, name) for name in self.attributes)
        layer = convolution(workload.inputs[0], channels, kernel, stride, groups)
        if workload.inputs[1] != layer.output:
            raise WrongUse(
                f"The second input of {self.name} is added to what the convolution writes and must have its shape, "
                f"{layer.output}; got {workload.inputs[1]}."
            )
        return (layer,)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W), (N, channels, H / stride, W / stride) -> the shape of the second one."""
        from latency.operators import modules

        channels, kernel, stride, groups = (integer(workload, name) for name in self.attributes)
        return modules.ResidualConvolution(workload.inputs[0][0], channels, kernel, stride, groups)
