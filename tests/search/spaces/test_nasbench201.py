"""NAS-Bench-201 as networks: the right graph, the benchmark's own counts, and every one of the 15 625 cells."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from devices import WrongUse
from latency import build_module, operator_of, parts
from search import Space, open_space
from search.spaces import Architecture
from search.spaces.nasbench201_cells import CELL_EDGES, CELL_OPERATIONS, read_cells, write_cells
from tests.contracts.space_contract import SpaceContract, counted

torch = pytest.importorskip("torch", reason="torch is not installed; cells are built as its modules")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there
from torch.nn import functional  # noqa: E402

MIXED = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
DISCONNECTED = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|"
DEAD_NODE = "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"

LARGEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SMALLEST = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class TestNasBench201(SpaceContract):
    smallest = (16, 16)

    def open(
        self, input_size: tuple[int, int] | None = None, classes: int | None = None, precision: str = "fp32"
    ) -> Space:
        return open_space("nasbench201", input_size, classes, precision)


@pytest.fixture(scope="module")
def space() -> Space:
    return open_space("nasbench201")


@pytest.mark.parametrize(
    ("cell", "size", "classes", "flops_m", "parameters_m"),
    [
        (LARGEST, 32, 10, 220.11969, 1.531546),
        (SMALLEST, 32, 10, 7.78305, 0.073306),
        (LARGEST, 32, 100, 220.12554, 1.537396),
        (SMALLEST, 32, 100, 7.7889, 0.079156),
        (LARGEST, 16, 120, 55.03756, None),
        (SMALLEST, 16, 120, 1.9534, None),
    ],
)
def test_counts_are_those_of_the_benchmark_but_for_the_biases(
    cell: str, size: int, classes: int, flops_m: float, parameters_m: float | None
) -> None:
    space = open_space("nasbench201", (size, size), classes)
    network = space.network(space.read(cell))
    macs, parameters, shape = counted(network)
    assert ((macs + classes) / 1e6, shape) == (flops_m, (1, classes))
    assert operator_of(network).macs(network) == macs
    assert parameters_m is None or parameters / 1e6 == parameters_m


def test_all_15625_cells_are_networks_whose_macs_are_those_of_their_edges(space: Space) -> None:
    every = np.stack(np.meshgrid(*[np.arange(5)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    macs = space.fixed_macs + space.macs[np.arange(6), every].sum(axis=1)
    for index in np.random.default_rng(0).choice(len(every), 60, replace=False):
        architecture = Architecture(space.name, tuple(int(pick) for pick in every[index]))
        network = space.network(architecture)
        assert operator_of(network).macs(network) == macs[index]
        assert Counter(parts(network)) == Counter(space.lower(architecture))
    assert len(every) == 15625
    assert (macs.min(), macs.max()) == (7_783_040, 220_119_680)


def slowly(network: nn.Module, space: Space, architecture: Architecture, x: Tensor) -> Tensor:
    """The network edge by edge as the paper describes it, with the weights of ``network`` in order of use."""
    modules = iter([node for node in network.nodes if type(node).__name__ != "Junction"])
    operations = space.names(architecture)
    x = next(modules)(x)
    for stage in range(3):
        for _ in range(5):
            nodes = [x, *(torch.zeros_like(x) for _ in range(3))]
            for (start, end), operation in zip(CELL_EDGES, operations, strict=True):
                nodes[end] = nodes[end] + edge(operation, modules, nodes[start])
            x = nodes[3]
        x = next(modules)(x) if stage < 2 else x
    closing, classifier = modules
    norm = closing[0]
    x = functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()
    return functional.linear(x.mean(dim=(2, 3)), classifier[-1].weight, classifier[-1].bias)


def edge(operation: str, modules: object, x: Tensor) -> Tensor:
    if operation == "none":
        return x * 0
    module = next(modules)  # type: ignore[call-overload]
    if operation == "skip_connect":
        return x
    if operation == "avg_pool_3x3":
        return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    convolution, norm = (part for part in module.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d))
    size = int(operation[-1])
    assert convolution.kernel_size == (size, size)
    y = functional.conv2d(x.relu(), convolution.weight, padding=size // 2)
    return functional.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)


@pytest.mark.parametrize("cell", [MIXED, DISCONNECTED, DEAD_NODE, LARGEST, SMALLEST])
def test_a_cell_computes_what_its_edges_say(cell: str) -> None:
    space = open_space("nasbench201", (8, 8), 4)
    architecture = space.read(cell)
    network = build_module(space.network(architecture)).eval()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(network(x), slowly(network, space, architecture, x), atol=1e-4)


def test_of_a_disconnected_cell_nothing_reaches_the_output() -> None:
    space = open_space("nasbench201", (8, 8), 4)
    network = build_module(space.network(space.read(DISCONNECTED))).eval()
    with torch.inference_mode():
        first, second = (network(torch.full((1, 3, 8, 8), value)) for value in (-1.0, 2.0))
    assert torch.equal(first, second)


def test_an_operation_is_computed_15_times_and_none_never(space: Space) -> None:
    for unit in space.units:
        assert unit.names == CELL_OPERATIONS
        assert [len(candidate.workloads) for candidate in unit.candidates] == [0, 15, 15, 15, 15]
    shapes = Counter(workload.inputs[0] for workload in space.units[0].candidates[3].workloads)
    assert shapes == {(16, 32, 32): 5, (32, 16, 16): 5, (64, 8, 8): 5}


def test_units_are_the_edges_in_the_order_of_the_strings(space: Space) -> None:
    assert [unit.name for unit in space.units] == [f"edge {start} to {end}" for start, end in CELL_EDGES]
    assert space.read(MIXED).picks == tuple(read_cells([MIXED])[0])
    assert write_cells(np.array([space.read(MIXED).picks])) == (MIXED,)


def test_a_line_that_is_no_cell_is_refused(space: Space) -> None:
    with pytest.raises(WrongUse, match="A cell is"):
        space.read(MIXED.replace("~2", "~1"))


def test_the_reference_is_a_residual_block(space: Space) -> None:
    names = space.names(Architecture(space.name, space.reference))
    assert names == ("nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "skip_connect")


def test_an_input_that_cannot_be_halved_twice_is_refused() -> None:
    with pytest.raises(WrongUse, match="multiples of 4; got 18x16"):
        open_space("nasbench201", (18, 16))
