"""How a step of the supernet draws its paths: how many candidates it computes, and what a gradient reaches."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from devices import unknown_name
from search.supernet import Policy, uniform


@final
@dataclass(frozen=True)
class Paths:
    """What was drawn for a step on the policy.

    Attributes:
        mixture: weights of the candidates, (1 or images, units, candidates), differentiable in the policy's logits.
        left_out: True for candidates that are not computed, (units, candidates) or of the shape of ``mixture``.
        expected_cost: of the networks that the policy draws, a scalar, differentiable in the logits.
    """

    mixture: Tensor
    left_out: Tensor
    expected_cost: Tensor


class PathMode(abc.ABC):
    """A way to draw paths, without a state of its own."""

    per_image = False
    """Whether images draw for themselves where a recipe leaves that open."""

    def weights_mixture(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Tensor:
        """Mixtures for a step on the weights: single paths, (count, units, candidates), without a gradient."""
        return policy.draw(temperature, generator, soft=False, images=count).detach()

    @abc.abstractmethod
    def policy_paths(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Paths:
        """Draw for a step on the policy.

        Args:
            policy: to draw from.
            temperature: of the Gumbel-Softmax, where it is used.
            generator: source of the random numbers, on the CPU.
            count: how many mixtures: one for each image, or 1 for the whole batch.
        """

    def settle(self, policy: Policy, before: Tensor, paths: Paths) -> None:
        """Correct the logits after the optimiser's step, from what they were ``before`` it; most have nothing to."""
        return


@final
class SoftPaths(PathMode):
    """All candidates of every image, with a graph, in both steps (SqueezeNAS; FBNet, section 3.2)."""

    per_image = True

    def weights_mixture(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Tensor:
        """Gumbel-Softmax weights of all candidates, without a gradient."""
        return policy.draw(temperature, generator, soft=True, images=count).detach()

    def policy_paths(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Paths:
        """See the class."""
        mixture = policy.draw(temperature, generator, soft=True, images=count)
        return Paths(mixture, policy.barred.isinf(), policy.expected_cost())


@final
class StraightThrough(PathMode):
    """One drawn candidate; in policy steps the outputs of all others as well, without a graph of their own."""

    def policy_paths(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Paths:
        """See the class."""
        mixture = policy.draw(temperature, generator, soft=False, images=count)
        return Paths(mixture, policy.barred.isinf(), policy.expected_cost())


@final
class DrawnPath(PathMode):
    """One drawn candidate in both steps (GDAS: Dong and Yang, 2019, equation 7 and section 3.2).

    The least that a step can cost. Its gradient is that of the drawn output's scale, which the next batch norm cancels
    where no shortcut passes the unit by (docs/decisions/0007-gradient-of-the-undrawn.md): such units never learn what
    a candidate is worth, only what it costs.
    """

    def policy_paths(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Paths:
        """See the class."""
        mixture = policy.draw(temperature, generator, soft=False, images=count)
        return Paths(mixture, mixture.detach().eq(0), policy.expected_cost())


@final
class TwoPaths(PathMode):
    """Two candidates in policy steps, as if there were no others (ProxylessNAS, section 3.2.1).

    Two are drawn by the policy without replacement and renormalised; one of them is computed with a graph, the other's
    output without. A step moves their two logits alone, and leaves the sum of their probabilities, and so every other
    probability, as it was: one of the two is enhanced and the other attenuated. The cost that enters the loss is that
    of the whole policy; its gradient is that of the two. There is no temperature, as there is none in ProxylessNAS.
    """

    def policy_paths(self, policy: Policy, temperature: float, generator: torch.Generator, count: int) -> Paths:
        """See the class."""
        pairs = drawn_pairs(policy, generator, count)
        logits = (policy.logits + policy.barred).expand(count, -1, -1).gather(-1, pairs)
        halves = functional.softmax(logits, dim=-1)
        second = torch.rand(halves.shape[:-1], generator=generator).to(halves.device) >= halves[..., 0].detach()
        hard = torch.zeros_like(halves)
        hard.scatter_(-1, second.long().clamp_max(halves.shape[-1] - 1).unsqueeze(-1), 1.0)
        gates = hard + (halves - halves.detach())
        mixture = halves.new_zeros((count, *policy.logits.shape)).scatter(-1, pairs, gates)
        left_out = torch.ones_like(mixture, dtype=torch.bool).scatter_(-1, pairs, value=False) | policy.barred.isinf()
        whole = policy.expected_cost().detach()
        pair_cost = (halves * policy.costs.expand(count, -1, -1).gather(-1, pairs)).sum() / count
        return Paths(mixture, left_out, whole + pair_cost - pair_cost.detach())

    def settle(self, policy: Policy, before: Tensor, paths: Paths) -> None:
        """Put back the logits that no image drew, and scale the others so that these keep their sum of probabilities.

        Args:
            policy: whose optimiser made a step.
            before: its logits before that.
            paths: what the step was made on.
        """
        kept = paths.left_out.reshape(-1, *before.shape).all(dim=0)
        with torch.no_grad():
            old, new = ((each.masked_fill(kept, -torch.inf)).logsumexp(-1, True) for each in (before, policy.logits))
            policy.logits.copy_(torch.where(kept, before, policy.logits - (new - old)))


def drawn_pairs(policy: Policy, generator: torch.Generator, count: int) -> Tensor:
    """Two candidates of each unit without replacement, by the policy: (count, units, 2); (count, units, 1) of one each.

    The largest two of logits with Gumbel noise are that draw (Kool et al., 2019). Where a unit has but one candidate
    the second is one that is barred, whose probability is 0.
    """
    noisy = policy.logits.detach() + policy.barred
    noisy = noisy - torch.log(-torch.log(uniform(noisy, generator, count)))
    return noisy.topk(min(2, noisy.shape[-1]), dim=-1).indices


PATH_MODES: Mapping[str, PathMode] = {
    "soft": SoftPaths(),
    "straight_through": StraightThrough(),
    "drawn": DrawnPath(),
    "two": TwoPaths(),
}
"""The ways to draw paths, by the name that a recipe gives them."""


def path_mode(name: str) -> PathMode:
    """The way of that name.

    Raises:
        WrongUse: there is none.
    """
    if name not in PATH_MODES:
        raise unknown_name("paths", name, PATH_MODES)
    return PATH_MODES[name]


DRAWS = ("auto", "image", "batch")
"""Whether every image draws, or a batch together; ``auto`` is every image where all are computed, else the batch."""


def mixtures(mode: PathMode, draws: str, images: int) -> int:
    """How many mixtures to draw for a batch.

    Raises:
        WrongUse: ``draws`` is not one of ``DRAWS``.
    """
    if draws not in DRAWS:
        raise unknown_name("draws", draws, DRAWS)
    return images if draws == "image" or (draws == "auto" and mode.per_image) else 1
