"""The controller's network: its policy is over feasible networks, its gradient exact, its draws never seen before."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.strategies import AdditiveFeasible, FeasibleSet, ListedFeasible
from search.strategies.controller_network import ControllerNetwork, Walks

EVERY = np.array(list(itertools.product(range(3), range(2), range(3))))
SETS = {
    "additive, sizes differ": AdditiveFeasible(
        np.array([[0.0, 1.0, np.nan, 2.0], [1.0, 2.0, np.nan, np.nan], [0.0, 3.0, 1.0, np.nan]]), 4.0
    ),
    "listed": ListedFeasible(EVERY, (EVERY * np.array([1, 2, 1])).sum(axis=1).astype(float), 3.0),
}


@pytest.fixture(params=SETS)
def feasible(request: pytest.FixtureRequest) -> FeasibleSet:
    return SETS[request.param]


def network_of(feasible: FeasibleSet, hidden: int = 4, decided: float = 0.7) -> ControllerNetwork:
    """One that is no longer as undecided as it was made."""
    network = ControllerNetwork(feasible.sizes, hidden, 0)
    network.weights += decided * np.random.default_rng(1).standard_normal(len(network.weights))
    return network


def everything(feasible: FeasibleSet) -> Walks:
    listed = feasible.listed(100)
    assert listed is not None
    return Walks.to(listed, feasible)


def slope(network: ControllerNetwork, walks: Walks, by_log: np.ndarray, by_entropy: np.ndarray, weight: int) -> float:
    """By central difference."""
    values = []
    for step in (1e-6, -2e-6):
        network.weights[weight] += step
        log, entropy = network.log_probability(walks)
        values.append(by_log @ log + by_entropy @ entropy)
    network.weights[weight] += 1e-6
    return (values[0] - values[1]) / 2e-6


def test_the_policy_is_a_distribution_over_the_feasible_networks(feasible: FeasibleSet) -> None:
    log, _ = network_of(feasible).log_probability(everything(feasible))
    assert np.exp(log).sum() == pytest.approx(1.0, abs=1e-12)
    assert np.exp(log).std() > 0.01


def test_a_new_policy_is_nearly_uniform_in_each_choice() -> None:
    feasible = AdditiveFeasible(np.zeros((5, 4)), 1.0)
    _, entropy = ControllerNetwork(feasible.sizes, 16, 0).log_probability(everything_drawn(feasible, 20))
    assert entropy == pytest.approx(5 * np.log(4), rel=1e-2)


def everything_drawn(feasible: FeasibleSet, count: int) -> Walks:
    return Walks.to(feasible.draw(count, np.random.default_rng(0)), feasible)


def test_a_choice_without_alternative_has_no_entropy() -> None:
    feasible = AdditiveFeasible(np.array([[0.0, 1.0], [0.0, np.nan]]), 0.5)
    log, entropy = network_of(feasible).log_probability(everything(feasible))
    assert log.tolist() == entropy.tolist() == [0.0]


def test_the_gradient_is_the_slope_of_log_probabilities_and_entropies(feasible: FeasibleSet) -> None:
    network, walks = network_of(feasible), everything(feasible)
    by_log, by_entropy = np.random.default_rng(2).standard_normal((2, len(walks)))
    gradient = network.gradient(walks, by_log, by_entropy)
    slopes = [slope(network, walks, by_log, by_entropy, weight) for weight in range(len(gradient))]
    assert gradient == pytest.approx(np.array(slopes), abs=1e-7)
    assert np.abs(gradient).max() > 0.1


def test_the_mean_of_rewards_times_gradients_is_the_gradient_of_the_expected_reward(feasible: FeasibleSet) -> None:
    network, walks = network_of(feasible), everything(feasible)
    rewards, nothing = np.random.default_rng(3).standard_normal(len(walks)), np.zeros(len(walks))
    chances = np.exp(network.log_probability(walks)[0])
    for baseline in (0.0, 5.0):
        estimate = network.gradient(walks, chances * (rewards - baseline), nothing)
        for weight in range(0, len(estimate), 7):
            expected = []
            for step in (1e-6, -2e-6):
                network.weights[weight] += step
                expected.append(np.exp(network.log_probability(walks)[0]) @ rewards)
            network.weights[weight] += 1e-6
            assert estimate[weight] == pytest.approx((expected[0] - expected[1]) / 2e-6, abs=1e-8)


def test_draws_of_new_networks_estimate_the_reward_of_the_next_and_a_move_to_what_is_new(feasible: FeasibleSet) -> None:
    network, walks = network_of(feasible), everything(feasible)
    rewards, baseline = np.random.default_rng(3).standard_normal(len(walks)), 0.4
    new = np.arange(len(walks)) % 3 > 0

    def expected() -> tuple[float, float]:
        """Reward of the next draw, and logarithm of the probability of all that is new."""
        chances = np.where(new, np.exp(network.log_probability(walks)[0]), 0.0)
        return float(chances @ rewards / chances.sum()), float(np.log(chances.sum()))

    chances = np.where(new, np.exp(network.log_probability(walks)[0]), 0.0)
    step = network.gradient(walks, chances / chances.sum() * (rewards - baseline), np.zeros(len(walks)))
    surplus = expected()[0] - baseline
    for weight in range(0, len(step), 7):
        network.weights[weight] += 1e-6
        above = expected()
        network.weights[weight] -= 2e-6
        below = expected()
        network.weights[weight] += 1e-6
        by_reward, by_new = ((high - low) / 2e-6 for high, low in zip(above, below, strict=True))
        assert step[weight] == pytest.approx(by_reward + surplus * by_new, abs=1e-8)


def test_ends_are_the_chances_of_what_is_left(feasible: FeasibleSet) -> None:
    network, walks = network_of(feasible), everything(feasible)
    ends = network.ends(walks)
    assert ends[:, 0] == pytest.approx(np.exp(network.log_probability(walks)[0]))
    assert ends[:, -1].tolist() == [1.0] * len(walks)
    first = walks.picks[:, 0]
    for pick in np.unique(first):
        assert ends[first == pick, 1].sum() == pytest.approx(1.0)


def test_draws_are_as_frequent_as_probable_given_that_they_were_not_seen(feasible: FeasibleSet) -> None:
    network, walks = network_of(feasible), everything(feasible)
    rows, rng = list(range(0, len(walks), 3)), np.random.default_rng(4)
    chances = np.exp(network.log_probability(walks)[0])
    chances[rows] = 0.0
    drawn = network._draw_unseen(
        feasible, walks.picks[rows], network.ends(walks.at(rows)), rng.random((20_000, len(feasible.sizes)))
    )
    found = (drawn.picks[:, None] == walks.picks).all(axis=2).mean(axis=0)
    assert found == pytest.approx(chances / chances.sum(), abs=0.015)
    assert (drawn.allowed == Walks.to(drawn.picks, feasible).allowed).all()


def test_everything_is_drawn_once_and_then_nothing(feasible: FeasibleSet) -> None:
    network, walks = network_of(feasible, decided=2.0), everything(feasible)
    drawn = network.draw(feasible, walks.at([0]), 1000, np.random.default_rng(5))
    assert {tuple(row) for row in drawn.picks} | {tuple(walks.picks[0])} == {tuple(row) for row in walks.picks}
    assert len(drawn) == len(walks) - 1
    assert len(network.draw(feasible, walks, 3, np.random.default_rng(6))) == 0


def test_what_is_sure_of_what_was_seen_draws_nothing_rather_than_for_ever() -> None:
    feasible = AdditiveFeasible(np.zeros((3, 2)), 1.0)
    network = ControllerNetwork(feasible.sizes, 4, 0)
    network._named.own[:, 0] = 60.0
    walks = everything(feasible)
    assert len(network.draw(feasible, walks.at([0]), 3, np.random.default_rng(0))) == 0
