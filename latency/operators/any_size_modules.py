"""Forms of modules that read an image of any size, for export: what is otherwise fixed when a module is made.

They hold the weights of the module that they stand for, and compute what the same network computes that is built for
the size that comes in. Where that is true and where not, ``latency.dynamic_shapes`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from latency.operators.modules import Aspp, FactorizedReduce, LiteAspp, Network


class AnySizeReduce(nn.Module):
    """``FactorizedReduce`` for odd and even sizes alike."""

    def __init__(self, fixed: FactorizedReduce) -> None:
        super().__init__()
        self.even, self.odd = fixed.even, fixed.odd

    def forward(self, x: Tensor) -> Tensor:
        """Apply to x (N, source, H, W)."""
        x = functional.relu(x).contiguous()
        # A row and a column of zeros are always there; at an even size nothing reads them.
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return torch.cat([self.even(x), self.odd(shifted)], dim=1)


class AnySizeLiteAspp(nn.Module):
    """``LiteAspp`` for the sizes at which it pools the same way: along an axis all there is, or by its kernel."""

    def __init__(self, fixed: LiteAspp) -> None:
        super().__init__()
        self.features, self.gate, self.high, self.low = fixed.features, fixed.gate, fixed.high, fixed.low
        sides = list(zip(fixed.pool_kernel, fixed.pool_stride, fixed.source_size, strict=True))
        self.whole_axes = [axis for axis, (kernel, _, side) in enumerate(sides, 2) if kernel == side]
        self.kernel = [1 if kernel == side else kernel for kernel, _, side in sides]
        self.stride = [1 if kernel == side else stride for kernel, stride, side in sides]

    def forward(self, x: Tensor, tap: Tensor, image: Tensor) -> Tensor:
        """Decode x (N, source, h, w) with the low-level tap (N, tap, H, W), to the size of ``image``."""
        features = self.features(x)
        gate = torch.sigmoid(self.gate(self._pooled(x)))
        if len(self.whole_axes) < len(self.kernel):  # One pixel is the same everywhere without being resized.
            gate = _resized(gate, features)
        joined = self.high(_resized(features * gate, tap)) + self.low(tap)
        return _resized(joined, image, align_corners=True)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.whole_axes:
            x = x.mean(dim=self.whole_axes, keepdim=True)
        return x if self.kernel == [1, 1] else functional.avg_pool2d(x, self.kernel, self.stride)


class AnySizeAspp(nn.Module):
    """``Aspp`` for any size."""

    def __init__(self, fixed: Aspp) -> None:
        super().__init__()
        self.point, self.atrous, self.join = fixed.point, fixed.atrous, fixed.join
        self.low, self.mix, self.classify = fixed.low, fixed.mix, fixed.classify

    def forward(self, x: Tensor, tap: Tensor, image: Tensor) -> Tensor:
        """Decode x (N, source, h, w) with the low-level tap (N, tap, H, W), to the size of ``image``."""
        pooled = x.mean(dim=(2, 3), keepdim=True).expand(-1, -1, x.shape[2], x.shape[3])
        branches = [self.point(x), *(branch(x) for branch in self.atrous), pooled]
        joined = _resized(self.join(torch.cat(branches, dim=1)), tap)
        mixed = self.mix(torch.cat([joined, self.low(tap)], dim=1))
        return _resized(self.classify(mixed), image, align_corners=True)


class AnySizeNetwork(nn.Module):
    """``Network`` whose decoder writes at the size of the image that comes in."""

    def __init__(self, fixed: Network) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(any_size(layer) for layer in fixed.encoder)
        self.tap = fixed.tap
        self.decoder = any_size(fixed.decoder)

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, 3, height, width) -> class scores (N, classes, height, width)."""
        x = low = image
        for index, layer in enumerate(self.encoder):
            x = layer(x)
            if index == self.tap:
                low = x
        scores: Tensor = self.decoder(x, low, image)
        return scores


_FORMS: Mapping[type[nn.Module], Callable[..., nn.Module]] = {
    FactorizedReduce: AnySizeReduce,
    LiteAspp: AnySizeLiteAspp,
    Aspp: AnySizeAspp,
    Network: AnySizeNetwork,
}


def any_size(module: nn.Module) -> nn.Module:
    """The form of ``module`` that reads images of any size, with the same weights; itself where it does so already."""
    form = _FORMS.get(type(module))
    return module if form is None else form(module)


def _resized(x: Tensor, like: Tensor, *, align_corners: bool = False) -> Tensor:
    size = [like.shape[2], like.shape[3]]
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)
