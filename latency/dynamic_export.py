"""ONNX export of whole networks with open axes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from devices import WrongUse
from latency.dynamic_shapes import DynamicShape
from latency.onnx_export import export_onnx, input_names
from latency.operators import operator_of
from latency.workload import Shape, Workload

if TYPE_CHECKING:
    from torch import nn

_PLACES = {"batch": 0, "height": 2, "width": 3}


def export_dynamic(workload: Workload, module: nn.Module, shape: DynamicShape) -> bytes:
    """Serialise a network as an ONNX model whose input has open axes; precision and names as of ``export_onnx``.

    Args:
        workload: the network, at any size within the ranges.
        module: it built, with the weights to export. The mode of each part is left as it was.
        shape: what stays open, as ``dynamic_shape`` found it. Height and width stay open together or not at all.

    Raises:
        WrongUse: one of height and width is to stay open without the other, or the network reads several tensors.
        ValueError: the model has no form in half precision.
    """
    from latency.operators.any_size_modules import any_size

    names = input_names(workload)
    if len({axis in shape.ranges for axis in ("height", "width")}) != 1 or len(names) != 1:
        raise WrongUse(
            f"Height and width stay open together, in a network of one input; got {sorted(shape.ranges)} and {names}."
        )
    read = {_PLACES[axis]: axis for axis in shape.ranges}
    is_picture = operator_of(workload).output(workload)[1:] == workload.inputs[0][1:]
    written = read if is_picture else {place: axis for place, axis in read.items() if place == 0}
    open_module = any_size(module) if "height" in shape.ranges else module
    model = export_onnx(workload, open_module, {names[0]: read, "output": written})
    return _with_output_shape(model, operator_of(workload).output(workload), written)


def _with_output_shape(model: bytes, output: Shape, written: Mapping[int, str]) -> bytes:
    """The exporter loses sizes behind a resize, and makes up names: the output has those of the input again."""
    onnx = import_module("onnx")
    parsed = onnx.load_from_string(model)
    for place, size in enumerate(parsed.graph.output[0].type.tensor_type.shape.dim):
        if place in written:
            size.dim_param = written[place]
        else:
            size.dim_value = output[place - 1]
    return bytes(parsed.SerializeToString())
