"""Decoders: from the encoder's last output and a low-level tap to class scores at the input's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from latency.operators.contract import Operator, integer
from latency.operators.layer import Layer, convolution
from latency.workload import Shape, Workload

if TYPE_CHECKING:
    from torch import nn

POOL_KERNEL = 49
"""LR-ASPP's pooling kernel, made for a 64x128 input; clamped to the input where that is smaller."""

_POOL_STRIDE = (16, 20)

_RATES = (6, 12, 18)
"""Dilations of the three 3x3 branches of ASPP at output stride 16 (DeepLabv3)."""

_TAP_CHANNELS = 32
"""Channels that ASPP's decoder keeps of the low-level tap."""


def _pool(source: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """Kernel and stride of LR-ASPP's pooling for an input of that shape."""
    return (min(POOL_KERNEL, source[1]), min(POOL_KERNEL, source[2])), _POOL_STRIDE


@final
class LiteAsppDecoder(Operator):
    """LR-ASPP (MobileNetV3, section 6.4), as SqueezeNAS Small and Large use it.

    A = 1x1 BN ReLU; B = average pool, 1x1 with bias, sigmoid, resized to A; A x B is resized to the tap, classified
    by a 1x1 with bias, added to a 1x1 with bias of the tap, and resized to the image. The resizes go to sizes, not by
    factors, which is the same at sizes divisible by 16 and works at all others.
    """

    name = "lr_aspp"
    attributes = {"middle": int, "classes": int, "height": int, "width": int}
    input_count = 2

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Feature branch, pooling, gate, two classifiers, two resizes."""
        middle, classes, height, width = (integer(workload, name) for name in self.attributes)
        source, tap = workload.inputs
        (kernel_h, kernel_w), (stride_h, stride_w) = _pool(source)
        pooled = (source[0], (source[1] - kernel_h) // stride_h + 1, (source[2] - kernel_w) // stride_w + 1)
        features = convolution(source, middle)
        resized = Layer(output=(middle, tap[1], tap[2]))
        return (
            features,
            Layer(output=pooled),
            convolution(pooled, middle, bias=True, norm=False),
            Layer(output=features.output),
            resized,
            convolution(resized.output, classes, bias=True, norm=False),
            convolution(tap, classes, bias=True, norm=False),
            Layer(output=(classes, height, width)),
        )

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, h, w), (N, T, H, W) -> (N, classes, height, width)."""
        from latency.operators import modules

        middle, classes, height, width = (integer(workload, name) for name in self.attributes)
        source, tap = workload.inputs
        return modules.LiteAspp(source, tap, middle, classes, (height, width), _pool(source))


@final
class AsppDecoder(Operator):
    """ASPP with depthwise-like atrous branches and a low-level tap, as SqueezeNAS XLarge uses it.

    1x1; three 3x3 at rates 6, 12, 18 in ``middle`` groups; the raw global average; joined by a 1x1; resized to
    the tap and concatenated with a 1x1 (32 channels, bias) of it; depthwise 3x3; 1x1 with bias; resized to the image.
    """

    name = "aspp"
    attributes = {"middle": int, "classes": int, "height": int, "width": int}
    input_count = 2

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Branches, joint, resize, tap, mixing, classifier, resize."""
        middle, classes, height, width = (integer(workload, name) for name in self.attributes)
        source, tap = workload.inputs
        point = convolution(source, middle)
        atrous = convolution(source, middle, 3, groups=middle)
        joined = (source[0] + 4 * middle, source[1], source[2])
        mixed = (middle + _TAP_CHANNELS, tap[1], tap[2])
        return (
            point,
            *(atrous for _ in _RATES),
            Layer(output=source),
            Layer(output=joined),
            convolution(joined, middle),
            Layer(output=(middle, tap[1], tap[2])),
            convolution(tap, _TAP_CHANNELS, bias=True, norm=False),
            Layer(output=mixed),
            convolution(mixed, mixed[0], 3, groups=mixed[0]),
            convolution(mixed, classes, bias=True, norm=False),
            Layer(output=(classes, height, width)),
        )

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, h, w), (N, T, H, W) -> (N, classes, height, width)."""
        from latency.operators import modules

        middle, classes, height, width = (integer(workload, name) for name in self.attributes)
        source, tap = workload.inputs
        return modules.Aspp(source, tap, middle, classes, (height, width), _RATES, _TAP_CHANNELS)
