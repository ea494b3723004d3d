"""The losses of the architecture logits against values and gradients worked out by hand."""

from __future__ import annotations

import math

import pytest

from devices import WrongUse
from search import SearchRecipe
from search.losses import LOSSES, Hinge, Linear, LogPower, LogRatioPower, PolicyLoss, RelativeExcess, policy_loss

torch = pytest.importorskip("torch", reason="torch is not installed; losses are made of its tensors")

E = math.e


def valued(loss: PolicyLoss, cross_entropy: float, cost: float) -> tuple[float, float, float]:
    """The loss, and its slopes in cross entropy and cost."""
    numbers = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (cross_entropy, cost)]
    value = loss(*numbers)
    slopes = torch.autograd.grad(value, numbers, allow_unused=True)
    return value.item(), *(0.0 if slope is None else slope.item() for slope in slopes)


@pytest.mark.parametrize(
    ("loss", "cross_entropy", "cost", "value", "by_cross_entropy", "by_cost"),
    [
        (Hinge(2.0, 10.0), 1.5, 15.0, 1.5 + 2 * 0.5, 1.0, 2 / 10),
        (Hinge(2.0, 10.0), 1.5, 8.0, 1.5, 1.0, 0.0),
        (Linear(2.0, 10.0), 1.5, 15.0, 1.5 + 2 * 1.5, 1.0, 2 / 10),
        # log(e^2) = 2: the power and its slope 0.2 CE beta 2^(beta - 1) / cost.
        (LogPower(0.2, 0.6), 1.5, E**2, 1.5 * 0.2 * 2**0.6, 0.2 * 2**0.6, 1.5 * 0.2 * 0.6 * 2**-0.4 / E**2),
        (LogPower(0.2, 0.6, 1e6), 1.5, 1e-6 * E**2, 0.3 * 2**0.6, 0.2 * 2**0.6, 0.3 * 0.6 * 2**-0.4 / (1e-6 * E**2)),
        (LogRatioPower(1.0, 0.5, E**4), 1.5, E, 1.5 * 0.25**0.5, 0.5, 1.5 * 0.5 * 0.25**-0.5 / 4 / E),
        (LogRatioPower(0.5, 0.6, 80.0), 1.5, 80.0, 0.75, 0.5, 0.75 * 0.6 / math.log(80) / 80),
        (RelativeExcess(0.2, 80.0), 1.5, 100.0, 1.5 + 0.2 * 0.25, 1.0, 0.2 / 80),
        (RelativeExcess(0.2, 80.0), 1.5, 60.0, 1.5 - 0.2 * 0.25, 1.0, 0.2 / 80),
    ],
)
def test_values_and_slopes_are_those_of_the_formula(
    loss: PolicyLoss, cross_entropy: float, cost: float, value: float, by_cross_entropy: float, by_cost: float
) -> None:
    assert valued(loss, cross_entropy, cost) == pytest.approx((value, by_cross_entropy, by_cost))


def test_a_cost_of_less_than_a_unit_gives_numbers_all_the_same() -> None:
    value, _, slope = valued(LogPower(0.2, 0.6), 1.5, 0.5)
    assert math.isfinite(value)
    assert slope == 0


def test_a_reference_whose_logarithm_is_not_above_0_is_refused() -> None:
    with pytest.raises(WrongUse, match="logarithm of the reference must be above 0"):
        LogRatioPower(1.0, 0.6, 1.0)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("objective", "limit"), [("latency", 0.003), ("macs", 4e6)])
def test_every_loss_pulls_the_cost_down_above_the_limit(name: str, objective: str, limit: float) -> None:
    loss = policy_loss(SearchRecipe(loss=name), objective, limit)
    value, by_cross_entropy, by_cost = valued(loss, 1.0, 1.5 * limit)
    assert by_cross_entropy > 0
    assert by_cost > 0
    assert value > valued(loss, 1.0, 1.2 * limit)[0]


def test_the_recipe_names_the_loss_and_its_numbers() -> None:
    assert policy_loss(SearchRecipe(), "latency", 0.03) == Hinge(2.0, 0.03)
    assert policy_loss(SearchRecipe(loss="fbnet"), "latency", 0.03) == LogPower(0.2, 0.6, 1e6)
    added = SearchRecipe(loss="proxylessnas_add", cost_weight=0.2)
    assert policy_loss(added, "macs", 4e6) == RelativeExcess(0.2, 4e6)


def test_an_unknown_loss_is_refused_with_the_nearest() -> None:
    with pytest.raises(WrongUse, match=r"no loss 'fbnett'. Did you mean 'fbnet'"):
        policy_loss(SearchRecipe(loss="fbnett"), "macs", 1e6)
