"""ONNX files whose axes stay open, read back by onnx."""

from __future__ import annotations

from typing import Any

import pytest

from devices import WrongUse
from latency import AxisRange, DynamicShape, build_module, dynamic_shape, example_inputs, export_dynamic
from tests.latency.test_dynamic_shapes import classifying, segmenting

pytest.importorskip("torch", reason="torch is not installed; it exports")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")


def axes(values: Any) -> list[list[str | int]]:
    shapes = [value.type.tensor_type.shape.dim for value in values]
    return [[size.dim_param or size.dim_value for size in shape] for shape in shapes]


def exported(workload: Any, shape: DynamicShape | None = None) -> Any:
    model = export_dynamic(workload, build_module(workload), shape or dynamic_shape(workload))
    parsed = onnx.load_from_string(model)
    onnx.checker.check_model(parsed)
    return parsed.graph


def test_open_axes_have_names_and_the_others_sizes() -> None:
    graph = exported(segmenting(64, 96))
    assert axes(graph.input) == [["batch", 3, "height", "width"]]
    assert axes(graph.output) == [["batch", 2, "height", "width"]]


def test_the_batch_alone_can_stay_open() -> None:
    graph = exported(segmenting(64, 96), DynamicShape({"batch": AxisRange(1)}))
    assert axes(graph.input) == [["batch", 3, 64, 96]]
    assert axes(graph.output) == [["batch", 2, 64, 96]]


def test_a_classifier_writes_the_same_for_every_size() -> None:
    graph = exported(classifying())
    assert axes(graph.input) == [["batch", 3, "height", "width"]]
    assert axes(graph.output) == [["batch", 2]]


def test_one_of_height_and_width_does_not_stay_open_alone() -> None:
    with pytest.raises(WrongUse, match="together"):
        exported(segmenting(64, 96), DynamicShape({"batch": AxisRange(1), "height": AxisRange(32)}))


def test_the_module_is_left_in_the_mode_that_it_was_in() -> None:
    workload = segmenting(64, 64)
    module = build_module(workload).train()
    export_dynamic(workload, module, dynamic_shape(workload))
    assert all(part.training for part in module.modules())
    assert module(*example_inputs(workload)).shape == (1, 2, 64, 64)
