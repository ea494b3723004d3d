"""A model of half precision is valid, computes what its original does, and keeps what must stay as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from latency import build_module, example_inputs, export_onnx
from latency.half_precision import to_half_precision
from tests.contracts.examples import OPERATOR_CASES, block

HALF, SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT


def model_of(nodes: Sequence[Any], *initializers: Any, size: Sequence[int] = (1, 2, 4, 4)) -> bytes:
    """``nodes`` from x (1, 2, 4, 4) to y, all of single precision."""
    x = helper.make_tensor_value_info("x", SINGLE, [1, 2, 4, 4])
    y = helper.make_tensor_value_info("y", SINGLE, list(size))
    graph = helper.make_graph(nodes, "example", [x], [y], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString())


def converted(model: bytes) -> Any:
    return onnx.load_from_string(to_half_precision(model))


def float_types(model: Any) -> set[int]:
    """Types of everything in the graph that is no whole number: weights, inputs, outputs and what is between."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)]
    return {kind for kind in (*values, *(t.data_type for t in graph.initializer)) if kind in {HALF, SINGLE}}


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_is_half_precision_from_end_to_end(case: str) -> None:
    model = onnx.load_from_string(export_onnx(replace(OPERATOR_CASES[case], precision="fp16")))
    onnx.checker.check_model(model, full_check=True)
    assert float_types(model) == {HALF}


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_every_operator_computes_what_it_does_in_single_precision(case: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    workload = OPERATOR_CASES[case]
    half = replace(workload, precision="fp16")
    with torch.no_grad():
        expected = build_module(workload).eval()(*example_inputs(workload))
    session = onnxruntime.InferenceSession(export_onnx(half), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {f"input_{i}": x.numpy() for i, x in enumerate(example_inputs(half))})
    assert output.dtype == np.float16
    torch.testing.assert_close(torch.from_numpy(output).float(), expected, rtol=2e-2, atol=2e-2)


def test_the_graph_keeps_its_nodes() -> None:
    single, half = (onnx.load_from_string(export_onnx(replace(block(), precision=p))) for p in ("fp32", "fp16"))
    assert [node.op_type for node in half.graph.node] == [node.op_type for node in single.graph.node]


def test_scales_of_a_resize_stay_in_single_precision() -> None:
    scales = helper.make_tensor("scales", SINGLE, [4], [1, 1, 2, 2])
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")
    model = converted(model_of([node], scales, size=(1, 2, 8, 8)))
    assert [tensor.data_type for tensor in model.graph.initializer] == [SINGLE]
    assert model.graph.output[0].type.tensor_type.elem_type == HALF


def test_constants_and_casts_are_converted_with_the_rest() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", SINGLE, [1], [0.5]))
    whole = helper.make_node("Cast", ["x"], ["w"], to=TensorProto.INT64)
    back = helper.make_node("Cast", ["w"], ["f"], to=SINGLE)
    model = converted(model_of([constant, whole, back, helper.make_node("Add", ["f", "c"], ["y"])]))
    assert float_types(model) == {HALF}
    assert onnx.numpy_helper.to_array(model.graph.node[0].attribute[0].t) == np.float16(0.5)
    assert model.graph.node[1].attribute[0].i == TensorProto.INT64


def test_a_weight_beyond_half_precision_is_refused_with_its_name_and_value() -> None:
    huge = helper.make_tensor("huge", SINGLE, [1], [7e4])
    with pytest.raises(ValueError, match="huge must not exceed 65504; got 70000"):
        to_half_precision(model_of([helper.make_node("Add", ["x", "huge"], ["y"])], huge))


def test_a_subgraph_is_refused() -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "branch", [], [helper.make_tensor_value_info("z", SINGLE, None)]
    )
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(ValueError, match="If has a subgraph"):
        to_half_precision(model_of([node], yes))


def test_types_that_do_not_fit_together_are_refused() -> None:
    # Its scale must stay single, so one name would have to be of both types.
    scales = helper.make_tensor("scales", SINGLE, [4], [1, 1, 1, 1])
    resize = helper.make_node("Resize", ["x", "", "scales"], ["r"], mode="linear")
    shape = helper.make_tensor("shape", TensorProto.INT64, [4], [1, 1, 1, 4])
    reshape = helper.make_node("Reshape", ["scales", "shape"], ["s"])
    with pytest.raises(ValueError, match="cannot be converted to half precision"):
        to_half_precision(model_of([resize, reshape, helper.make_node("Add", ["r", "s"], ["y"])], scales, shape))
