"""The keys of ProxylessNAS' and Once-for-All's tables: ``LAYER-input:HxWxC-output:HxWxC-NAME:VALUE-...``.

The two differ in what ``expand`` means, a ratio there and hidden channels here, in activations, and in what is one
layer. The grammar follows ``ofa/nas/efficiency_predictor/latency_lookup_table.py`` of mit-han-lab/once-for-all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from latency import Shape, Value, Workload
from lut.foreign.mobile_layers import ACTIVATED_CONVOLUTION, CLASSIFIER, GLOBAL_POOL

KEY = r"(?P<layer>Conv(?:_1|_2)?|Logits|AvgPool2D|expanded_conv)-input:(?P<input>[\dx]+)-output:(?P<output>[\dx]+)"

_CONVOLUTIONS: Mapping[tuple[Value, ...], str] = {(3, 2, 1): "Conv", (1, 1, 1): "Conv_1", (1, 1, 0): "Conv_2"}
"""Kernel, stride and batch normalisation of the layers that are a single convolution."""

_FIELDS = re.compile(rf"{KEY}(?P<fields>(?:-[a-z]+:\d+)*)")


class BadKeyError(ValueError):
    """A key that says nothing, or nothing that is possible; the message says why."""


class MobileKey(NamedTuple):
    """A key taken apart.

    Attributes:
        layer: kind of layer.
        source: channels, height and width of its input.
        channels: output channels.
        fields: what an ``expanded_conv`` says beside.
    """

    layer: str
    source: Shape
    channels: int
    fields: Mapping[str, int]

    @staticmethod
    def parse(text: str, names: tuple[str, ...]) -> MobileKey:
        """Take a key apart.

        Args:
            text: the key.
            names: the fields that an ``expanded_conv`` must have, in order.

        Raises:
            BadKeyError: it is of another form, or its output is not what its input and stride make.
        """
        match = _FIELDS.fullmatch(text)
        if match is None:
            raise BadKeyError("is no key of a layer")
        pairs = [pair.split(":") for pair in match["fields"].split("-")[1:]]
        found = tuple(name for name, _ in pairs)
        wanted = names if match["layer"] == "expanded_conv" else ()
        if found != wanted:
            raise BadKeyError(f"must have the fields {', '.join(wanted) or 'input and output only'}")
        fields = {name: int(value) for name, value in pairs}
        source, output = _shape(match["input"]), _shape(match["output"])
        _refuse_other_size(match["layer"], source, output, fields.get("stride", 1))
        _refuse_impossible(fields, same=source == output)
        return MobileKey(match["layer"], source, output[0], fields)


def _shape(text: str) -> Shape:
    """``HxWxC``, or ``C`` alone, as channels, height and width."""
    sizes = [int(size) for size in text.split("x") if size]
    if len(sizes) not in (1, 3) or min(sizes) < 1 or text.count("x") != len(sizes) - 1:
        raise BadKeyError(f"has the size {text!r}, which is not HEIGHTxWIDTHxCHANNELS")
    height, width, channels = sizes if len(sizes) == 3 else (1, 1, sizes[0])
    return channels, height, width


def _refuse_other_size(layer: str, source: Shape, output: Shape, stride: int) -> None:
    """Every layer keeps its size at stride 1, but the stem halves it, and a pool or classifier leaves one pixel."""
    steps = {"Conv": 2, "AvgPool2D": max(source[1:]), "Logits": max(source[1:])}.get(layer, stride)
    if steps < 1 or output[1:] != (-(-source[1] // steps), -(-source[2] // steps)):
        raise BadKeyError(f"does not add up: {layer} at stride {steps} does not make {output} of {source}")


def _refuse_impossible(fields: Mapping[str, int], *, same: bool) -> None:
    """A flag is 0 or 1, a kernel odd, and only an input of the output's shape can be added to it."""
    flags = [fields.get(name, 0) for name in ("idskip", "se", "hs")]
    if max(flags) > 1 or fields.get("kernel", 1) % 2 == 0 or fields.get("expand", 1) < 1:
        raise BadKeyError("does not add up: flags are 0 or 1, kernels odd, and expand at least 1")
    if fields.get("idskip") and not same:
        raise BadKeyError("does not add up: with idskip:1, input and output must have the same shape")


def plain_layer(workload: Workload, *, activation: str, pool: int) -> str | None:
    """The key of a layer that is no block, where ``activation`` and ``pool`` are what the format's layers have."""
    channels, height, width = workload.inputs[0]
    start, values = f"-input:{height}x{width}x{channels}-output:", workload.attributes
    if workload.operator == GLOBAL_POOL:
        return f"AvgPool2D{start}1x1x{channels}" if pool == 0 else None
    if workload.operator == CLASSIFIER and values["pool"] == pool:
        return f"Logits{start}{values['classes']}"
    if workload.operator == ACTIVATED_CONVOLUTION and values["activation"] == activation:
        kind = _CONVOLUTIONS.get((values["kernel"], values["stride"], values["norm"]))
        stride = 2 if kind == "Conv" else 1
        return f"{kind}{start}{-(-height // stride)}x{-(-width // stride)}x{values['channels']}" if kind else None
    return None


def block_key(workload: Workload, block: Mapping[str, Value], fields: Mapping[str, Value]) -> str:
    """The key of a block with these fields."""
    channels, height, width = workload.inputs[0]
    stride = block["stride"]
    if not isinstance(stride, int) or stride < 1:
        raise BadKeyError(f"must have a whole stride of at least 1; got {stride!r}")
    output = f"{-(-height // stride)}x{-(-width // stride)}x{block['channels']}"
    said = "".join(f"-{name}:{value}" for name, value in fields.items())
    return f"expanded_conv-input:{height}x{width}x{channels}-output:{output}{said}"
