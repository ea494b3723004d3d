"""The supernet mixes what its networks give; the policy draws and costs what it says."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency import Workload, build_module
from search import Architecture, Candidate, Policy, Space, Supernet, Unit, open_space
from search.spaces import refuse_inconsistent
from search.supernet import uniform_paths

torch = pytest.importorskip("torch", reason="torch is not installed; a supernet is one of its modules")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

NAN = float("nan")
COSTS = [[1.0, 5.0, 2.0], [NAN, 3.0, 0.5]]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_hot(*picks: int, candidates: int = 13) -> Tensor:
    return nn.functional.one_hot(torch.tensor(picks), candidates).float()


@pytest.fixture(scope="module")
def supernet(tiny: Space) -> Supernet:
    torch.manual_seed(0)
    made = Supernet(tiny)
    # Statistics as after some training, so that evaluation mode has something to get wrong.
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.3, generator=seeded(1))
            norm.running_var.uniform_(0.5, 2, generator=seeded(2))
    return made.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, 32, 64, generator=seeded())


@pytest.fixture
def policy() -> Policy:
    made = Policy(torch.tensor(COSTS), 10.0)
    with torch.no_grad():
        made.logits.copy_(torch.tensor([[0.0, 1.0, -0.5], [3.0, 0.2, 0.1]]))
    return made


@given(picks=st.lists(st.integers(0, 12), min_size=4, max_size=4))
@settings(max_examples=25)
def test_a_one_hot_mixture_is_the_picked_network(supernet: Supernet, images: Tensor, picks: list[int]) -> None:
    with torch.inference_mode():
        expected = supernet.pick(picks).eval()(images)
        assert torch.equal(supernet(images, one_hot(*picks)), expected)


def test_the_scores_have_the_size_of_the_images(supernet: Supernet, images: Tensor) -> None:
    with torch.inference_mode():
        assert supernet(images, torch.full((4, 13), 1 / 13)).shape == (3, 3, 32, 64)


def test_a_picked_network_shares_its_weights_with_the_supernet(tiny: Space) -> None:
    own = Supernet(tiny)
    network = own.pick((0, 3, 7, 12))
    shared = {weight.data_ptr() for weight in own.parameters()}
    assert {weight.data_ptr() for weight in network.parameters()} < shared


def test_a_soft_mixture_is_the_weighted_sum(tiny: Space, images: Tensor) -> None:
    alone = replace(tiny, units=tiny.units[:1], head=(), decoder=replace(tiny.decoder, inputs=((4, 8, 16), (4, 8, 16))))
    supernet = Supernet(alone).eval()
    weights = torch.rand(1, 13, generator=seeded())
    with torch.inference_mode():
        stem = supernet.stem[0](images)
        summed = sum(weight * candidate(stem) for weight, candidate in zip(weights[0], supernet.units[0], strict=True))
        torch.testing.assert_close(supernet(images, weights), supernet.decoder(summed, summed))


def test_every_image_can_have_a_mixture_of_its_own(supernet: Supernet, images: Tensor) -> None:
    picks = [(0, 1, 2, 3), (12, 12, 12, 12), (7, 3, 0, 11)]
    with torch.inference_mode():
        scores = supernet(images, torch.stack([one_hot(*network) for network in picks]))
        alone = [supernet.pick(network).eval()(image[None])[0] for network, image in zip(picks, images, strict=True)]
    torch.testing.assert_close(scores, torch.stack(alone))


def test_candidates_without_weight_are_not_computed(supernet: Supernet, images: Tensor) -> None:
    calls: list[tuple[int, int]] = []
    hooks = [
        candidate.register_forward_hook(lambda *_, place=(unit, index): calls.append(place))
        for unit, candidates in enumerate(supernet.units)
        for index, candidate in enumerate(candidates)
    ]
    with torch.inference_mode():
        supernet(images, one_hot(1, 2, 3, 12))
        assert calls == [(0, 1), (1, 2), (2, 3), (3, 12)]
        calls.clear()
        supernet(images[:2], torch.stack([one_hot(1, 2, 3, 12), one_hot(4, 2, 3, 12)]))
        assert calls == [(0, 1), (0, 4), (1, 2), (2, 3), (3, 12)]
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("soft", [True, False])
def test_the_gradient_of_a_draw_reaches_the_logits(supernet: Supernet, images: Tensor, soft: bool) -> None:
    policy = Policy(torch.ones(4, 13), 0.0)
    draw = policy.draw(1.0, seeded(), soft=soft, images=3)
    gradient = torch.autograd.grad(supernet(images, draw).square().mean(), policy.logits)[0]
    assert gradient.isfinite().all()
    assert (gradient != 0).any(dim=1).all()


def test_a_hard_draw_is_one_hot_and_a_soft_one_is_the_softmax(policy: Policy) -> None:
    hard, soft = (policy.draw(0.7, seeded(), soft=kind, images=50) for kind in (False, True))
    torch.testing.assert_close(soft.sum(-1), torch.ones(50, 2))
    assert torch.equal(hard.detach(), torch.nn.functional.one_hot(soft.argmax(-1), soft.shape[-1]).to(hard.dtype))
    assert torch.equal(hard.argmax(-1), soft.argmax(-1))


def test_a_hard_draw_has_the_gradient_of_the_soft_one(policy: Policy) -> None:
    towards = torch.randn(5, 2, 3, generator=seeded(9))
    gradients = [
        torch.autograd.grad((policy.draw(0.7, seeded(), soft=soft, images=5) * towards).sum(), policy.logits)[0]
        for soft in (False, True)
    ]
    torch.testing.assert_close(*gradients)


def test_draws_follow_the_probabilities(policy: Policy) -> None:
    for temperature in (0.5, 5.0):
        drawn = policy.draw(temperature, seeded(), soft=False, images=40_000).mean(dim=0)
        torch.testing.assert_close(drawn, policy.probabilities(), atol=0.012, rtol=0)


@pytest.mark.parametrize("soft", [True, False])
def test_what_failed_is_never_drawn_and_has_probability_0(policy: Policy, soft: bool) -> None:
    assert policy.probabilities()[1, 0] == 0
    torch.testing.assert_close(policy.probabilities().sum(-1), torch.ones(2))
    draw = policy.draw(3.0, seeded(), soft=soft, images=1000)
    assert (draw[:, 1, 0] == 0).all()
    loss = draw.square().sum() + policy.expected_cost()
    gradient = torch.autograd.grad(loss, policy.logits)[0]
    assert gradient.isfinite().all()
    assert gradient[1, 0] == 0


def test_uniform_paths_visit_what_is_allowed_evenly_whatever_the_policy(policy: Policy) -> None:
    generator = seeded()
    paths = torch.stack([uniform_paths(policy, generator) for _ in range(6000)])
    assert not paths.requires_grad
    expected = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.0, 0.5, 0.5]])
    torch.testing.assert_close(paths.mean(dim=0), expected, atol=0.03, rtol=0)
    assert set(paths.flatten().tolist()) == {0.0, 1.0}
    assert (paths[:, 1, 0] == 0).all()


def test_the_expected_cost_is_the_mean_over_all_networks(policy: Policy) -> None:
    probabilities = policy.probabilities()
    mean = sum(
        probabilities[0, a] * probabilities[1, b] * (10.0 + COSTS[0][a] + COSTS[1][b])
        for a, b in itertools.product(range(3), (1, 2))
    )
    torch.testing.assert_close(policy.expected_cost(), mean)


def test_paying_less_means_moving_towards_the_cheap_candidates() -> None:
    policy = Policy(torch.tensor(COSTS), 10.0)
    optimizer = torch.optim.SGD(policy.parameters(), 0.5)
    before = policy.expected_cost().item()
    gradient = torch.autograd.grad(policy.expected_cost(), policy.logits)[0]
    assert gradient[0, 1] > 0 > gradient[0, 0]
    assert gradient[1, 1] > 0 > gradient[1, 2]
    for _ in range(200):
        optimizer.zero_grad()
        policy.expected_cost().backward()
        optimizer.step()
    assert policy.expected_cost().item() < before
    assert policy.probabilities().argmax(-1).tolist() == [0, 2]
    assert policy.expected_cost().item() == pytest.approx(11.5, abs=0.1)


def test_draws_can_be_repeated(policy: Policy) -> None:
    first, second, other = (policy.draw(1.0, seeded(seed), soft=True, images=4) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_low_temperature_gives_nearly_one_candidate_and_a_high_one_gives_all_alike(policy: Policy) -> None:
    cold, hot = (policy.draw(temperature, seeded(), soft=True, images=200) for temperature in (0.01, 1000.0))
    assert cold.max(-1).values.mean() > 0.99
    torch.testing.assert_close(hot[:, 0], torch.full((200, 3), 1 / 3), atol=0.02, rtol=0)


@pytest.mark.parametrize("number", [0.0, 1.0])
def test_the_most_extreme_numbers_a_generator_gives_are_survived(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, number: float
) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, generator: torch.full(shape, number))
    draw = policy.draw(0.1, seeded(), soft=True)
    # Equal noise everywhere leaves the logits to decide.
    torch.testing.assert_close(draw[0], torch.softmax((policy.logits + policy.barred) / 0.1, -1))


def test_the_policy_begins_with_equal_logits_of_one() -> None:
    policy = Policy(torch.ones(2, 4), 0.0)
    assert torch.equal(policy.logits.detach(), torch.ones(2, 4))
    assert [name for name, _ in policy.named_parameters()] == ["logits"]


def test_a_straight_through_gradient_is_that_of_the_whole_mixture_and_reaches_every_unit(tiny: Space) -> None:
    torch.manual_seed(0)
    supernet = Supernet(tiny)
    policy = Policy(torch.from_numpy(tiny.macs.astype(float)), 0.0)
    mixture = policy.draw(1.0, torch.Generator().manual_seed(1), soft=False)
    images = torch.randn(2, 3, *tiny.input_size)
    labels = torch.randint(0, tiny.classes, (2, *tiny.input_size))

    def gradient(weights: torch.Tensor) -> torch.Tensor:
        loss = torch.nn.functional.cross_entropy(supernet(images, weights), labels)
        return torch.autograd.grad(loss, weights)[0]

    sparse = gradient(mixture)
    # A weight too small to matter, but not 0: every candidate takes part with a graph of its own.
    dense = gradient((mixture.detach() + 1e-12).requires_grad_())
    torch.testing.assert_close(sparse, dense, rtol=1e-3, atol=1e-6)
    through = torch.autograd.grad((sparse.detach() * mixture).sum(), policy.logits)[0]
    assert (through.abs().amax(dim=1) > 1e-7).all()


@pytest.fixture(scope="module")
def uneven() -> Space:
    """A space that classifies, whose units have seven, two and one candidates; one of them is a row of two layers."""
    candidates = open_space("proxylessnas", (32, 32), 5).units[1].candidates
    source = candidates[0].workload.inputs[0]
    row = Candidate("row", (*candidates[0].workloads, *candidates[6].workloads))
    choices = (candidates, (row, candidates[6]), candidates[2:3])
    units = tuple(Unit(f"unit {number}", some) for number, some in enumerate(choices))
    stem = Workload("convolution", ((3, 32, 32),), {"channels": source[0], "kernel": 3, "stride": 4})
    scores = Workload("classifier", (source,), {"classes": 5, "pool": 1})
    return Space("uneven", (32, 32), 5, (stem,), units, (), None, scores, (0, 0, 0))


@pytest.mark.parametrize("picks", [(0, 0, 0), (6, 1, 0), (3, 0, 0)])
def test_units_of_different_sizes_are_mixed_and_picked(uneven: Space, picks: tuple[int, ...]) -> None:
    refuse_inconsistent(uneven)
    own, images = Supernet(uneven).eval(), torch.randn(2, 3, 32, 32, generator=seeded())
    with torch.inference_mode():
        scores = own(images, one_hot(*picks, candidates=7))
        assert scores.shape == (2, 5)
        assert torch.equal(scores, own.pick(picks).eval()(images))


def test_a_policy_never_draws_what_a_unit_does_not_have(uneven: Space) -> None:
    own = Policy(torch.from_numpy(uneven.macs), float(uneven.fixed_macs))
    drawn = own.draw(1.0, seeded(), soft=False, images=200)
    assert drawn.argmax(dim=-1).amax(dim=0).tolist() == [6, 1, 0]
    images = torch.randn(2, 3, 32, 32, generator=seeded())
    supernet = Supernet(uneven)
    loss = supernet(images, own.draw(1.0, seeded(1), soft=False)[0], own.barred.isinf()).sum() + own.expected_cost()
    loss.backward()
    assert own.logits.grad is not None
    assert own.logits.grad[1:, 2:].abs().max() == 0
    assert own.logits.grad[0].abs().min() > 0


def settled(supernet: Supernet) -> Supernet:
    """In evaluation mode, with statistics and scales as after some training."""
    for norm in supernet.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.3, generator=seeded(1))
            norm.running_var.uniform_(0.5, 2, generator=seeded(2))
    return supernet.eval()


@pytest.fixture(scope="module")
def cells() -> Supernet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return settled(Supernet(open_space("nasbench201", (8, 8), 4)))


@pytest.fixture(scope="module")
def blocks() -> Supernet:
    """NASNet's cells, with two blocks each and one normal cell in each of two stages."""
    nasnet = import_module("search.spaces.nasnet")
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        for name, value in {"BLOCKS": 2, "_CELLS": 1, "_STAGES": 2, "_FILTERS": 2}.items():
            patch.setattr(nasnet, name, value)
        torch.manual_seed(0)
        return settled(Supernet(nasnet.nasnet("small blocks", (8, 8), 4)))


def drawn(space: Space, count: int) -> list[tuple[int, ...]]:
    rng = random.Random(0)
    return [tuple(rng.randrange(size) for size in space.sizes) for _ in range(count)]


def path(space: Space, picks: tuple[int, ...]) -> Tensor:
    return one_hot(*picks, candidates=max(space.sizes))


CELLS = [(0,) * 6, (3,) * 6, (3, 0, 2, 1, 0, 4), (0, 0, 3, 1, 2, 3), (4, 4, 0, 0, 0, 1)]


@pytest.mark.parametrize("name", ["cells", "blocks"])
def test_a_one_hot_mixture_of_cells_is_the_picked_network(name: str, request: pytest.FixtureRequest) -> None:
    supernet: Supernet = request.getfixturevalue(name)
    pictures = torch.randn(2, 3, 8, 8, generator=seeded())
    for picks in [*drawn(supernet.space, 8), *(CELLS if name == "cells" else [])]:
        network = supernet.pick(picks).eval()
        shared = {weight.data_ptr() for weight in supernet.parameters()}
        assert {weight.data_ptr() for weight in network.parameters()} < shared
        with torch.inference_mode():
            scores = supernet(pictures, path(supernet.space, picks))
            assert scores.shape == (2, 4)
            assert torch.equal(scores, network(pictures))


def in_order(supernet: Supernet, picks: tuple[int, ...]) -> list[nn.Module]:
    """The layers of a network of NAS-Bench-201 as they follow one another in its graph."""
    chosen = [list(unit)[pick] for unit, pick in zip(supernet.units, picks, strict=True)]
    layers = list(supernet.stem)
    for stage in range(3):
        for cell in range(5 * stage, 5 * stage + 5):
            layers += [candidate[cell] for candidate in chosen if len(candidate)]
        layers += list(supernet.head)[stage : stage + 1]
    return [*layers, supernet.decoder]


@pytest.mark.parametrize("picks", CELLS)
def test_a_picked_network_of_cells_computes_what_the_space_says(cells: Supernet, picks: tuple[int, ...]) -> None:
    alone = build_module(cells.space.network(Architecture(cells.space.name, picks)))
    there = [node for node in alone.nodes if type(node).__name__ != "Junction"]
    for node, layer in zip(there, in_order(cells, picks), strict=True):
        node.load_state_dict(layer.state_dict())
    pictures = torch.randn(2, 3, 8, 8, generator=seeded())
    with torch.inference_mode():
        torch.testing.assert_close(cells.pick(picks).eval()(pictures), alone.eval()(pictures))


def test_a_mixture_over_inputs_reads_each_of_them(blocks: Supernet) -> None:
    # In the first place of the normal cell, halves of two candidates that read the two inputs of the cell.
    space, pictures = blocks.space, torch.randn(2, 3, 8, 8, generator=seeded())
    operations = space.wiring.operations
    both = path(space, space.reference)
    both[0] = 0
    both[0, [0, operations]] = 0.5
    with torch.inference_mode():
        scores = [blocks(pictures, path(space, (pick, *space.reference[1:]))) for pick in (0, operations)]
        assert not torch.allclose(*scores)
        assert not torch.allclose(blocks(pictures, both), scores[0])


def test_a_mixture_of_an_edge_holds_in_every_cell(cells: Supernet) -> None:
    calls: list[tuple[int, int]] = []
    unit = list(cells.units[0])
    hooks = [
        layer.register_forward_hook(lambda *_, at=(pick, place): calls.append(at))
        for pick, candidate in enumerate(unit)
        for place, layer in enumerate(candidate.children())
    ]
    with torch.inference_mode():
        cells(torch.randn(1, 3, 8, 8), path(cells.space, (3, 0, 0, 1, 0, 0)))
    assert calls == [(3, place) for place in range(15)]
    for hook in hooks:
        hook.remove()
    assert len({id(layer) for candidate in unit for layer in candidate.children()}) == 4 * 15


@pytest.mark.parametrize("name", ["cells", "blocks"])
@pytest.mark.parametrize("soft", [True, False])
def test_the_gradient_of_a_draw_reaches_every_unit_of_cells(
    name: str, soft: bool, request: pytest.FixtureRequest
) -> None:
    supernet: Supernet = request.getfixturevalue(name)
    policy = Policy(torch.from_numpy(supernet.space.macs), 0.0)
    draw = policy.draw(1.0, seeded(3), soft=soft, images=2 if soft else 1)
    pictures = torch.randn(2, 3, 8, 8, generator=seeded())
    loss = supernet(pictures, draw, policy.barred.isinf()).square().mean()
    (gradient,) = torch.autograd.grad(loss, policy.logits)
    assert gradient.isfinite().all()
    assert (gradient.abs().amax(dim=1) > 0).all()
    assert (gradient[policy.barred.isinf()] == 0).all()


def test_the_gradient_of_cells_is_that_of_the_whole_mixture(cells: Supernet) -> None:
    pictures, labels = torch.randn(2, 3, 8, 8, generator=seeded()), torch.tensor([1, 3])
    hard = path(cells.space, (3, 0, 2, 1, 0, 4))

    def gradient(weights: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(cells(pictures, weights), labels)
        return torch.autograd.grad(loss, weights)[0]

    sparse = gradient(hard.clone().requires_grad_())
    # A weight too small to matter, but not 0: every candidate takes part with a graph of its own.
    torch.testing.assert_close(sparse, gradient((hard + 1e-12).requires_grad_()), rtol=1e-3, atol=1e-6)
    assert (sparse[:, 0] == 0).all(), "none writes zeros, whatever its weight"
