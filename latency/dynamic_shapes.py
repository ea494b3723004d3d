"""Which axes of a network's input may stay open in an ONNX file, and why not the others.

An axis may stay open when the one graph computes, at every size within the range, what the same network computes that
is built for that size. Two things stand against that. LR-ASPP pools by a kernel of 49 that is clamped to a smaller map
(docs/decisions/0005), so its graph has one form up to 49 pixels at the encoder's stride, and another one beyond. And
of an operator that is not known here nobody can say whether it was made for one size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from latency.operators import parts
from latency.operators.decoders import POOL_KERNEL
from latency.workload import Workload

_LEAST_PIXELS = 32
"""Of height and width, as the spaces have it."""

_SIZE_FREE = frozenset(
    {
        "activated_convolution",
        "aspp",
        "classifier",
        "convolution",
        "double_depthwise_residual",
        "factorized_reduce",
        "global_average_pool",
        "grouped_convolution",
        "identity",
        "inverted_residual",
        "lr_aspp",
        "mbconv",
        "projection",
        "residual_convolution",
        "shuffled_residual",
    }
)
"""Operators of which ``any_size_modules`` has a form for any size, or that need none."""


@dataclass(frozen=True)
class AxisRange:
    """Sizes that an open axis may have, both ends included; ``most`` is None where there is no end."""

    least: int
    most: int | None = None

    def __contains__(self, size: object) -> bool:
        return isinstance(size, int) and self.least <= size and (self.most is None or size <= self.most)

    def describe(self) -> str:
        """In words."""
        return f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"


@dataclass(frozen=True)
class DynamicShape:
    """The open axes of a network's input, and the others with the reason.

    Attributes:
        ranges: sizes by axis: ``batch``, ``height``, ``width``.
        refused: why an axis has to have one size.
    """

    ranges: Mapping[str, AxisRange] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def dynamic_shape(workload: Workload) -> DynamicShape:
    """What may stay open of a network that reads one image."""
    batch = {"batch": AxisRange(1)}
    reason = _bound_to_a_size(workload)
    if reason:
        return DynamicShape(batch, dict.fromkeys(("height", "width"), reason))
    decoder = parts(workload)[-1]
    if decoder.operator != "lr_aspp":
        return DynamicShape({**batch, "height": AxisRange(_LEAST_PIXELS), "width": AxisRange(_LEAST_PIXELS)})
    (_, *image), (_, *read) = workload.inputs[0], decoder.inputs[0]
    height, width = (_lr_aspp_range(*sides) for sides in zip(image, read, strict=True))
    return DynamicShape({**batch, "height": height, "width": width})


def _bound_to_a_size(workload: Workload) -> str:
    """Why height and width have to stay; empty where they need not."""
    if workload.operator not in ("network", "graph"):
        return f"{workload.operator} is no whole network"
    several = parts(workload)
    unknown = sorted({part.operator for part in several} - _SIZE_FREE)
    if unknown:
        return f"of {' and '.join(unknown)} it is not known whether the size of the input is built in"
    pools = any(part.operator == "global_average_pool" or part.attributes.get("pool") for part in several)
    if several[-1].operator == "classifier" and not pools:
        return "the classifier reads one pixel, which only an input of this size becomes"
    return ""


def _lr_aspp_range(image: int, read: int) -> AxisRange:
    """Sizes along one axis at which the decoder pools as it does at this one.

    Args:
        image: pixels of the input.
        read: pixels of what the decoder reads.
    """
    stride = 2 ** math.ceil(math.log2(image / read))
    if read <= POOL_KERNEL:
        return AxisRange(_LEAST_PIXELS, POOL_KERNEL * stride)
    return AxisRange((POOL_KERNEL - 1) * stride + 1)
