"""Networks that are no chain, as one workload."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from devices import WrongUse
from latency import NetworkGraph, Workload, chain_workload, is_network, operator_of, parts
from tests.contracts.examples import block, graph, network, reduction

LAYERS = (block(12), reduction(8, source=12), block(6, size=4))


def test_a_chain_is_made_of_its_layers_in_order() -> None:
    assert parts(chain_workload(LAYERS)) == LAYERS


def test_a_graph_is_as_torch_has_it(agrees_with_torch: Callable[[Workload], None]) -> None:
    agrees_with_torch(graph())
    agrees_with_torch(replace(graph(), batch=3))


def test_parts_have_the_shapes_of_what_they_read() -> None:
    found = parts(graph())
    assert [part.inputs for part in found] == [((3, 8, 12),), ((4, 8, 12),), ((4, 8, 12),), ((12, 8, 12),)]


def test_junctions_are_no_parts_and_count_nothing() -> None:
    found, whole = parts(graph()), graph()
    assert operator_of(whole).macs(whole) == sum(operator_of(part).macs(part) for part in found)
    assert operator_of(whole).parameters(whole) == sum(operator_of(part).parameters(part) for part in found)


def test_a_junction_of_one_is_that_one() -> None:
    made = NetworkGraph((8, 8, 8))
    first = made.add(block(), 0)
    assert made.join("sum", first) == made.join("concatenate", first) == first


def test_a_graph_survives_json() -> None:
    again = Workload.from_json(json.loads(json.dumps(graph().to_json())))
    assert again == graph()
    assert parts(again) == parts(graph())


def test_precision_and_batch_are_those_of_the_layers() -> None:
    whole = chain_workload([replace(layer, precision="fp16", batch=2) for layer in LAYERS])
    assert (whole.precision, whole.batch) == ("fp16", 2)
    assert {(part.precision, part.batch) for part in parts(whole)} == {("fp16", 2)}


def test_shapes_that_cannot_be_joined_are_refused() -> None:
    for junction in ("sum", "concatenate"):
        made = NetworkGraph((8, 8, 8))
        made.add(block(), made.join(junction, made.add(block(), 0), made.add(block(stride=2), 0)))
        with pytest.raises(WrongUse, match=f"Node 3 of a graph is the {junction} of shapes that do not fit"):
            parts(made.workload())


def test_channels_may_differ_in_a_row_and_not_in_a_sum() -> None:
    made = NetworkGraph((8, 8, 8))
    made.add(block(source=20), made.join("concatenate", made.add(block(), 0), made.add(block(12), 0)))
    assert parts(made.workload())[-1].inputs == ((20, 8, 8),)


@pytest.mark.parametrize("reads", [(), (1,), (-1,)])
def test_a_layer_that_reads_what_is_not_there_yet_is_refused(reads: tuple[int, ...]) -> None:
    made = NetworkGraph((8, 8, 8))
    made.add(block(), *reads)
    with pytest.raises(WrongUse, match="Node 1 of a graph reads nodes before it"):
        parts(made.workload())


def test_a_graph_without_a_last_layer_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least one layer"):
        NetworkGraph((8, 8, 8)).workload()
    with pytest.raises(WrongUse, match="ends with a layer"):
        parts(Workload("graph", ((8, 8, 8),), {"nodes": ()}))


def test_a_layer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(WrongUse, match="inverted_residual takes the attributes"):
        parts(chain_workload([replace(block(), attributes={"channels": 8})]))


def test_whole_networks_are_told_from_blocks() -> None:
    assert [is_network(workload) for workload in (network(), graph(), block())] == [True, True, False]
    assert not is_network(Workload("somebody_elses", ((1, 1, 1),)))
    with pytest.raises(WrongUse, match="Only a whole network has parts"):
        parts(block())
