"""A graph computes what its wiring says, and keeps no longer what nobody reads."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; these are its modules")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from latency.operators.graph_modules import Graph, Junction  # noqa: E402 - it imports torch


class Times(nn.Module):
    """Notes how many tensors are alive, as far as the graph holds them."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_junctions_do_what_they_are_called() -> None:
    first, second = torch.ones(1, 2, 1, 1), torch.full((1, 2, 1, 1), 3.0)
    assert Junction("sum")(first, second, second).flatten().tolist() == [7, 7]
    assert Junction("concatenate")(first, second).flatten().tolist() == [1, 1, 3, 3]
    assert Junction("zeros")(second).flatten().tolist() == [0, 0]


def test_each_node_reads_what_it_is_wired_to() -> None:
    nodes = [Times(2), Times(3), Junction("sum"), Times(5)]
    graph = Graph(nodes, [(0,), (1,), (0, 1, 2), (3,)])
    assert graph(torch.ones(1, 1, 1, 1)).item() == 5 * (1 + 2 + 6)


def test_a_sum_leaves_what_it_reads_as_it_was() -> None:
    graph = Graph([Times(1), Junction("sum"), Junction("sum")], [(0,), (0, 1), (0, 1)])
    x = torch.ones(1, 1, 1, 1)
    assert graph(x).item() == 2
    assert x.item() == 1


def test_gradients_reach_every_branch() -> None:
    nodes = [nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1), Junction("sum")]
    graph = Graph(nodes, [(0,), (0,), (1, 2)])
    graph(torch.randn(1, 2, 3, 3)).sum().backward()
    assert all(weight.grad is not None for weight in graph.parameters())


def test_a_long_chain_holds_one_output_at_a_time() -> None:
    import weakref

    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def watch(_module: nn.Module, _read: object, written: Tensor) -> None:
        nonlocal most
        alive.append(weakref.ref(written))
        most = max(most, sum(one() is not None for one in alive))

    graph = Graph([Times(2) for _ in range(10)], [(k,) for k in range(10)])
    for node in graph.nodes:
        node.register_forward_hook(watch)
    with torch.inference_mode():
        graph(torch.ones(1, 1, 1, 1))
    assert most <= 2
