"""A supernet: every candidate of every unit in one torch module, mixed by weights that a policy draws."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from devices import WrongUse
from latency import Workload, initialise, network_module, operator_of
from search.spaces import ChainWiring, Space


class Supernet(nn.Module):
    """All networks of a space at once (SqueezeNAS; FBNet, section 3.2).

    Args:
        space: whose candidates are built; its units follow one another.

    Raises:
        WrongUse: it is a space of cells.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        if not isinstance(space.wiring, ChainWiring):
            raise WrongUse(
                f"A supernet needs a space whose units follow one another; {space.name} is one of cells. "
                "Score its networks by a table, or train them from scratch."
            )
        self.space = space
        self.stem = nn.ModuleList(_build(workload) for workload in space.stem)
        self.units = nn.ModuleList(nn.ModuleList(_build_all(several) for several in unit) for unit in space.grid)
        self.head = nn.ModuleList(_build(workload) for workload in space.head)
        self.decoder = _build(space.decoder)
        initialise(self)

    def forward(self, images: Tensor, mixture: Tensor, barred: Tensor | None = None) -> Tensor:
        """Class scores of a mixture of networks.

        Args:
            images: (N, 3, height, width).
            mixture: weight of each candidate, (units, candidates) for the whole batch or (N, units, candidates), where
                units with fewer candidates have weights of 0 at the end. A
                candidate whose weight is 0 everywhere is not trained. It is not even computed when the mixture needs
                no gradient: with one-hot rows this is a single path. When it does, its output is what the gradient
                of its weight is made of, and is computed without a graph of its own.
            barred: True for candidates that are never computed, (units, candidates); their weights must be 0.

        Returns:
            (N, classes, height, width), or (N, classes) where the space ends with a classifier.
        """
        x = images
        for layer in self.stem:
            x = layer(x)
        tapped = x
        never = torch.zeros(mixture.shape[-2:], dtype=torch.bool) if barred is None else barred
        for index, (unit, weights) in enumerate(zip(self.units, mixture.movedim(-2, 0), strict=True)):
            x = _mixed(_candidates(unit), x, weights, never[index].tolist())
            tapped = x if index == self.space.tap else tapped
        for layer in self.head:
            x = layer(x)
        scores: Tensor = self.decoder(x) if self.space.tap is None else self.decoder(x, tapped)
        return scores

    def pick(self, picks: Sequence[int]) -> nn.Module:
        """One network of the space, sharing its weights with the supernet."""
        chosen = [_candidates(unit)[pick] for unit, pick in zip(self.units, picks, strict=True)]
        encoder = [*self.stem, *chosen, *self.head]
        tap = None if self.space.tap is None else len(self.stem) + self.space.tap
        return network_module(encoder, tap, self.decoder)


class Policy(nn.Module):
    """One vector of logits for each unit, initialised to ones, and the expected cost of what they draw.

    Args:
        costs: cost of each candidate, shape (units, candidates); NaN for one that must never be drawn.
        fixed: cost of what every network has.
    """

    costs: Tensor
    barred: Tensor

    def __init__(self, costs: Tensor, fixed: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.ones(costs.shape))
        self.fixed = fixed
        self.register_buffer("costs", torch.nan_to_num(costs, nan=0.0).float())
        self.register_buffer("barred", torch.zeros(costs.shape).masked_fill(costs.isnan(), -torch.inf))

    def probabilities(self) -> Tensor:
        """Probability of each candidate, shape (units, candidates); rows sum to 1."""
        return functional.softmax(self.logits + self.barred, dim=-1)

    def expected_cost(self) -> Tensor:
        """Mean cost of the networks that the policy draws: sum over units of probabilities x costs (FBNet, eq. 6)."""
        return self.fixed + (self.probabilities() * self.costs).sum()

    def draw(self, temperature: float, generator: torch.Generator, *, soft: bool, images: int = 1) -> Tensor:
        """Draw mixtures by the Gumbel-Softmax trick (Jang et al., 2017, eq. 2).

        Args:
            temperature: of the softmax.
            generator: source of the Gumbel noise.
            soft: give the softmax itself; otherwise its arg-max as one-hot rows, whose gradient is the softmax's
                ("straight through").
            images: how many to draw.

        Returns:
            (images, units, candidates), differentiable in the logits.
        """
        uniform = torch.rand((images, *self.logits.shape), generator=generator).clamp_(1e-10, 1 - 1e-7)
        noisy = self.logits + self.barred - torch.log(-torch.log(uniform))
        mixture = functional.softmax(noisy / temperature, dim=-1)
        if soft:
            return mixture
        return _one_hot(mixture) - mixture.detach() + mixture


def uniform_paths(policy: Policy, generator: torch.Generator) -> Tensor:
    """One network drawn uniformly from all that are allowed: one-hot rows, (units, candidates), no gradient."""
    uniform = torch.rand(policy.logits.shape, generator=generator)
    return _one_hot(uniform + policy.barred)


def _one_hot(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(dim=-1, keepdim=True), 1.0)


def _candidates(unit: nn.Module) -> nn.ModuleList:
    assert isinstance(unit, nn.ModuleList)
    return unit


def _mixed(candidates: nn.ModuleList, x: Tensor, weights: Tensor, barred: Sequence[bool]) -> Tensor:
    """Weighted sum of the candidates. ``weights``: (candidates,) or (N, candidates).

    The gradient of a weight is the output of its candidate against the loss's gradient, for those of weight 0 as well.
    Leaving them out would leave the gradient of the drawn candidate's own scale, which the next batch norm cancels.
    """
    flat = weights.reshape(-1, weights.shape[-1])
    active = flat.detach().ne(0).any(dim=0).tolist()
    parts = list[Tensor]()
    for index, candidate in enumerate(candidates):
        if active[index]:
            output = candidate(x)
        elif weights.requires_grad and not barred[index]:
            with torch.no_grad():
                output = candidate(x)
        else:
            continue
        parts.append(flat[:, index].reshape(-1, 1, 1, 1) * output)
    return torch.stack(parts).sum(dim=0)


def _build(workload: Workload) -> nn.Module:
    return operator_of(workload).build(workload)


def _build_all(workloads: Sequence[Workload]) -> nn.Module:
    """A candidate: its one layer, or a row of them."""
    return _build(workloads[0]) if len(workloads) == 1 else nn.Sequential(*map(_build, workloads))
