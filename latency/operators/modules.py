"""Torch modules of the operators. Imported only where a module is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from latency.workload import Shape


def convolution(
    source: int,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    *,
    relu: bool = False,
) -> nn.Sequential:
    """Convolution without bias that keeps the size at stride 1, batch normalisation, ReLU if asked for."""
    padding = (kernel // 2) * dilation
    layers: list[nn.Module] = [
        nn.Conv2d(source, channels, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(channels),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class InvertedResidual(nn.Module):
    """(N, source, H, W) -> (N, channels, H / stride, W / stride); see the operator of the same name."""

    def __init__(
        self, source: int, channels: int, kernel: int, stride: int, expansion: int, groups: int, dilation: int
    ) -> None:
        super().__init__()
        hidden = source * expansion
        self.has_residual = stride == 1 and source == channels
        self.body = nn.Sequential(
            convolution(source, hidden, groups=groups, relu=True),
            convolution(hidden, hidden, kernel, stride, hidden, dilation, relu=True),
            convolution(hidden, channels, groups=groups),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to x (N, source, H, W)."""
        y: Tensor = self.body(x)
        return x + y if self.has_residual else y


class ResidualConvolution(nn.Module):
    """(N, source, H, W) and (N, channels, H / stride, W / stride) -> the shape of the second one."""

    def __init__(self, source: int, channels: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__()
        self.body = convolution(source, channels, kernel, stride, groups)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Convolve x (N, source, H, W), add ``shortcut`` and keep what is positive."""
        return functional.relu(self.body(x) + shortcut)


class FactorizedReduce(nn.Module):
    """(N, source, H, W) -> (N, channels, H / 2, W / 2), sizes rounded up; ``size`` is (H, W)."""

    def __init__(self, source: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.missing = (0, size[1] % 2, 0, size[0] % 2)
        self.even = convolution(source, channels // 2, stride=2)
        self.odd = convolution(source, channels - channels // 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to x (N, source, H, W)."""
        # In channels-last order the backward pass of a strided 1x1 convolution with few channels writes past its
        # workspace and the process dies (oneDNN issue 6035). Costs nothing in the usual order.
        x = functional.relu(x).contiguous()
        shifted = functional.pad(x, self.missing) if any(self.missing) else x
        return torch.cat([self.even(x), self.odd(shifted[:, :, 1:, 1:])], dim=1)


class LiteAspp(nn.Module):
    """LR-ASPP decoder of inputs shaped ``source`` and ``tap``: -> (N, classes, *size).

    Sizes are fixed when it is made, so that an exported graph holds numbers and no shape arithmetic.
    """

    def __init__(
        self,
        source: Shape,
        tap: Shape,
        middle: int,
        classes: int,
        size: tuple[int, int],
        pool: tuple[tuple[int, int], tuple[int, int]],
    ) -> None:
        super().__init__()
        self.source_size, self.tap_size, self.size = source[1:], tap[1:], size
        self.pool_kernel, self.pool_stride = pool
        self.features = convolution(source[0], middle, relu=True)
        self.gate = nn.Conv2d(source[0], middle, 1)
        self.high = nn.Conv2d(middle, classes, 1)
        self.low = nn.Conv2d(tap[0], classes, 1)

    def forward(self, x: Tensor, tap: Tensor) -> Tensor:
        """Decode x (N, source, h, w) with the low-level tap (N, tap, H, W)."""
        features = self.features(x)
        gate = torch.sigmoid(self.gate(functional.avg_pool2d(x, self.pool_kernel, self.pool_stride)))
        gated = features * _resize(gate, self.source_size)
        joined = self.high(_resize(gated, self.tap_size)) + self.low(tap)
        return _resize(joined, self.size, align_corners=True)


class Aspp(nn.Module):
    """ASPP decoder of inputs shaped ``source`` and ``tap``: -> (N, classes, *size). Sizes are fixed when it is made."""

    def __init__(
        self,
        source: Shape,
        tap: Shape,
        middle: int,
        classes: int,
        size: tuple[int, int],
        rates: Sequence[int],
        tap_channels: int,
    ) -> None:
        super().__init__()
        self.source_size, self.tap_size, self.size = source[1:], tap[1:], size
        self.point = convolution(source[0], middle, relu=True)
        self.atrous = nn.ModuleList(
            convolution(source[0], middle, 3, groups=middle, dilation=rate, relu=True) for rate in rates
        )
        self.join = convolution((1 + len(rates)) * middle + source[0], middle, relu=True)
        self.low = nn.Conv2d(tap[0], tap_channels, 1)
        mixed = middle + tap_channels
        self.mix = convolution(mixed, mixed, 3, groups=mixed, relu=True)
        self.classify = nn.Conv2d(mixed, classes, 1)

    def forward(self, x: Tensor, tap: Tensor) -> Tensor:
        """Decode x (N, source, h, w) with the low-level tap (N, tap, H, W)."""
        pooled = x.mean(dim=(2, 3), keepdim=True).expand(-1, -1, *self.source_size)
        branches = [self.point(x), *(branch(x) for branch in self.atrous), pooled]
        joined = _resize(self.join(torch.cat(branches, dim=1)), self.tap_size)
        mixed = self.mix(torch.cat([joined, self.low(tap)], dim=1))
        return _resize(self.classify(mixed), self.size, align_corners=True)


class Network(nn.Module):
    """Layers in a row and a decoder that reads the last output; and that of the tapped one beside it, if one is."""

    def __init__(self, encoder: Sequence[nn.Module], tap: int | None, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(encoder)
        self.tap = tap
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, height, width) -> what the decoder writes."""
        low = x
        for index, layer in enumerate(self.encoder):
            x = layer(x)
            if index == self.tap:
                low = x
        scores: Tensor = self.decoder(x) if self.tap is None else self.decoder(x, low)
        return scores


def initialise(module: nn.Module) -> None:
    """Kaiming normal, fan out, for convolutions; 1 and 0 for batch normalisation (SqueezeNAS' public code).

    Fully connected layers keep what torch draws for them.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _resize(x: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)
