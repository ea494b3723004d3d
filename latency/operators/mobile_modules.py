"""Torch modules of mobile networks. Imported only where one is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from latency.operators.modules import convolution

_ACTIVATIONS: Mapping[str, Callable[[], list[nn.Module]]] = {
    "none": list,
    "relu": lambda: [nn.ReLU()],
    "relu6": lambda: [nn.ReLU6()],
    "h_swish": lambda: [nn.Hardswish()],
}


def activation(name: str) -> nn.Sequential:
    """The activation of that name; nothing for ``none``."""
    return nn.Sequential(*_ACTIVATIONS[name]())


def activated_convolution(
    source: int, channels: int, kernel: int, stride: int, groups: int = 1, *, activation: str, norm: bool = True
) -> nn.Sequential:
    """Convolution without bias that keeps the size at stride 1, batch normalisation if asked for, activation."""
    layers = list(convolution(source, channels, kernel, stride, groups))
    return nn.Sequential(*(layers if norm else layers[:1]), *_ACTIVATIONS[activation]())


class MobileBlock(nn.Module):
    """(N, source, H, W) -> (N, channels, H / stride, W / stride); see the operator of the same name."""

    def __init__(
        self,
        source: int,
        channels: int,
        kernel: int,
        stride: int,
        hidden: int,
        activation: str,
        *,
        skip: bool,
        squeeze: int | None,
    ) -> None:
        super().__init__()
        self.has_residual = skip
        widen = [] if hidden == source else [activated_convolution(source, hidden, 1, 1, activation=activation)]
        depthwise = activated_convolution(hidden, hidden, kernel, stride, hidden, activation=activation)
        excite = [] if squeeze is None else [Excitation(hidden, squeeze)]
        self.body = nn.Sequential(*widen, depthwise, *excite, convolution(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to x (N, source, H, W)."""
        y: Tensor = self.body(x)
        return x + y if self.has_residual else y


class Excitation(nn.Module):
    """Squeeze-and-excitation (Hu et al., 2018) with the hard sigmoid of MobileNetV3: keeps (N, channels, H, W)."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, middle, 1),
            nn.ReLU(),
            nn.Conv2d(middle, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of x (N, channels, H, W)."""
        gate: Tensor = self.gate(x)
        return x * gate
