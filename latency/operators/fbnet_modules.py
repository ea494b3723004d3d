"""Torch modules that only FBNet has. Imported only where one is built."""

from __future__ import annotations

from torch import Tensor, nn

from latency.operators.modules import convolution


class ShuffledResidual(nn.Module):
    """(N, source, H, W) -> (N, channels, H / stride, W / stride); see the operator of the same name."""

    def __init__(self, source: int, channels: int, kernel: int, stride: int, expansion: int, groups: int) -> None:
        super().__init__()
        hidden = source * expansion
        self.has_residual = stride == 1 and source == channels
        self.body = nn.Sequential(
            convolution(source, hidden, groups=groups, relu=True),
            ChannelShuffle(groups),
            convolution(hidden, hidden, kernel, stride, hidden, relu=True),
            convolution(hidden, channels, groups=groups),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to x (N, source, H, W)."""
        y: Tensor = self.body(x)
        return x + y if self.has_residual else y


class ChannelShuffle(nn.Module):
    """Deals the channels of each group out to all groups (Zhang et al., ShuffleNet, 2018): keeps (N, C, H, W)."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Reorder the channels of x (N, C, H, W), where the groups divide C."""
        batch, channels, height, width = x.shape
        dealt = x.reshape(batch, self.groups, channels // self.groups, height, width).transpose(1, 2)
        return dealt.reshape(batch, channels, height, width)


class DoubleDepthwiseResidual(nn.Module):
    """(N, source, H, W) -> (N, channels, H / stride, W / stride); see the operator of the same name."""

    def __init__(self, source: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = source * expansion
        self.has_residual = stride == 1 and source == channels
        self.body = nn.Sequential(
            convolution(source, hidden, relu=True),
            convolution(hidden, hidden, kernel, stride, hidden, relu=True),
            convolution(hidden, hidden, kernel, 1, hidden, relu=True),
            convolution(hidden, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to x (N, source, H, W)."""
        y: Tensor = self.body(x)
        return x + y if self.has_residual else y
