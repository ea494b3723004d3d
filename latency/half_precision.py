"""Turns an ONNX model of single precision into one of half precision.

The model is converted after its export, because tracing the module in half precision runs its convolutions on the
processor, which has no kernels for them: seconds a block, and minutes a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

_SINGLE_INPUTS = {"Resize": (1, 2), "Upsample": (1,)}
"""Positions of inputs that the standard wants in single precision whatever the others are: regions and scales."""

_LARGEST = 65504.0
"""The largest finite number of half precision; larger weights would silently become infinite."""


def to_half_precision(model: bytes) -> bytes:
    """The same graph with weights, inputs, outputs and everything between in float16.

    Args:
        model: an ONNX model without subgraphs.

    Raises:
        ValueError: the result would be no valid model: the graph mixes types in a way that is not known here, has
            subgraphs, or a weight is too large for half precision.
    """
    onnx = import_module("onnx")
    parsed = onnx.load_from_string(model)
    graph = parsed.graph
    single = set(_names_that_stay_single(graph))
    for tensor in graph.initializer:
        if tensor.name not in single:
            _convert_tensor(onnx, tensor)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    del graph.value_info[:]  # Shapes and types between the nodes are inferred again by whoever wants them.
    for node in graph.node:
        _convert_node(onnx, node, single)
    try:
        onnx.checker.check_model(parsed, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"The model cannot be converted to half precision: {error}") from error
    return bytes(parsed.SerializeToString())


def _names_that_stay_single(graph: Any) -> Iterator[str]:
    for node in graph.node:
        for position in _SINGLE_INPUTS.get(node.op_type, ()):
            yield from node.input[position : position + 1]


def _convert_node(onnx: Any, node: Any, single: set[str]) -> None:
    """Constants and casts to float32 become such to float16; other attributes are numbers of the operator's own."""
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise ValueError(f"The model cannot be converted to half precision: {node.op_type} has a subgraph.")
        if single.intersection(node.output):
            continue
        if attribute.HasField("t"):
            _convert_tensor(onnx, attribute.t)
        elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
            attribute.i = onnx.TensorProto.FLOAT16


def _convert_tensor(onnx: Any, tensor: Any) -> None:
    if tensor.data_type != onnx.TensorProto.FLOAT:
        return
    values = onnx.numpy_helper.to_array(tensor)
    if values.size and float(abs(values).max()) > _LARGEST:
        raise ValueError(
            f"The model cannot be converted to half precision: {tensor.name} must not exceed {_LARGEST:g}; "
            f"got {float(abs(values).max()):g}."
        )
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype("float16"), tensor.name))
