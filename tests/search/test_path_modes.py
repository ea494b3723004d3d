"""Ways to draw paths: what the two of ProxylessNAS expect, what a step on them moves, and what never vanishes."""

from __future__ import annotations

import itertools

import pytest

from devices import WrongUse
from search import Space, Supernet
from search.path_modes import PATH_MODES, TwoPaths, drawn_pairs, mixtures, path_mode

torch = pytest.importorskip("torch", reason="torch is not installed; a policy is one of its modules")
from torch import Tensor, nn  # noqa: E402 - only once torch is known to be there

from search.mixing import mixed  # noqa: E402 - needs torch as well
from search.supernet import Policy  # noqa: E402 - needs torch as well

NAN = float("nan")
LOGITS = torch.tensor([[0.0, 1.0, -0.5], [0.8, 0.2, 0.1]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def policy() -> Policy:
    made = Policy(torch.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 0.5]]), 10.0)
    with torch.no_grad():
        made.logits.copy_(LOGITS)
    return made


def pair_probability(row: Tensor, first: int, second: int) -> float:
    """Of two that are drawn one after the other without replacement, in either order."""
    a, b = row[first].item(), row[second].item()
    return a * b / (1 - a) + a * b / (1 - b)


def test_pairs_and_gates_are_drawn_with_the_probabilities_of_the_policy(policy: Policy) -> None:
    paths = TwoPaths().policy_paths(policy, 1.0, seeded(), 60_000)
    probabilities = policy.probabilities().detach()
    for unit, (a, b) in itertools.product(range(2), itertools.combinations(range(3), 2)):
        drawn = ~paths.left_out[:, unit, a] & ~paths.left_out[:, unit, b]
        expected = pair_probability(probabilities[unit], a, b)
        assert drawn.float().mean().item() == pytest.approx(expected, abs=0.01)
        gate = paths.mixture[drawn, unit, a].mean().item()
        assert gate == pytest.approx((probabilities[unit, a] / probabilities[unit, [a, b]].sum()).item(), abs=0.015)
    assert (~paths.left_out).sum(-1).eq(2).all()
    assert paths.mixture.detach().sort(-1).values.eq(torch.tensor([0.0, 0.0, 1.0])).all()


@pytest.fixture(scope="module")
def small(tiny: Space) -> Supernet:
    """Two units of the tiny space with three candidates each, of any expansion; statistics that stay."""
    torch.manual_seed(0)
    made = Supernet(tiny).eval()
    chosen = [nn.ModuleList([unit[index] for index in (0, 3, 12)]) for unit in made.units[:2]]
    made.units = nn.ModuleList(chosen + [nn.ModuleList([unit[2]]) for unit in made.units[2:]])
    return made


def whole(mixture: Tensor) -> Tensor:
    """Mixtures of all four units, where the last two have one candidate."""
    rest = torch.zeros(*mixture.shape[:-2], 2, 3)
    rest[..., 0] = 1
    return torch.cat([mixture, rest], dim=-2)


def loss_of(supernet: Supernet, image: Tensor, mixture: Tensor, left_out: Tensor) -> Tensor:
    """Sum of losses of each image."""
    out = torch.cat([left_out, torch.zeros(*left_out.shape[:-2], 2, 3, dtype=torch.bool)], dim=-2)
    scores = supernet(image.expand(max(len(mixture), 1), -1, -1, -1), whole(mixture), out)
    return nn.functional.cross_entropy(scores, torch.ones(scores[:, 0].shape, dtype=torch.int64), reduction="sum")


def enumerated(supernet: Supernet, policy: Policy, image: Tensor) -> Tensor:
    """The exact mean of the two-path gradient over all pairs and gates of both units."""
    probabilities, mean = policy.probabilities().detach(), torch.zeros(2, 3)
    pairs = list(itertools.combinations(range(3), 2))
    for actives in itertools.product(range(3), repeat=2):
        mixture = nn.functional.one_hot(torch.tensor(actives), 3).float()[None].requires_grad_()
        gates = torch.autograd.grad(loss_of(supernet, image, mixture, torch.zeros(2, 3, dtype=torch.bool)), mixture)[0]
        chances = []
        for unit, active in enumerate(actives):
            own = {pair: pair_probability(probabilities[unit], *pair) for pair in pairs if active in pair}
            chances.append(
                {
                    pair: chance * (probabilities[unit, active] / probabilities[unit, list(pair)].sum()).item()
                    for pair, chance in own.items()
                }
            )
        for unit in range(2):
            other = sum(chances[1 - unit].values())
            for (a, b), chance in chances[unit].items():
                share = (probabilities[unit, a] / probabilities[unit, [a, b]].sum()).item()
                pull = other * chance * share * (1 - share) * (gates[0, unit, a] - gates[0, unit, b])
                mean[unit, a] += pull
                mean[unit, b] -= pull
    return mean


@pytest.mark.parametrize("count", [1, 64], ids=["a batch together", "each image"])
def test_the_mean_of_the_two_path_gradient_is_the_one_enumerated(small: Supernet, policy: Policy, count: int) -> None:
    image, generator = torch.randn(1, 3, 32, 64, generator=seeded(7)), seeded(1)
    expected = enumerated(small, policy, image)
    draws = []
    for _ in range(200 if count == 1 else 12):
        paths = TwoPaths().policy_paths(policy, 1.0, generator, count)
        loss = loss_of(small, image, paths.mixture, paths.left_out) / count
        draws.append(torch.autograd.grad(loss, policy.logits)[0])
    found, error = torch.stack(draws).mean(0), torch.stack(draws).std(0) / len(draws) ** 0.5
    assert ((found - expected).abs() < 4 * error + 1e-6).all()
    assert (expected.abs() > 4 * error).any()  # Otherwise nothing at all would pass as well.


def test_with_equal_logits_and_a_linear_loss_it_points_where_the_exact_gradient_does() -> None:
    torch.manual_seed(0)
    unit = nn.ModuleList(nn.Conv2d(2, 2, 1) for _ in range(4))
    x, towards, policy = torch.randn(500, 2, 3, 3)[:1], torch.randn(1, 2, 3, 3), Policy(torch.ones(1, 4), 0.0)
    losses = torch.stack([(candidate(x) * towards).sum() for candidate in unit]).detach()
    exact = torch.autograd.grad((policy.probabilities()[0] * losses).sum(), policy.logits)[0]
    paths = TwoPaths().policy_paths(policy, 1.0, seeded(), 4000)
    output = mixed(unit, lambda _: x.expand(4000, -1, -1, -1), paths.mixture[:, 0], paths.left_out[:, 0])
    found = torch.autograd.grad((output * towards).sum(), policy.logits)[0]
    assert nn.functional.cosine_similarity(found, exact) > 0.99


def test_a_step_leaves_the_probabilities_of_all_others_as_they_were(policy: Policy) -> None:
    optimizer = torch.optim.Adam(policy.parameters(), 0.3, betas=(0.5, 0.999))
    for seed in range(6):
        probabilities, before = policy.probabilities().detach(), policy.logits.detach().clone()
        paths = TwoPaths().policy_paths(policy, 1.0, seeded(seed), 1)
        policy.logits.grad = torch.autograd.grad(paths.expected_cost, policy.logits)[0]
        optimizer.step()
        TwoPaths().settle(policy, before, paths)
        change = policy.probabilities().detach() - probabilities
        pair = ~paths.left_out[0]
        assert change[~pair].abs().max() < 1e-6
        for unit in range(2):
            up, down = change[unit][pair[unit]].sort(descending=True).values
            assert up > 1e-4
            assert down == pytest.approx(-up.item(), abs=1e-6)


def test_the_cost_is_that_of_the_policy_and_its_gradient_that_of_the_two(policy: Policy) -> None:
    paths = TwoPaths().policy_paths(policy, 1.0, seeded(), 1)
    torch.testing.assert_close(paths.expected_cost, policy.expected_cost())
    gradient = torch.autograd.grad(paths.expected_cost, policy.logits)[0]
    for unit in range(2):
        a, b = (~paths.left_out[0, unit]).nonzero().flatten().tolist()
        share = torch.softmax(policy.logits[unit, [a, b]].detach(), 0)
        pull = (share[0] * share[1] * (policy.costs[unit, a] - policy.costs[unit, b])).item()
        assert gradient[unit, a].item() == pytest.approx(pull)
        assert gradient[unit, b].item() == pytest.approx(-pull)
    assert gradient.ne(0).sum() == 4


def unit_gradients(space: Space, paths: str) -> Tensor:
    """The largest gradient of a logit in each unit, in training mode, where batch norm takes scales off."""
    torch.manual_seed(0)
    supernet, policy = Supernet(space), Policy(torch.zeros(4, 13), 0.0)
    images, labels = torch.randn(2, 3, *space.input_size), torch.randint(0, 3, (2, *space.input_size))
    drawn = PATH_MODES[paths].policy_paths(policy, 1.0, seeded(2), 1)
    loss = nn.functional.cross_entropy(supernet(images, drawn.mixture, drawn.left_out), labels)
    return torch.autograd.grad(loss, policy.logits)[0].abs().amax(dim=1)


def test_the_gradient_reaches_every_unit_by_two_paths_and_not_by_the_drawn_alone(tiny: Space) -> None:
    assert unit_gradients(tiny, "two").min() > 1e-4
    assert unit_gradients(tiny, "drawn").min() < 1e-7


def test_what_failed_is_never_one_of_the_two() -> None:
    policy = Policy(torch.tensor([[1.0, NAN, 2.0, NAN], [NAN, NAN, NAN, 1.0]]), 0.0)
    pairs = drawn_pairs(policy, seeded(), 200)
    assert pairs[:, 0].sort(-1).values.eq(torch.tensor([0, 2])).all()
    paths = TwoPaths().policy_paths(policy, 1.0, seeded(), 200)
    assert paths.mixture[:, policy.barred.isinf()].eq(0).all()
    assert paths.left_out[:, policy.barred.isinf()].all()
    assert paths.mixture[:, 1, 3].eq(1).all()
    before = policy.logits.detach().clone()
    policy.logits.grad = torch.autograd.grad(paths.expected_cost + paths.mixture.sum(), policy.logits)[0]
    assert policy.logits.grad.isfinite().all()
    TwoPaths().settle(policy, before, paths)
    assert torch.equal(policy.logits.detach(), before)


def test_a_unit_of_one_candidate_draws_it() -> None:
    policy = Policy(torch.ones(2, 1), 0.0)
    assert drawn_pairs(policy, seeded(), 3).shape == (3, 2, 1)
    assert TwoPaths().policy_paths(policy, 1.0, seeded(), 3).mixture.eq(1).all()


@pytest.mark.parametrize(
    ("name", "draws", "expected"),
    [("soft", "auto", 8), ("two", "auto", 1), ("two", "image", 8), ("soft", "batch", 1), ("drawn", "auto", 1)],
)
def test_images_draw_apart_where_they_are_told_to(name: str, draws: str, expected: int) -> None:
    assert mixtures(path_mode(name), draws, 8) == expected


def test_what_is_unknown_is_refused_with_what_there_is() -> None:
    with pytest.raises(WrongUse, match="straight_through"):
        path_mode("straight")
    with pytest.raises(WrongUse, match="image"):
        mixtures(path_mode("two"), "images", 8)
