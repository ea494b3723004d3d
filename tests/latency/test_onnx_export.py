"""What is exported computes what torch computes, again and again the same, and touches nothing else."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from latency import OPSET, Workload, build_module, example_inputs, export_onnx, input_names
from tests.contracts.examples import OPERATOR_CASES, block, decoder, network, reduction


def run_onnx(model: bytes, inputs: tuple[Any, ...]) -> Any:
    """The output of a model, by ONNX Runtime."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {f"input_{index}": tensor.numpy() for index, tensor in enumerate(inputs)}
    (output,) = session.run(["output"], feed)
    return torch.from_numpy(output)


def module_of(workload: Workload) -> Any:
    """The module, whose parts have no types."""
    return build_module(workload)


def weights(model: bytes) -> dict[str, bytes]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor).tobytes() for tensor in parsed(model).graph.initializer}


def parsed(model: bytes) -> Any:
    return onnx.load_from_string(model)


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_the_model_computes_what_the_module_does(case: str) -> None:
    workload = OPERATOR_CASES[case]
    inputs = example_inputs(workload, seed=1)
    with torch.no_grad():
        expected = build_module(workload).eval()(*inputs)
    torch.testing.assert_close(run_onnx(export_onnx(workload), inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", ["inverted residual", "factorized reduce at an odd size", "lr_aspp", "network"])
def test_trained_statistics_are_exported(case: str) -> None:
    workload = OPERATOR_CASES[case]
    module = build_module(workload)
    for seed in range(3):  # moves the running means and variances off 0 and 1
        module(*(x.repeat(2, 1, 1, 1) + 1 for x in example_inputs(workload, seed=seed)))
    inputs = example_inputs(workload)
    with torch.no_grad():
        expected = module.eval()(*inputs)
        fresh = build_module(workload).eval()(*inputs)
    assert not torch.allclose(expected, fresh, atol=1e-2)
    torch.testing.assert_close(run_onnx(export_onnx(workload, module), inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_the_model_is_valid_of_opset_17_and_has_fixed_shapes(case: str) -> None:
    workload = OPERATOR_CASES[case]
    model = parsed(export_onnx(workload))
    onnx.checker.check_model(model)
    assert [(imported.domain, imported.version) for imported in model.opset_import] == [("", 17)]
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    assert shapes == {f"input_{index}": [workload.batch, *shape] for index, shape in enumerate(workload.inputs)}
    assert [value.name for value in model.graph.output] == ["output"]


def test_the_opset_is_the_last_one_of_the_oldest_runtime() -> None:
    assert OPSET == 17


def test_inputs_are_numbered() -> None:
    assert input_names(block()) == ("input_0",)
    assert input_names(decoder()) == ("input_0", "input_1")


@pytest.mark.parametrize("workload", [block(), reduction(size=(7, 7)), network()], ids=["block", "odd", "network"])
def test_the_same_workload_is_the_same_file(workload: Workload) -> None:
    assert export_onnx(workload) == export_onnx(workload)


def test_weights_follow_the_seed() -> None:
    one, again, other = (build_module(block(), seed=seed).state_dict() for seed in (0, 0, 1))
    name = "body.0.0.weight"
    assert torch.equal(one[name], again[name])
    assert not torch.equal(one[name], other[name])
    assert weights(export_onnx(block())) == weights(export_onnx(block(), build_module(block())))


def test_inputs_follow_the_seed_and_have_shape_and_type() -> None:
    workload = replace(decoder(), batch=2)
    assert [(tuple(x.shape), x.dtype) for x in example_inputs(workload)] == [
        ((2, 8, 4, 8), torch.float32),
        ((2, 6, 16, 32), torch.float32),
    ]
    assert torch.equal(example_inputs(block())[0], example_inputs(block())[0])
    assert not torch.equal(example_inputs(block())[0], example_inputs(block(), seed=1)[0])


def test_inputs_of_half_precision_are_the_same_numbers_rounded() -> None:
    half = replace(block(), precision="fp16")
    (single,), (rounded,) = example_inputs(block()), example_inputs(half)
    assert rounded.dtype == torch.float16
    assert torch.equal(rounded, single.half())
    assert example_inputs(replace(block(), precision="int8"))[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "kind"),
    [("fp32", onnx.TensorProto.FLOAT), ("fp16", onnx.TensorProto.FLOAT16), ("int8", onnx.TensorProto.FLOAT)],
)
def test_only_half_precision_changes_the_types_of_the_model(precision: str, kind: int) -> None:
    graph = parsed(export_onnx(replace(block(), precision=precision))).graph
    ends = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert {*ends, *[tensor.data_type for tensor in graph.initializer]} == {kind}


@pytest.mark.parametrize("workload", [block(), network()], ids=["block", "network"])
def test_the_global_random_state_is_left_alone(workload: Workload) -> None:
    torch.manual_seed(5)
    state, numbers = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002 - whether it is touched
    build_module(workload)
    example_inputs(workload)
    export_onnx(workload)
    assert torch.equal(torch.get_rng_state(), state)
    assert str(np.random.get_state()) == numbers  # noqa: NPY002


def test_the_module_that_is_given_is_the_one_that_is_exported() -> None:
    module = module_of(block(12))
    nn.init.zeros_(module.body[2][1].weight)
    nn.init.constant_(module.body[2][1].bias, 3.0)
    output = run_onnx(export_onnx(block(12), module), example_inputs(block(12)))
    torch.testing.assert_close(output, torch.full((1, 12, 8, 8), 3.0))


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_a_module_is_left_as_it_was(training: bool) -> None:
    module = build_module(block()).train(training)
    export_onnx(block(), module)
    assert {part.training for part in module.modules()} == {training}


def test_the_mode_of_each_part_is_left_as_it_was() -> None:
    module = module_of(block())
    frozen = module.body[1][1].eval()
    export_onnx(block(), module)
    assert [part for part in module.modules() if not part.training] == [frozen]


def test_the_mode_is_left_as_it_was_when_the_export_fails() -> None:
    module = build_module(block(8, source=12))
    with pytest.raises(RuntimeError, match="channels"):
        export_onnx(block(), module)
    assert module.training


def test_weights_and_statistics_are_left_as_they_were() -> None:
    module = build_module(block())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    export_onnx(block(), module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_nothing_is_warned_of(case: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export_onnx(OPERATOR_CASES[case])
    assert [str(warning.message) for warning in caught] == []


def test_the_callers_warning_filters_are_left_alone() -> None:
    before = list(warnings.filters)
    export_onnx(block())
    assert warnings.filters == before


def test_a_free_operator_can_be_exported_inside_a_network() -> None:
    model = parsed(export_onnx(OPERATOR_CASES["identity"]))
    assert {node.op_type for node in model.graph.node} <= {"Identity"}
