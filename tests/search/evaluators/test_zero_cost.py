"""Zero-cost proxies against numbers worked out by hand, and on networks of a space."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from latency import build_module
from search import Architecture, LabelledImages, Space, open_space
from search.evaluators import Naswot, Synflow
from search.evaluators.zero_cost import naswot, synflow

torch = pytest.importorskip("torch", reason="torch is not installed; proxies look at its networks")
nn = torch.nn


def linear(*weights: list[list[float]], relu: bool = False) -> nn.Module:
    """1x1 convolutions with these weights, with a batch norm after each, and ReLUs if wanted."""
    layers = list[nn.Module]()
    for matrix in weights:
        layer = nn.Conv2d(len(matrix[0]), len(matrix), 1, bias=False)
        layer.weight.data = torch.tensor(matrix)[:, :, None, None]
        layers += [layer, nn.BatchNorm2d(len(matrix)), *([nn.ReLU()] if relu else [])]
    return nn.Sequential(*layers)


def test_synflow_of_two_layers_is_twice_the_sum_over_all_paths() -> None:
    # Each of the paths 1*2 + 1*3 and 2*2 + 2*3 (absolute weights) is counted once for each of its two weights.
    network = linear([[-1.0], [2.0]], [[2.0, -3.0]])
    assert synflow(network, (1, 1, 1)) == pytest.approx(2 * (1 * 2 + 2 * 3))
    assert synflow(network, (1, 2, 5)) == pytest.approx(10 * 2 * (1 * 2 + 2 * 3))


def test_synflow_leaves_the_network_as_it_was() -> None:
    network = linear([[-1.0], [2.0]], [[2.0, -3.0]])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    synflow(network, (1, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [type(module) for module in network] == [nn.Conv2d, nn.BatchNorm2d] * 2


def test_synflow_is_0_where_no_signal_gets_through() -> None:
    assert synflow(linear([[1.0], [1.0]], [[0.0, 0.0]]), (1, 2, 2)) == 0


def test_naswot_is_the_log_determinant_of_agreements_between_codes() -> None:
    # Two ReLUs see (1, -1), (1, 1) and (-1, -1); no batch norm, so that the codes are those signs.
    pictures = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])[:, :, None, None]
    agreements = np.array([[2, 1, 1], [1, 2, 0], [1, 0, 2]])
    assert np.linalg.det(agreements) == pytest.approx(4)
    assert naswot(nn.Sequential(nn.ReLU()), pictures) == pytest.approx(math.log(4))


def test_naswot_adds_up_layers_be_they_modules_or_functions() -> None:
    class Twice(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.relu(nn.ReLU()(x) - 0.5)

    pictures = torch.tensor([[1.0, -1.0], [0.2, 1.0]])[:, :, None, None]
    # First codes (1, 0) and (1, 1), then (1, 0) and (0, 1): agreements 1 + 0, of 4 in all.
    assert naswot(Twice(), pictures) == pytest.approx(math.log(4 * 4 - 1))


@pytest.mark.parametrize("network", [nn.Identity(), nn.ReLU()], ids=["no ReLU", "same codes"])
def test_naswot_of_images_that_cannot_be_told_apart_is_no_number(network: nn.Module) -> None:
    assert math.isnan(naswot(network, torch.ones((3, 2, 1, 1))))


def test_networks_of_a_space_are_scored_the_same_each_time(
    tiny: Space, patches: Callable[[int], LabelledImages]
) -> None:
    for make in (lambda: Synflow(tiny, 0), lambda: Naswot(tiny, 0, patches(6), batch_size=4)):
        first, second = (make().score((3, 3, 3, 3)) for _ in range(2))
        assert first == second
        assert math.isfinite(first)
        assert make().score((0, 0, 0, 0)) != first


@pytest.mark.parametrize("name", ["fbnet", "proxylessnas", "nasbench201"])
def test_networks_that_classify_are_scored_on_images_with_one_class_each(
    name: str, objects: Callable[..., LabelledImages]
) -> None:
    space = open_space(name, (32, 32), 10)
    evaluator = Naswot(space, 0, objects(4, (32, 32)), batch_size=3)
    assert math.isfinite(evaluator.score(space.reference))


def test_naswot_sees_relu6_and_no_other_clamp() -> None:
    pictures = torch.tensor([[1.0, -1.0], [1.0, 1.0]])[:, :, None, None]
    assert naswot(nn.Sequential(nn.ReLU6(), nn.Hardtanh()), pictures) == naswot(nn.ReLU(), pictures)


def test_the_seed_draws_the_weights(tiny: Space) -> None:
    assert Synflow(tiny, 0).score((3, 3, 3, 3)) != Synflow(tiny, 1).score((3, 3, 3, 3))


def test_cells_of_nasbench201_are_scored_and_one_without_a_path_has_no_flow() -> None:
    space = open_space("nasbench201", (8, 8))
    evaluator = Synflow(space, 0)
    assert evaluator.score((0,) * 6) == 0
    assert evaluator.score((3,) * 6) > evaluator.score(space.reference) > evaluator.score((1,) * 6) > 0
    network = build_module(space.network(Architecture(space.name, (3,) * 6)), seed=0)
    assert evaluator.score((3,) * 6) == pytest.approx(math.log1p(synflow(network, (3, 8, 8))))
