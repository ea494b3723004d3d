"""A supernet: every candidate of every unit in one torch module, mixed by weights that a policy draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from latency import Workload, initialise, operator_of
from search.mixing import Mix, mixed
from search.spaces import Frame, Parts, Space


@final
class Supernet(nn.Module):
    """All networks of a space at once (SqueezeNAS; FBNet, section 3.2), connected as the space's wiring says.

    In a space of cells a unit's weights hold in every cell, and every cell has operations of its own. Where candidates
    differ in what they read, as in NASNet's cells, the mixture is one over inputs, too.

    Args:
        space: whose candidates are built.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.mix: Mix = mixed
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
                May be on the CPU whatever the device of the images: there it decides what is computed.
            barred: True for candidates that are not computed, (units, candidates) or (N, units, candidates); their
                weights must be 0. On any device.

        Returns:
            (N, classes, height, width), or (N, classes) where the space ends with a classifier.
        """
        never = torch.zeros(mixture.shape[-2:], dtype=torch.bool) if barred is None else barred
        return self.space.wiring.wire(_Mixture(self, mixture, never, images.device), images)

    def pick(self, picks: Sequence[int]) -> nn.Module:
        """One network of the space, sharing its weights with the supernet."""
        return PickedNetwork(self, picks)


@final
class PickedNetwork(nn.Module):
    """One network of a supernet, with the supernet's own layers and none of the others.

    Args:
        supernet: where its layers are from.
        picks: candidate index for each unit.
    """

    def __init__(self, supernet: Supernet, picks: Sequence[int]) -> None:
        super().__init__()
        self.space, self.picks = supernet.space, tuple(picks)
        self.stem, self.head, self.decoder = supernet.stem, supernet.head, supernet.decoder
        units = zip(supernet.units, self.picks, strict=True)
        self.units = nn.ModuleList(_members(unit)[pick] for unit, pick in units)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, height, width) -> class scores; see ``Supernet.forward``."""
        return self.space.wiring.wire(_Path(self), images)


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
            generator: source of the Gumbel noise, on the CPU, so that the same is drawn wherever the policy is.
            soft: give the softmax itself; otherwise its arg-max as one-hot rows, whose gradient is the softmax's
                ("straight through").
            images: how many to draw.

        Returns:
            (images, units, candidates), differentiable in the logits.
        """
        noisy = self.logits + self.barred - torch.log(-torch.log(uniform(self.logits, generator, images)))
        mixture = functional.softmax(noisy / temperature, dim=-1)
        if soft:
            return mixture
        # In this order: what is drawn has a weight of exactly 1, which nothing is multiplied by.
        return _one_hot(mixture) + (mixture - mixture.detach())


def uniform_paths(policy: Policy, generator: torch.Generator) -> Tensor:
    """One network drawn uniformly from all that are allowed: one-hot rows, (units, candidates), no gradient."""
    return _one_hot(torch.rand(policy.logits.shape, generator=generator).to(policy.logits.device) + policy.barred)


def uniform(like: Tensor, generator: torch.Generator, count: int) -> Tensor:
    """Numbers above 0 and below 1, (count, *like.shape), where ``like`` is."""
    return torch.rand((count, *like.shape), generator=generator).clamp_(1e-10, 1 - 1e-7).to(like.device)


def _one_hot(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(dim=-1, keepdim=True), 1.0)


class _Layers(Parts[Tensor]):
    """The layers that all networks share, computed as they are connected."""

    def __init__(self, network: Supernet | PickedNetwork) -> None:
        space = network.space
        self.frame = Frame(space.stem, space.head, space.tap, space.decoder)
        self.units, self._space = len(space.units), space
        self._stem, self._head, self._decoder = network.stem, network.head, network.decoder

    @final
    def stem(self, read: Tensor) -> Tensor:
        for layer in self._stem:
            read = layer(read)
        return read

    @final
    def head(self, index: int, read: Tensor) -> Tensor:
        written: Tensor = self._head[index](read)
        return written

    @final
    def decoder(self, *reads: Tensor) -> Tensor:
        scores: Tensor = self._decoder(*reads)
        return scores

    @final
    def total(self, arriving: Sequence[Tensor | None], like: Tensor) -> Tensor:
        there = [tensor for tensor in arriving if tensor is not None]
        if not there:
            return torch.zeros_like(like)
        first, *others = there
        for other in others:
            first = first + other
        return first

    @final
    def concatenated(self, reads: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(reads), dim=1)

    @final
    def _at(self, candidate: nn.Module, unit: int, pick: int, place: int) -> nn.Module | None:
        """The layer of a candidate at one of its places, None where it computes nothing."""
        count = len(self._space.grid[unit][pick])
        if count == 0:
            return None
        return candidate if count == 1 else _members(candidate)[place]


@final
class _Path(_Layers):
    """One network: in each unit the candidate that was picked."""

    def __init__(self, network: PickedNetwork) -> None:
        super().__init__(network)
        self._picks, self._picked = network.picks, network.units

    def row(self, unit: int, read: Tensor) -> Tensor:
        written: Tensor = self._picked[unit](read)
        return written

    def place(self, unit: int, place: int, read: Callable[[int], Tensor]) -> Tensor | None:
        pick = self._picks[unit]
        layer = self._at(self._picked[unit], unit, pick, place)
        return None if layer is None else layer(read(pick))


@final
class _Mixture(_Layers):
    """All networks: in each unit the sum of what the candidates write, by their weights; see ``search/mixing.py``."""

    def __init__(self, supernet: Supernet, mixture: Tensor, left_out: Tensor, device: torch.device) -> None:
        super().__init__(supernet)
        self._candidates = [_members(unit) for unit in supernet.units]
        self._mix, self._left_out, self._known = supernet.mix, left_out.cpu(), mixture.detach().cpu()
        self._weights = mixture.to(device)  # Of all units at once: a GPU is waited for when gradients come back.

    def row(self, unit: int, read: Tensor) -> Tensor:
        written = self._mixed(unit, self._candidates[unit], lambda _: read)
        assert written is not None, "weights add up to 1, so that one of them is not 0"
        return written

    def place(self, unit: int, place: int, read: Callable[[int], Tensor]) -> Tensor | None:
        candidates = self._candidates[unit]
        layers = [self._at(candidate, unit, pick, place) for pick, candidate in enumerate(candidates)]
        return self._mixed(unit, layers, read)

    def _mixed(self, unit: int, layers: Sequence[nn.Module | None], read: Callable[[int], Tensor]) -> Tensor | None:
        weights, left_out, known = (each[..., unit, :] for each in (self._weights, self._left_out, self._known))
        return self._mix(layers, read, weights, left_out, known)


def _members(modules: nn.Module) -> list[nn.Module]:
    """The candidates of a unit, or the layers of a candidate."""
    return list(modules.children())


def _build(workload: Workload) -> nn.Module:
    return operator_of(workload).build(workload)


def _build_all(workloads: Sequence[Workload]) -> nn.Module:
    """A candidate: its one layer, or all of them; whether one after another or each at its place, the wiring says."""
    return _build(workloads[0]) if len(workloads) == 1 else nn.Sequential(*map(_build, workloads))
