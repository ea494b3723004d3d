"""A whole network as one workload."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from devices import WrongUse
from latency import OPERATORS, Workload, network_workload, operator_of, parts
from tests.contracts.examples import block, decoder, network, reduction


def sums(workload: Workload) -> tuple[int, int]:
    """MACs and parameters of the parts together."""
    found = parts(workload)
    return sum(operator_of(p).macs(p) for p in found), sum(operator_of(p).parameters(p) for p in found)


def test_the_parts_are_the_layers_with_the_shapes_they_read() -> None:
    *encoder, end = parts(network())
    assert [part.operator for part in encoder] == [
        "convolution",
        "inverted_residual",
        "inverted_residual",
        "factorized_reduce",
    ]
    assert [part.inputs for part in encoder] == [((3, 32, 64),), ((8, 16, 32),), ((8, 8, 16),), ((8, 8, 16),)]
    assert (end.operator, end.inputs) == ("lr_aspp", ((10, 4, 8), (8, 8, 16)))


def test_the_parts_have_the_attributes_they_were_made_of() -> None:
    layers = (block(12), block(10, source=12, expansion=1))
    found = parts(network_workload(layers, 0, decoder()))
    assert found[:2] == layers
    assert found[2].attributes == decoder().attributes


@pytest.mark.parametrize(("tap", "shape"), [(0, (12, 8, 8)), (1, (8, 4, 4)), (2, (6, 4, 4))])
def test_the_decoder_reads_the_last_layer_and_the_tapped_one(tap: int, shape: tuple[int, int, int]) -> None:
    layers = (block(12), reduction(8, source=12), block(6, size=4))
    assert parts(network_workload(layers, tap, decoder()))[-1].inputs == ((6, 4, 4), shape)


def test_a_tap_below_0_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least 0 as tap; got -1"):
        OPERATORS["network"].macs(network_workload((block(), block()), -1, decoder()))


@pytest.mark.parametrize("tap", [2, 99])
def test_a_tap_that_is_no_layer_is_refused(tap: int) -> None:
    workload = network_workload((block(), block()), tap, decoder())
    with pytest.raises(WrongUse, match=f"one of its 2 layers; got {tap}"):
        parts(workload)
    with pytest.raises(WrongUse, match="one of its 2 layers"):
        OPERATORS["network"].macs(workload)


def test_a_part_that_does_not_fit_is_refused() -> None:
    wrong = replace(block(), attributes={"channels": 8})
    with pytest.raises(WrongUse, match="inverted_residual takes the attributes"):
        parts(network_workload((wrong,), 0, decoder()))


def test_a_network_survives_json() -> None:
    workload = network(batch=2)
    again = Workload.from_json(json.loads(json.dumps(workload.to_json())))
    assert again.digest == workload.digest
    assert parts(again) == parts(workload)
    assert OPERATORS["network"].macs(again) == OPERATORS["network"].macs(workload)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_is_as_torch_has_it(agrees_with_torch: Callable[[Workload], None], batch: int) -> None:
    agrees_with_torch(network(batch=batch))


@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_costs_what_its_parts_cost(batch: int) -> None:
    workload = network(batch=batch)
    operator = OPERATORS["network"]
    assert (operator.macs(workload), operator.parameters(workload)) == sums(workload)
    assert {part.batch for part in parts(workload)} == {batch}
    assert operator.output(workload) == (5, 32, 64)


def test_a_larger_batch_costs_more_macs_and_no_more_parameters() -> None:
    one, three = sums(network()), sums(network(batch=3))
    assert three == (3 * one[0], one[1])


def test_precision_and_batch_of_the_first_layer_are_those_of_the_network() -> None:
    first = replace(block(), precision="fp16", batch=4)
    workload = network_workload((first, block()), 0, decoder())
    assert (workload.precision, workload.batch, workload.inputs) == ("fp16", 4, first.inputs)
    assert {(part.precision, part.batch) for part in parts(workload)} == {("fp16", 4)}


def test_networks_that_differ_in_one_pick_or_in_the_tap_are_different() -> None:
    networks = [
        network_workload((block(), block()), 0, decoder()),
        network_workload((block(), block()), 1, decoder()),
        network_workload((block(), block(expansion=6)), 0, decoder()),
        network_workload((block(), block()), 0, decoder("aspp")),
    ]
    assert len({workload.digest for workload in networks}) == 4
