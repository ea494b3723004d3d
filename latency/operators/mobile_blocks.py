"""Operators of mobile networks: MobileNetV2 and V3, ProxylessNAS, Once-for-All.

Their workloads are those that imported tables of these networks hold, so that such a table serves a space of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from devices import WrongUse, unknown_name
from latency.operators.contract import Operator, flag, integer, text
from latency.operators.layer import Layer, convolution
from latency.workload import Workload

if TYPE_CHECKING:
    from torch import nn

ACTIVATIONS = ("none", "relu", "relu6", "h_swish")
"""What may follow a layer."""

_SQUEEZE, _DIVISOR = 4, 8
"""Squeeze-and-excitation has a quarter of the channels in its middle, rounded to a multiple of 8 (Once-for-All)."""


@final
class MobileBlock(Operator):
    """1x1, depthwise, 1x1, each with batch normalisation, the first two with ``activation``.

    ``hidden`` is the width of the depthwise convolution; where that is the width of the input, there is no first 1x1.
    ``se`` puts squeeze-and-excitation after the depthwise convolution, and ``skip`` adds the input; both are 0 or 1.
    """

    name = "mbconv"
    attributes = {
        "channels": int,
        "kernel": int,
        "stride": int,
        "hidden": int,
        "activation": str,
        "skip": int,
        "se": int,
    }
    from_zero = frozenset({"skip", "se"})

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """Two or three convolutions, and two more for squeeze-and-excitation.

        Raises:
            WrongUse: the input is to be added to an output of another shape.
        """
        source = workload.inputs[0]
        channels, kernel, stride, hidden = (
            integer(workload, name) for name in ("channels", "kernel", "stride", "hidden")
        )
        activation_of(workload)
        widen = () if hidden == source[0] else (convolution(source, hidden),)
        depthwise = convolution((hidden, *source[1:]), hidden, kernel, stride, groups=hidden)
        excite = _excitation(depthwise) if flag(workload, "se") else ()
        narrow = convolution(depthwise.output, channels)
        if flag(workload, "skip") and narrow.output != source:
            raise WrongUse(f"A block adds its input to an output of the same shape; got {source} and {narrow.output}.")
        return (*widen, depthwise, *excite, narrow)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import mobile_modules

        channels, kernel, stride, hidden = (
            integer(workload, name) for name in ("channels", "kernel", "stride", "hidden")
        )
        return mobile_modules.MobileBlock(
            workload.inputs[0][0],
            channels,
            kernel,
            stride,
            hidden,
            activation_of(workload),
            skip=flag(workload, "skip"),
            squeeze=squeezed(hidden) if flag(workload, "se") else None,
        )


@final
class ActivatedConvolution(Operator):
    """Convolution without bias, batch normalisation where ``norm`` is 1, and ``activation``."""

    name = "activated_convolution"
    attributes = {"channels": int, "kernel": int, "stride": int, "norm": int, "activation": str}
    from_zero = frozenset({"norm"})

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One convolution."""
        channels, kernel, stride = (integer(workload, name) for name in ("channels", "kernel", "stride"))
        activation_of(workload)
        return (convolution(workload.inputs[0], channels, kernel, stride, norm=flag(workload, "norm")),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        from latency.operators import mobile_modules

        channels, kernel, stride = (integer(workload, name) for name in ("channels", "kernel", "stride"))
        return mobile_modules.activated_convolution(
            workload.inputs[0][0],
            channels,
            kernel,
            stride,
            activation=activation_of(workload),
            norm=flag(workload, "norm"),
        )


@final
class GlobalAveragePool(Operator):
    """The average over all pixels."""

    name = "global_average_pool"
    attributes = {}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """One pixel, which counts nothing."""
        return (Layer(output=(workload.inputs[0][0], 1, 1)),)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        from torch import nn

        return nn.AdaptiveAvgPool2d(1)


@final
class Classifier(Operator):
    """A fully connected layer with bias, to ``classes``; with the global average pool before it where ``pool`` is 1.

    It counts as a 1x1 convolution of one pixel does.
    """

    name = "classifier"
    attributes = {"classes": int, "pool": int}
    from_zero = frozenset({"pool"})

    def layers(self, workload: Workload) -> Sequence[Layer]:
        """The pool, where there is one, and a 1x1 convolution of one pixel.

        Raises:
            WrongUse: there is more than one pixel, and no pool.
        """
        channels, *size = workload.inputs[0]
        pooled = Layer(output=(channels, 1, 1))
        if not flag(workload, "pool") and size != [1, 1]:
            raise WrongUse(f"A classifier without pool reads one pixel; got {size[0]}x{size[1]}. Give it pool = 1.")
        last = convolution(pooled.output, integer(workload, "classes"), bias=True, norm=False)
        return (pooled, last) if flag(workload, "pool") else (last,)

    def build(self, workload: Workload) -> nn.Module:
        """(N, C, H, W) -> class scores (N, classes)."""
        from torch import nn

        pool = [nn.AdaptiveAvgPool2d(1)] if flag(workload, "pool") else []
        return nn.Sequential(*pool, nn.Flatten(), nn.Linear(workload.inputs[0][0], integer(workload, "classes")))


def activation_of(workload: Workload) -> str:
    """The attribute ``activation``.

    Raises:
        WrongUse: there is no such activation.
    """
    name = text(workload, "activation")
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return name


def squeezed(hidden: int) -> int:
    """Channels in the middle of squeeze-and-excitation: to the nearest multiple of 8, less than 10 % below a quarter.

    Source: ``make_divisible`` and ``SEModule`` of mit-han-lab/once-for-all, which has it from MobileNetV2's code.
    """
    wanted = hidden // _SQUEEZE
    nearest = max(_DIVISOR, (wanted + _DIVISOR // 2) // _DIVISOR * _DIVISOR)
    return nearest if nearest >= 0.9 * wanted else nearest + _DIVISOR


def _excitation(depthwise: Layer) -> tuple[Layer, ...]:
    hidden = depthwise.output[0]
    pooled = Layer(output=(hidden, 1, 1))
    squeeze = convolution(pooled.output, squeezed(hidden), bias=True, norm=False)
    return (
        pooled,
        squeeze,
        convolution(squeeze.output, hidden, bias=True, norm=False),
        Layer(output=depthwise.output),
    )
