"""Mixing computes what it must and no more; thrift changes what a step costs and not what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from search import Space, Supernet, open_space
from search.mixing import Thrift, checkpointed, mixed
from search.path_modes import PATH_MODES

torch = pytest.importorskip("torch", reason="torch is not installed; candidates are its modules")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from search.supernet import Policy  # noqa: E402 - needs torch as well

Call = tuple[int, int, int, bool]
"""Unit, candidate, images, and whether with a graph."""


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 32, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(0, 3, (4, 32, 64), generator=torch.Generator().manual_seed(1))


def seeded(space: Space) -> Supernet:
    torch.manual_seed(0)
    return Supernet(space)


@contextmanager
def calls_of(supernet: Supernet) -> Iterator[list[Call]]:
    calls, hooks = list[Call](), []
    for unit, candidates in enumerate(supernet.units):
        for index, candidate in enumerate(candidates):

            def note(_: nn.Module, inputs: tuple[Tensor], unit: int = unit, index: int = index) -> None:
                calls.append((unit, index, len(inputs[0]), torch.is_grad_enabled()))

            hooks.append(candidate.register_forward_pre_hook(note))
    yield calls
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize(("paths", "each"), [("drawn", 1), ("two", 2), ("straight_through", 13), ("soft", 13)])
@pytest.mark.parametrize("draws", [1, 4])
def test_every_image_goes_through_as_many_candidates_as_its_paths_need(
    tiny: Space, images: Tensor, paths: str, each: int, draws: int
) -> None:
    supernet, policy, mode = seeded(tiny), Policy(torch.ones(4, 13), 0.0), PATH_MODES[paths]
    generator = torch.Generator().manual_seed(5)
    drawn = mode.policy_paths(policy, 1.0, generator, draws)
    with calls_of(supernet) as calls:
        supernet(images, drawn.mixture, drawn.left_out)
        with_graph = {unit: sum(n for u, _, n, graph in calls if u == unit and graph) for unit in range(4)}
        in_all = {unit: sum(n for u, _, n, _ in calls if u == unit) for unit in range(4)}
        assert set(in_all.values()) == {each * len(images)}
        assert set(with_graph.values()) == {(13 if paths == "soft" else 1) * len(images)}
        calls.clear()
        supernet(images, mode.weights_mixture(policy, 1.0, generator, draws))
        assert sum(n for *_, n, _ in calls) == 4 * len(images) * (13 if paths == "soft" else 1)


def test_images_on_paths_of_their_own_come_back_in_order() -> None:
    candidates = nn.ModuleList([nn.Identity(), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)])
    x, weights = torch.randn(3, 2, 4, 4), torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0.25, 0.75]])
    output = mixed(candidates, lambda _: x, weights, torch.zeros(3, dtype=torch.bool))
    last = 0.25 * candidates[1](x[2:]) + 0.75 * candidates[2](x[2:])
    torch.testing.assert_close(output, torch.cat([candidates[1](x[:1]), x[1:2], last]))


def gradients(supernet: Supernet, thrift: Thrift, images: Tensor, labels: Tensor, paths: str) -> dict[str, Tensor]:
    """Gradients of weights and logits, and the statistics afterwards."""
    thrift.prepare(supernet)
    policy = Policy(torch.ones(4, 13), 0.0)
    drawn = PATH_MODES[paths].policy_paths(policy, 1.0, torch.Generator().manual_seed(3), 1)
    scores = thrift.scores(supernet, images, drawn.mixture, drawn.left_out)
    assert scores.dtype == torch.float32
    nn.functional.cross_entropy(scores, labels).backward()
    assert policy.logits.grad is not None
    found = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    return {"logits": policy.logits.grad, **found, **dict(supernet.named_buffers())}


@pytest.mark.parametrize("paths", ["soft", "two"])
def test_checkpointing_changes_neither_gradients_nor_statistics(
    tiny: Space, images: Tensor, labels: Tensor, paths: str
) -> None:
    plain, thrifty = (gradients(seeded(tiny), Thrift(checkpointing=on), images, labels, paths) for on in (False, True))
    assert set(plain) == set(thrifty)
    for name, value in plain.items():
        assert torch.equal(value, thrifty[name]), name


def test_checkpointing_keeps_what_a_unit_reads_and_computes_the_rest_twice(tiny: Space, images: Tensor) -> None:
    supernet = seeded(tiny)
    Thrift(checkpointing=True).prepare(supernet)
    assert supernet.mix is checkpointed
    with calls_of(supernet) as calls:
        scores = supernet(images, nn.functional.one_hot(torch.tensor([1, 2, 3, 4]), 13).float())
        first = list(calls)
        scores.sum().backward()
    assert [call[:2] for call in first] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert sorted(calls) == sorted(2 * first)


@pytest.mark.parametrize(
    ("thrift", "close"),
    [(Thrift(channels_last=True), 0.999), (Thrift(bf16=True), 0.5), (Thrift(True, True, True), 0.5)],
)
def test_order_and_format_change_little(
    tiny: Space, images: Tensor, labels: Tensor, thrift: Thrift, close: float
) -> None:
    # Two units halve the size: their factorised reductions die in channels-last order where nothing is done about it.
    plain, thrifty = (gradients(seeded(tiny), each, images, labels, "soft") for each in (Thrift(), thrift))
    assert thrifty["logits"].isfinite().all()
    for part in ("logits", "stem.0.0.weight"):
        assert nn.functional.cosine_similarity(plain[part].flatten(), thrifty[part].flatten(), dim=0) > close


def orders_seen(supernet: Supernet, images: Tensor) -> list[tuple[nn.Conv2d, bool, bool]]:
    """What the convolutions of all candidates read: in the usual order, with the channels last."""
    thrift, seen = Thrift(channels_last=True), list[tuple[nn.Conv2d, bool, bool]]()
    thrift.prepare(supernet)

    def note(part: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(part, nn.Conv2d)
        last = inputs[0].is_contiguous(memory_format=torch.channels_last)
        seen.append((part, inputs[0].is_contiguous(), last))

    for part in supernet.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_pre_hook(note)
    sizes = supernet.space.sizes
    with torch.no_grad():
        for index in range(max(sizes)):
            picks = torch.tensor([min(index, size - 1) for size in sizes])
            thrift.scores(supernet, images, nn.functional.one_hot(picks, max(sizes)).float())
    return seen


@pytest.mark.parametrize("name", ["tiny", "fbnet"])
def test_channels_last_order_is_kept_but_where_it_ends_the_process(tiny: Space, images: Tensor, name: str) -> None:
    space = tiny if name == "tiny" else open_space(name, (32, 64), 3)
    order = orders_seen(seeded(space), images)
    strided = [plain for conv, plain, _ in order if conv.kernel_size == (1, 1) and conv.stride != (1, 1)]
    depthwise = [last for conv, _, last in order if conv.groups == conv.in_channels > 1]
    assert strided
    assert all(strided)
    assert sum(depthwise) > 0.7 * len(depthwise)
