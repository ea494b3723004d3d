"""The controller of a search by reinforcement learning: a recurrent network that writes networks unit by unit.

Zoph and Le (Neural architecture search with reinforcement learning, ICLR 2017, section 3) let an LSTM emit one choice
after the other, each read back as the input of the next; Pham et al. (Efficient neural architecture search via
parameter sharing, ICML 2018, section 2) do the same for cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, final

import numpy as np
import torch
from torch import Tensor, nn

from search.strategies.feasible import Array, FeasibleSet, Indices

Flags: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"

_START = 0.1
"""Weights begin uniform below it, as in both articles, so that the first policy is nearly uniform."""

_NOTHING = 1e-12
"""Below it, what is left of a probability is the rounding of sums."""


@final
class ControllerNetwork(nn.Module):
    """An LSTM with an embedding of the last pick and a softmax over the candidates of the next unit.

    Candidates that no feasible network goes on with get no probability, so that the policy is over the networks within
    the limit and nothing else.

    Args:
        sizes: candidates of each unit.
        hidden: size of the state and of the embeddings.
        seed: of the first weights.
    """

    def __init__(self, sizes: Sequence[int], hidden: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._cell = nn.LSTMCell(hidden, hidden)
            self._start = nn.Parameter(torch.empty(1, hidden))
            # A pick is told by its unit and its index; units that share candidates share what is learned of an index.
            self._unit = nn.Embedding(len(sizes), hidden)
            self._pick = nn.Embedding(max(sizes), hidden)
            self._shared = nn.Linear(hidden, max(sizes))
            self._own = nn.Parameter(torch.empty(len(sizes), max(sizes)))
            for weights in self.parameters():
                nn.init.uniform_(weights, -_START, _START)
            nn.init.zeros_(self._own)
        self._sizes = tuple(sizes)

    @torch.no_grad()
    def draw(self, feasible: FeasibleSet, seen: Indices, ends: Array, uniform: Array) -> Indices:
        """Draw networks from the policy given that they were not seen.

        Each choice is weighed by how probable it is and by how probable it then is to end in a network that was not
        seen, which is known because the seen ones are few (Shi, Bieber and Sutton, Incremental sampling without
        replacement for sequence models, ICML 2020). Without that, a controller that has made up its mind would have to
        be asked for ever.

        Args:
            feasible: what may be drawn.
            seen: networks of it that may not, shape (n, units).
            ends: what ``ends`` says of them.
            uniform: numbers from 0 to below 1, one for each network and unit, shape (count, units).

        Returns:
            Picks, shape (up to count, units), possibly with repetitions; fewer rows where the policy is as sure of the
            networks that were seen as numbers can tell.
        """
        picks, rows = np.empty((len(uniform), 0), dtype=np.intp), np.arange(len(uniform))
        state, met = self._first(len(uniform)), np.ones((len(uniform), len(seen)), dtype=np.bool_)
        for unit in range(len(self._sizes)):
            state = self._cell(self._read(picks), state)
            allowed = feasible.continuations(picks)
            chances = self._log_chances(state[0], unit, allowed).exp().numpy()
            candidate = seen[:, unit, None] == np.arange(self._sizes[unit])
            steps = (chances * np.maximum(1 - (met * ends[:, unit + 1]) @ candidate, 0.0)).cumsum(axis=1)
            alive = steps[:, -1] > _NOTHING
            drawn = (steps > uniform[rows, unit, None] * steps[:, -1:]).argmax(axis=1)
            picks = np.column_stack([picks, drawn])[alive]
            rows, state = rows[alive], (state[0][alive], state[1][alive])
            met = met[alive] & (seen[:, unit] == picks[:, -1:])
        return picks

    @torch.no_grad()
    def ends(self, feasible: FeasibleSet, networks: Indices) -> Array:
        """How probable it is to end as each network once the picks before each unit are made, shape (n, units + 1)."""
        if not len(networks):
            return np.ones((0, len(self._sizes) + 1))
        log, _ = self._choices(feasible, networks)
        steps = log.numpy()
        return np.exp(np.append(steps[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((len(networks), 1)), axis=1))

    def log_probability(self, feasible: FeasibleSet, picks: Indices) -> tuple[Tensor, Tensor]:
        """How probable networks are, and how undecided the policy is on the way to them.

        Args:
            feasible: what may be drawn; the networks must be of it.
            picks: shape (n, units).

        Returns:
            The logarithm of each probability, shape (n,), and the sum of the entropies of the choices that lead to
            each, in nats, shape (n,).
        """
        log, entropy = self._choices(feasible, picks)
        return log.sum(dim=1), entropy.sum(dim=1)

    def _choices(self, feasible: FeasibleSet, picks: Indices) -> tuple[Tensor, Tensor]:
        """The logarithm of each pick's probability and the entropy of each choice, both of shape (n, units)."""
        state, chosen, entropy = self._first(len(picks)), list[Tensor](), list[Tensor]()
        for unit in range(len(self._sizes)):
            state = self._cell(self._read(picks[:, :unit]), state)
            log = self._log_chances(state[0], unit, feasible.continuations(picks[:, :unit]))
            chosen.append(log.gather(1, torch.from_numpy(picks[:, unit : unit + 1]))[:, 0])
            # What has no probability has no part in the entropy, and 0 times minus infinity would be no number.
            entropy.append(-(log.exp() * log.clamp(min=-1e9)).sum(dim=1))
        return torch.stack(chosen, dim=1), torch.stack(entropy, dim=1)

    def _first(self, count: int) -> tuple[Tensor, Tensor]:
        zeros = self._start.new_zeros(count, self._start.shape[1])
        return zeros, zeros

    def _read(self, picks: Indices) -> Tensor:
        """What the cell reads after these picks."""
        begun = picks.shape[1]
        if not begun:
            return self._start.expand(len(picks), -1)
        place = torch.full((len(picks),), begun - 1)
        return torch.as_tensor(self._unit(place) + self._pick(torch.from_numpy(picks[:, -1].copy())))

    def _log_chances(self, state: Tensor, unit: int, allowed: Flags) -> Tensor:
        logits = (self._shared(state) + self._own[unit])[:, : self._sizes[unit]].double()
        barred = torch.from_numpy(~allowed)
        return torch.log_softmax(logits.masked_fill(barred, -torch.inf), dim=1)
