"""What the architecture logits of a differentiable search are trained on: cross entropy and the expected cost.

None of these guarantees a limit: they pull the *expected* cost. What a search returns is within the limit because it is
picked within the limit at the end, whichever loss trained the policy.

A logarithm depends on the unit. FBNet and ProxylessNAS do not say theirs (the latter's code has milliseconds on a
phone, some 80 of them). Here costs enter a logarithm in microseconds, and otherwise in the unit of the objective (MACs,
parameters), so that any network's is well above 0.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from devices import WrongUse, unknown_name
from search.recipe import SearchRecipe

if TYPE_CHECKING:
    from torch import Tensor

_SMALLEST_LOGARITHM = 1e-3
"""Of a cost of hardly more than one unit; a power of less than 1 has no gradient at 0."""

_SCALES: Mapping[str, float] = {"latency": 1e6}
"""What a cost is multiplied by before its logarithm is taken, where that is not 1."""


class PolicyLoss(abc.ABC):
    """A loss of the architecture logits."""

    @abc.abstractmethod
    def __call__(self, cross_entropy: Tensor, cost: Tensor) -> Tensor:
        """The loss.

        Args:
            cross_entropy: of a batch, a scalar.
            cost: the expected cost of the networks that the policy draws, in the unit of the limit, a scalar.

        Returns:
            A scalar, differentiable in both.
        """


@final
@dataclass(frozen=True)
class Hinge(PolicyLoss):
    """CE + weight x max(0, cost / limit - 1): indifferent to cost below the limit. Ours, and the default.

    Attributes:
        weight: what a cost of twice the limit adds.
        limit: in the unit of the cost.
    """

    weight: float
    limit: float

    def __call__(self, cross_entropy: Tensor, cost: Tensor) -> Tensor:
        """See the class."""
        return cross_entropy + self.weight * (cost / self.limit - 1).relu()


@final
@dataclass(frozen=True)
class Linear(PolicyLoss):
    """CE + weight x cost / limit, SqueezeNAS' CE + lambda x cost with a lambda that does not depend on the unit.

    Attributes:
        weight: lambda x limit; SqueezeNAS' own was not published.
        limit: in the unit of the cost.
    """

    weight: float
    limit: float

    def __call__(self, cross_entropy: Tensor, cost: Tensor) -> Tensor:
        """See the class."""
        return cross_entropy + self.weight * cost / self.limit


@final
@dataclass(frozen=True)
class LogPower(PolicyLoss):
    """CE x alpha x log(cost)^beta (FBNet, equation 2, with alpha 0.2 and beta 0.6).

    Attributes:
        alpha: scale of the whole.
        beta: how much cost matters.
        scale: what the cost is multiplied by before its logarithm is taken.
    """

    alpha: float
    beta: float
    scale: float = 1.0

    def __call__(self, cross_entropy: Tensor, cost: Tensor) -> Tensor:
        """See the class."""
        return cross_entropy * self.alpha * _logarithm(self.scale * cost) ** self.beta


@final
@dataclass(frozen=True)
class LogRatioPower(PolicyLoss):
    """CE x alpha x (log cost / log reference)^beta (ProxylessNAS, equation 6 in the form of its code, ``mul#log``).

    Attributes:
        alpha: scale of the whole.
        beta: how much cost matters.
        reference: the cost aimed at, in the unit of the cost; ours is the limit.
        scale: what both are multiplied by before their logarithms are taken.

    Raises:
        WrongUse: the logarithm of the reference is not above 0.
    """

    alpha: float
    beta: float
    reference: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a reference whose logarithm cannot be divided by."""
        if not self.scale * self.reference > 1:
            raise WrongUse(
                f"The logarithm of the reference must be above 0; got that of {self.scale * self.reference:.4g}. "
                "Raise the --limit, or choose another loss."
            )

    def __call__(self, cross_entropy: Tensor, cost: Tensor) -> Tensor:
        """See the class."""
        reference = _logarithm(self.scale * self.reference * cost.new_ones(()))
        return cross_entropy * self.alpha * (_logarithm(self.scale * cost) / reference) ** self.beta


@final
@dataclass(frozen=True)
class RelativeExcess(PolicyLoss):
    """CE + weight x (cost - reference) / reference (ProxylessNAS, ``add#linear``, with a weight of 0.2).

    Its gradient is that of ``Linear``; below the reference the loss goes on falling.

    Attributes:
        weight: what a cost of twice the reference adds.
        reference: the cost aimed at, in the unit of the cost; ours is the limit.
    """

    weight: float
    reference: float

    def __call__(self, cross_entropy: Tensor, cost: Tensor) -> Tensor:
        """See the class."""
        return cross_entropy + self.weight * (cost - self.reference) / self.reference


def _logarithm(cost: Tensor) -> Tensor:
    return cost.log().clamp_min(_SMALLEST_LOGARITHM)


LOSSES: Mapping[str, Callable[[SearchRecipe, float, float], PolicyLoss]] = {
    "hinge": lambda recipe, limit, scale: Hinge(recipe.cost_weight, limit),
    "squeezenas": lambda recipe, limit, scale: Linear(recipe.cost_weight, limit),
    "fbnet": lambda recipe, limit, scale: LogPower(recipe.alpha, recipe.beta, scale),
    "proxylessnas_multiply": lambda recipe, limit, scale: LogRatioPower(recipe.alpha, recipe.beta, limit, scale),
    "proxylessnas_add": lambda recipe, limit, scale: RelativeExcess(recipe.cost_weight, limit),
}
"""The losses by name: from a recipe, the limit, and what costs are multiplied by in logarithms."""


def policy_loss(recipe: SearchRecipe, objective: str, limit: float) -> PolicyLoss:
    """The loss that a recipe names.

    Args:
        recipe: its ``loss``, and the numbers that it takes.
        objective: name of what is limited, which decides the unit.
        limit: in that unit.

    Raises:
        WrongUse: there is no loss of that name, or it cannot take that limit.
    """
    if recipe.loss not in LOSSES:
        raise unknown_name("loss", recipe.loss, LOSSES)
    return LOSSES[recipe.loss](recipe, limit, _SCALES.get(objective, 1.0))
