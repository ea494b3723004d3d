"""Workloads of mobile networks (MobileNetV2 and V3, ProxylessNAS, Once-for-All), as their tables name them.

They are operators of ``latency``, so that workloads of imported tables can be built and measured, and spaces that are
made of them are served by such tables. The one block that is exactly an ``inverted_residual`` is called so.
"""

from __future__ import annotations

from latency import Shape, Value, Workload

MBCONV = "mbconv"
"""1x1, depthwise, 1x1, each with batch normalisation, the first two with ``activation``; ``se`` puts squeeze-and-
excitation after the depthwise convolution, and ``skip`` adds the input. With as many hidden as input channels there is
no first 1x1 convolution."""

ACTIVATED_CONVOLUTION = "activated_convolution"
"""A convolution, batch normalisation where ``norm`` is 1, and ``activation``."""

GLOBAL_POOL = "global_average_pool"

CLASSIFIER = "classifier"
"""A fully connected layer to ``classes``, with the global average pool before it where ``pool`` is 1."""

_OURS = "inverted_residual"
_PLAIN = {"groups": 1, "dilation": 1}


def mobile_block(
    source: Shape,
    channels: int,
    *,
    kernel: int,
    stride: int,
    hidden: int,
    activation: str,
    skip: bool,
    se: bool = False,
    precision: str = "fp32",
) -> Workload:
    """An inverted residual block of a mobile network.

    Args:
        source: channels, height and width of its input.
        channels: output channels.
        kernel: size of the depthwise convolution.
        stride: of the depthwise convolution.
        hidden: channels of the depthwise convolution.
        activation: ``relu``, ``relu6`` or ``h_swish``.
        skip: whether the input is added.
        se: whether there is squeeze-and-excitation.
        precision: number format.

    Returns:
        A workload of ``inverted_residual`` where that is exactly the same computation, else of ``mbconv``.
    """
    shape: dict[str, Value] = {"channels": channels, "kernel": kernel, "stride": stride}
    adds_input = stride == 1 and source[0] == channels
    expansion, rest = divmod(hidden, source[0])
    if activation == "relu" and not se and skip == adds_input and rest == 0 and expansion > 1:
        return Workload(_OURS, (source,), {**shape, **_PLAIN, "expansion": expansion}, precision)
    more: dict[str, Value] = {"hidden": hidden, "activation": activation, "skip": int(skip), "se": int(se)}
    return Workload(MBCONV, (source,), {**shape, **more}, precision)


def as_mbconv(workload: Workload) -> dict[str, Value] | None:
    """The attributes of ``mbconv`` that say the same as ``workload``; None when none do."""
    values = dict(workload.attributes)
    if workload.operator == MBCONV:
        return values
    if workload.operator != _OURS or any(values[name] != plain for name, plain in _PLAIN.items()):
        return None
    expansion, source = values["expansion"], workload.inputs[0][0]
    if not isinstance(expansion, int) or expansion == 1:
        return None  # Ours has its first 1x1 convolution even then.
    skip = int(values["stride"] == 1 and values["channels"] == source)
    shape = {name: values[name] for name in ("channels", "kernel", "stride")}
    return {**shape, "hidden": source * expansion, "activation": "relu", "skip": skip, "se": 0}


def activated_convolution(
    source: Shape,
    channels: int,
    *,
    activation: str,
    kernel: int = 1,
    stride: int = 1,
    norm: bool = True,
    precision: str = "fp32",
) -> Workload:
    """A convolution with its activation, such as the stem; ``norm`` says whether it has batch normalisation."""
    attributes: dict[str, Value] = {
        "channels": channels,
        "kernel": kernel,
        "stride": stride,
        "norm": int(norm),
        "activation": activation,
    }
    return Workload(ACTIVATED_CONVOLUTION, (source,), attributes, precision)


def global_pool(source: Shape, precision: str = "fp32") -> Workload:
    """The average over all pixels."""
    return Workload(GLOBAL_POOL, (source,), {}, precision)


def classifier(source: Shape, classes: int, *, pool: bool, precision: str = "fp32") -> Workload:
    """The last layer; with ``pool``, all that comes after the last convolution."""
    return Workload(CLASSIFIER, (source,), {"classes": classes, "pool": int(pool)}, precision)
