"""What every operator does, and the registry that finds one by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from devices import WrongUse
from latency import OPERATORS, PRECISION_BYTES, Layer, Operator, Workload, is_network, operator_of
from tests.contracts.examples import OPERATOR_CASES, block, decoder, skip

WORKLOADS = {workload.operator: workload for workload in OPERATOR_CASES.values()}


class Doubling(Operator):
    """One of somebody else's."""

    name = "doubling"
    attributes = {"times": int, "slope": (int, float), "mode": str}

    def layers(self, workload: Workload) -> Sequence[Layer]:
        channels, height, width = workload.inputs[0]
        return (Layer((2 * channels, height, width), macs=7, parameters=5),)

    def build(self, workload: Workload) -> Any:
        raise NotImplementedError


def test_there_is_an_example_of_every_operator() -> None:
    # Files of a user that another test loaded have added theirs.
    shipped = {name for name, operator in OPERATORS.items() if type(operator).__module__.startswith("latency.")}
    assert set(WORKLOADS) == shipped


@pytest.mark.parametrize("name", WORKLOADS)
def test_an_example_is_taken(name: str) -> None:
    assert operator_of(WORKLOADS[name]) is OPERATORS[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_one_input_more_or_less_is_refused(name: str) -> None:
    for inputs in (WORKLOADS[name].inputs * 2, ()):
        with pytest.raises(WrongUse, match=f"{name} reads . inputs; got {len(inputs)}"):
            operator_of(replace(WORKLOADS[name], inputs=inputs))


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_missing_an_unknown_and_a_mistyped_attribute_are_refused(name: str) -> None:
    workload = WORKLOADS[name]
    given = dict(workload.attributes)
    with pytest.raises(WrongUse, match=f"{name} takes the attributes .*; got .*'colour'"):
        operator_of(replace(workload, attributes={**given, "colour": 1}))
    for attribute, value in given.items():
        rest = {other: value for other, value in given.items() if other != attribute}
        with pytest.raises(WrongUse, match=f"{name} takes the attributes .*'{attribute}'"):
            operator_of(replace(workload, attributes=rest))
        wrong = 3 if isinstance(value, str) else "three"
        with pytest.raises(WrongUse, match=rf"{name} takes .* as {attribute}; got {wrong!r}"):
            operator_of(replace(workload, attributes={**given, attribute: wrong}))


@pytest.mark.parametrize("question", ["output", "macs", "parameters", "activation_bytes"])
def test_no_question_is_answered_for_a_workload_that_does_not_fit(question: str) -> None:
    with pytest.raises(WrongUse, match="inverted_residual takes the attributes"):
        getattr(OPERATORS["inverted_residual"], question)(replace(block(), attributes={}))


@pytest.mark.parametrize("case", [case for case, workload in OPERATOR_CASES.items() if not is_network(workload)])
def test_macs_and_activations_grow_with_the_batch_and_parameters_do_not(case: str) -> None:
    one = replace(OPERATOR_CASES[case], batch=1)
    three = replace(one, batch=3)
    operator = operator_of(one)
    assert operator.macs(three) == 3 * operator.macs(one)
    assert operator.activation_bytes(three) == 3 * operator.activation_bytes(one)
    assert operator.parameters(three) == operator.parameters(one)
    assert operator.output(three) == operator.output(one)


def test_activation_bytes_of_a_block_by_hand() -> None:
    # Reads 8 channels, writes 24, 24 and 8 of 8 x 8 pixels, of 4 bytes each.
    assert OPERATORS["inverted_residual"].activation_bytes(block()) == (8 + 24 + 24 + 8) * 64 * 4


def test_activation_bytes_of_a_decoder_count_both_inputs() -> None:
    # 8x4x8 and 6x16x32 read; 4x4x8, pooled 8x1x1, gate 4x1x1, gated 4x4x8, resized 4x16x32, two of 5x16x32, 5x64x128.
    read = 8 * 32 + 6 * 512
    written = 4 * 32 + 8 + 4 + 4 * 32 + 4 * 512 + 2 * 5 * 512 + 5 * 8192
    assert OPERATORS["lr_aspp"].activation_bytes(decoder()) == (read + written) * 4


@pytest.mark.parametrize("precision", PRECISION_BYTES)
def test_activation_bytes_follow_the_precision(precision: str) -> None:
    whole = OPERATORS["inverted_residual"].activation_bytes(block())
    assert (
        OPERATORS["inverted_residual"].activation_bytes(replace(block(), precision=precision))
        == whole * PRECISION_BYTES[precision] // 4
    )


def test_a_free_operator_reads_and_writes_nothing_new() -> None:
    assert OPERATORS["identity"].activation_bytes(skip()) == 8 * 64 * 4  # what it is handed


def test_a_name_is_given_once() -> None:
    registry = type(OPERATORS)()
    registry.add(Doubling())
    with pytest.raises(WrongUse, match="already an operator 'doubling'; give the new one another name"):
        registry.add(Doubling())
    with pytest.raises(WrongUse, match="already an operator 'identity'"):
        OPERATORS.add(OPERATORS["identity"])


def test_an_unknown_operator_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(WrongUse, match=r"no operator 'convolutoin'\. Did you mean 'convolution'\?"):
        operator_of(Workload("convolutoin", ((1, 1, 1),)))


def test_asking_whether_a_name_is_known_does_not_raise() -> None:
    assert "identity" in OPERATORS
    assert "nonsense" not in OPERATORS


def test_the_registry_lists_what_was_added() -> None:
    registry = type(OPERATORS)()
    assert (len(registry), list(registry)) == (0, [])
    registry.add(Doubling())
    assert (len(registry), list(registry)) == (1, ["doubling"])


@pytest.mark.parametrize("slope", [1, 1.5])
def test_an_operator_of_somebody_else_gets_every_answer(slope: float) -> None:
    workload = Workload("doubling", ((3, 4, 5),), {"times": 1, "slope": slope, "mode": "fast"}, batch=2)
    operator = Doubling()
    operator.check(workload)
    assert operator.output(workload) == (6, 4, 5)
    assert (operator.macs(workload), operator.parameters(workload)) == (14, 5)
    assert operator.activation_bytes(workload) == 2 * (60 + 120) * 4


def test_one_of_several_types_is_asked_for() -> None:
    workload = Workload("doubling", ((3, 4, 5),), {"times": 1.5, "slope": 1, "mode": "fast"})
    with pytest.raises(WrongUse, match=r"as times; got 1\.5"):
        Doubling().check(workload)


@pytest.mark.parametrize(
    ("name", "value"),
    [("stride", 0), ("channels", -1), ("kernel", True), ("kernel", 2), ("groups", 3), ("stride", 1.0)],
)
def test_a_value_that_no_convolution_can_have_is_refused(name: str, value: int) -> None:
    whole = {"channels": 8, "kernel": 3, "stride": 1, "expansion": 1, "groups": 1, "dilation": 1}
    workload = Workload("inverted_residual", ((8, 8, 8),), {**whole, name: value})
    with pytest.raises(WrongUse):
        OPERATORS["inverted_residual"].macs(workload)
