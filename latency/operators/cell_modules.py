"""Torch modules inside and between cells. Imported only where one is built."""

from __future__ import annotations

from torch import Tensor, nn

from latency.operators.modules import convolution


def separable_convolution(source: int, channels: int, kernel: int, stride: int) -> nn.Sequential:
    """(N, source, H, W) -> (N, channels, H / stride, W / stride); see the operator of the same name."""
    return nn.Sequential(
        *_separated(source, channels, kernel, stride),
        *_separated(channels, channels, kernel, 1),
    )


def _separated(source: int, channels: int, kernel: int, stride: int) -> list[nn.Module]:
    depthwise = nn.Conv2d(source, source, kernel, stride, kernel // 2, groups=source, bias=False)
    return [nn.ReLU(), depthwise, convolution(source, channels)]


class ResidualReduction(nn.Module):
    """(N, source, H, W) -> (N, channels, H / 2, W / 2); see the operator of the same name."""

    def __init__(self, source: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            convolution(source, channels, 3, 2),
            nn.ReLU(),
            convolution(channels, channels, 3),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(source, channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to x (N, source, H, W), H and W even."""
        body: Tensor = self.body(x)
        shortcut: Tensor = self.shortcut(x)
        return shortcut + body
