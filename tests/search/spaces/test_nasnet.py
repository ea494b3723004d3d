"""Cells in the style of NASNet: blocks read what they say, and costs add up whatever they read."""

from __future__ import annotations

import pytest

from latency import build_module
from search import Space, open_space
from search.spaces import Architecture
from search.spaces.nasnet import BLOCKS, NASNET_OPERATIONS
from tests.contracts.space_contract import SpaceContract

torch = pytest.importorskip("torch", reason="torch is not installed; cells are built as its modules")

POOLS = "0:max_pool_3x3"


class TestNasNet(SpaceContract):
    smallest = (8, 8)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space("nasnet", input_size, classes, precision)


def test_each_block_chooses_two_inputs_with_an_operation_each() -> None:
    units = open_space("nasnet").units
    assert len(units) == 2 * BLOCKS * 2
    inputs = [2 + block for block in range(BLOCKS) for _ in range(2)] * 2
    assert [len(unit.candidates) for unit in units] == [count * len(NASNET_OPERATIONS) for count in inputs]
    assert units[0].names[: len(NASNET_OPERATIONS)] == tuple(f"0:{name}" for name in NASNET_OPERATIONS)
    assert units[-1].names[-1] == f"5:{NASNET_OPERATIONS[-1]}"


def test_in_a_reduction_cell_the_stride_depends_on_what_is_read() -> None:
    space = open_space("nasnet")
    last = space.units[-1]
    by_name = {candidate.name: candidate.workloads for candidate in last.candidates}
    assert {w.attributes["stride"] for w in by_name["1:separable_3x3"]} == {2}
    assert {w.attributes["stride"] for w in by_name["2:separable_3x3"]} == {1}
    assert [w.operator for w in by_name["1:identity"]] == ["factorized_reduce"] * 2
    assert [w.operator for w in by_name["2:identity"]] == ["identity"] * 2


def test_what_a_pick_is_used_in_is_every_cell_of_its_kind() -> None:
    units = open_space("nasnet").units
    assert {len(candidate.workloads) for unit in units[:10] for candidate in unit.candidates} == {6}
    assert {len(candidate.workloads) for unit in units[10:] for candidate in unit.candidates} == {2}


def test_a_block_adds_up_its_two_operations_and_a_cell_is_its_blocks_in_a_row() -> None:
    """By hand on the first cell: identities of both inputs, sums of them, and sums of these."""
    space = open_space("nasnet", (8, 8), 3)
    first = ("0:identity", "1:identity", "2:identity", "1:identity", "3:identity", "2:identity")
    rest = ("0:identity", "0:identity", "1:identity", "1:identity")
    names = (*first, *rest, *[POOLS] * 10)
    network = build_module(space.network(space.architecture(names))).eval()
    seen: dict[int, torch.Tensor] = {}
    nodes = list(network.nodes)
    rows = next(k for k, node in enumerate(nodes) if getattr(node, "kind", "") == "concatenate")
    for index in (0, 1, 2, rows):
        nodes[index].register_forward_hook(lambda module, read, written, index=index: seen.update({index: written}))
    with torch.inference_mode():
        network(torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    before, last = seen[1], seen[2]
    second = before + last
    third = second + last
    by_hand = [second, third, third + second, 2 * before, 2 * last]
    assert torch.allclose(seen[rows], torch.cat(by_hand, dim=1), atol=1e-5)


def test_every_operation_runs_in_both_cells() -> None:
    space = open_space("nasnet", (8, 8), 3)
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for number in range(len(NASNET_OPERATIONS)):
        network = build_module(space.network(Architecture(space.name, (number,) * 20))).eval()
        with torch.inference_mode():
            assert network(x).shape == (1, 3)
