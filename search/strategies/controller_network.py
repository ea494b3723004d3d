"""The controller of a search by reinforcement learning: a recurrent network that writes networks unit by unit.

Zoph and Le (Neural architecture search with reinforcement learning, ICLR 2017, section 3) let an LSTM emit one choice
after the other, each read back as the input of the next; Pham et al. (Efficient neural architecture search via
parameter sharing, ICML 2018, section 2) do the same for cells.

It is so small, and learns from so few networks at a time, that a framework for training would be busy with its calls.
In numpy, with the gradient written out, it takes a third of the time, and a search of tables needs no such framework.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from search.strategies.feasible import Array, FeasibleSet, Flags, Indices

_START = 0.1
"""Weights begin uniform below it, as in both articles, so that the first policy is nearly uniform."""

_NOTHING = 1e-12
"""Below it, what is left of a probability is the rounding of sums."""

_LEAST_LOG = -1e9
"""Stands for minus infinity where it is multiplied by a probability of 0."""


@final
@dataclass(frozen=True, eq=False)
class Walks:
    """Networks, and what could be picked on the way to them.

    Attributes:
        picks: shape (n, units).
        allowed: candidates that lead to some feasible network after the picks before, shape (n, units, candidates of
            the unit that has most).
    """

    picks: Indices
    allowed: Flags

    @staticmethod
    def to(networks: Indices, feasible: FeasibleSet) -> Walks:
        """The ways to networks, which must be feasible, shape (n, units)."""
        units = range(len(feasible.sizes))
        return Walks(networks, _side_by_side([feasible.continuations(networks[:, :unit]) for unit in units]))

    def __len__(self) -> int:
        return len(self.picks)

    def and_then(self, more: Walks) -> Walks:
        """These, then those."""
        return Walks(np.concatenate([self.picks, more.picks]), np.concatenate([self.allowed, more.allowed]))

    def at(self, rows: Sequence[int]) -> Walks:
        """Some of them."""
        places = np.array(rows, dtype=np.intp)
        return Walks(self.picks[places], self.allowed[places])


@final
class ControllerNetwork:
    """An LSTM that reads the unit and the last pick, with a softmax over the candidates of the unit.

    Candidates that no feasible network goes on with get no probability, so that the policy is over the networks within
    the limit and nothing else.

    Args:
        sizes: candidates of each unit.
        hidden: size of the state.
        seed: of the first weights.

    Attributes:
        weights: all of them, one after the other, to be changed in place.
    """

    def __init__(self, sizes: Sequence[int], hidden: int, seed: int) -> None:
        self._shapes = _Weights.shapes(len(sizes), max(sizes), hidden)
        count = sum(math.prod(shape) for shape in self._shapes)
        self.weights: Array = np.random.default_rng(seed).uniform(-_START, _START, size=count)
        self._named = _Weights.within(self.weights, self._shapes)
        self._named.own[:] = 0.0

    def draw(self, feasible: FeasibleSet, seen: Walks, count: int, rng: np.random.Generator) -> Walks:
        """Draw different networks from the policy given that they were not seen.

        Args:
            feasible: what may be drawn.
            seen: networks of it that may not.
            count: how many.
            rng: random numbers.

        Returns:
            Up to ``count``; fewer where the policy is as sure of what was seen and drawn as numbers can tell.
        """
        new, ends = seen.at([]), self.ends(seen)
        while len(new) < count:
            drawn = self._draw_unseen(feasible, seen.picks, ends, rng.random((count - len(new), seen.picks.shape[1])))
            if not len(drawn):
                break
            fresh = drawn.at(np.sort(np.unique(drawn.picks, axis=0, return_index=True)[1]).tolist())
            new, seen = new.and_then(fresh), seen.and_then(fresh)
            if len(new) < count:
                ends = np.concatenate([ends, self.ends(fresh)])
        return new

    def ends(self, networks: Walks) -> Array:
        """How probable it is to end as each network once the picks before each unit are made, shape (n, units + 1)."""
        steps = _of_picks(self._log_chances(self._read(networks.picks), networks.allowed), networks.picks)
        left = np.append(steps[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((len(networks), 1)), axis=1)
        return np.asarray(np.exp(left))

    def log_probability(self, networks: Walks) -> tuple[Array, Array]:
        """How probable networks are, and how undecided the policy is on the way to them.

        Returns:
            The logarithm of each probability, shape (n,), and the sum of the entropies of the choices that lead to
            each, in nats, shape (n,).
        """
        log = self._log_chances(self._read(networks.picks), networks.allowed)
        return _of_picks(log, networks.picks).sum(axis=1), _entropy(log).sum(axis=1)

    def gradient(self, networks: Walks, by_log: Array, by_entropy: Array) -> Array:
        """Gradient by the weights of the weighted sum of what ``log_probability`` says.

        Args:
            networks: n of them.
            by_log: weight of the logarithm of each probability, shape (n,).
            by_entropy: weight of each entropy, shape (n,).

        Returns:
            Shape of ``weights``.
        """
        read = self._read(networks.picks)
        log = self._log_chances(read, networks.allowed)
        chance, entropy = np.exp(log), _entropy(log)[:, :, None]
        is_picked = networks.picks[:, :, None] == np.arange(log.shape[2])
        by_logit = by_log[:, None, None] * (is_picked - chance)
        by_logit -= by_entropy[:, None, None] * chance * (np.maximum(log, _LEAST_LOG) + entropy)
        return self._back(networks.picks, read, by_logit.swapaxes(0, 1))

    def _back(self, picks: Indices, read: _Reading, by_logit: Array) -> Array:
        """Back through time, from the gradient by the logits, shape (units, n, candidates), to that by the weights."""
        units = len(by_logit)
        by_output = by_logit @ self._named.head.T
        by_state, by_cell = np.zeros_like(by_output[0]), np.zeros_like(by_output[0])
        by_gates = np.empty_like(read.gates)
        for unit in reversed(range(units)):
            enter, keep, show, new = np.split(read.gates[unit], 4, axis=1)
            shown = np.tanh(read.cells[unit + 1])
            by_state = by_state + by_output[unit]
            by_cell = by_cell + by_state * show * (1 - shown**2)
            parts = (by_cell * new, by_cell * read.cells[unit], by_state * shown, by_cell * enter * (1 - new**2))
            slopes = (enter * (1 - enter), keep * (1 - keep), show * (1 - show), 1.0)
            by_gates[unit] = np.concatenate([part * slope for part, slope in zip(parts, slopes, strict=True)], axis=1)
            by_state, by_cell = by_gates[unit] @ self._named.state.T, by_cell * keep
        flat = np.zeros_like(self.weights)
        gradient = _Weights.within(flat, self._shapes)
        gradient.unit[:] = by_gates.sum(axis=1)
        np.add.at(gradient.pick, picks.T[:-1], by_gates[1:])
        gradient.state[:] = np.tensordot(read.states[:-1], by_gates, axes=((0, 1), (0, 1)))
        gradient.head[:] = np.tensordot(read.states[1:], by_logit, axes=((0, 1), (0, 1)))
        gradient.own[:] = by_logit.sum(axis=1)
        return flat

    def _draw_unseen(self, feasible: FeasibleSet, seen: Indices, ends: Array, uniform: Array) -> Walks:
        """Draw networks, possibly with repetitions, that were not seen; fewer rows where hardly any is left.

        Each choice is weighed by how probable it is and by how probable it then is to end in a network that was not
        seen, which is known because the seen ones are few (Shi, Bieber and Sutton, Incremental sampling without
        replacement for sequence models, ICML 2020). Without that, a controller that has made up its mind would have to
        be asked for ever.
        """
        picks, masks = np.empty((len(uniform), 0), dtype=np.intp), list[Flags]()
        state = cell = np.zeros((len(uniform), len(self._named.state)))
        met = np.ones((len(uniform), len(seen)), dtype=np.bool_)
        for unit in range(uniform.shape[1]):
            masks.append(feasible.continuations(picks))
            size = masks[unit].shape[1]
            _, cell, state = self._step(unit, picks[:, unit - 1] if unit else None, state, cell)
            log = _log_softmax((state @ self._named.head + self._named.own[unit])[:, :size], masks[unit])
            gone = (met * ends[:, unit + 1]) @ (seen[:, unit, None] == np.arange(size))
            steps = (np.exp(log) * np.maximum(1 - gone, 0.0)).cumsum(axis=1)
            drawn = (steps > uniform[:, unit, None] * steps[:, -1:]).argmax(axis=1)
            picks, met = np.column_stack([picks, drawn]), met & (seen[:, unit] == drawn[:, None])
            alive = steps[:, -1] > _NOTHING
            if not alive.all():
                picks, met, uniform = picks[alive], met[alive], uniform[alive]
                state, cell, masks = state[alive], cell[alive], [mask[alive] for mask in masks]
        return Walks(picks, _side_by_side(masks))

    def _read(self, picks: Indices) -> _Reading:
        (count, units), hidden = picks.shape, len(self._named.state)
        gates = np.empty((units, count, 4 * hidden))
        cells, states = np.zeros((units + 1, count, hidden)), np.zeros((units + 1, count, hidden))
        for unit in range(units):
            last = picks[:, unit - 1] if unit else None
            gates[unit], cells[unit + 1], states[unit + 1] = self._step(unit, last, states[unit], cells[unit])
        return _Reading(gates, cells, states)

    def _step(self, unit: int, last: Indices | None, state: Array, cell: Array) -> tuple[Array, Array, Array]:
        """One step of an LSTM (Hochreiter and Schmidhuber, 1997, with Gers' forget gate): gates, cell and state."""
        gates = state @ self._named.state + self._named.unit[unit]
        if last is not None:
            gates += self._named.pick[last]
        three = 3 * state.shape[1]
        gates[:, :three] /= 2  # The logistic function is (1 + tanh(x / 2)) / 2.
        np.tanh(gates, out=gates)
        gates[:, :three] += 1
        gates[:, :three] /= 2
        enter, keep, show, new = np.split(gates, 4, axis=1)
        cell = keep * cell + enter * new
        return gates, cell, show * np.tanh(cell)

    def _log_chances(self, read: _Reading, allowed: Flags) -> Array:
        """Logarithms of the probabilities of each unit's candidates, of the shape of ``allowed``."""
        logits = read.states[1:] @ self._named.head + self._named.own[:, None]
        return _log_softmax(logits.swapaxes(0, 1), allowed)


@final
@dataclass(frozen=True, eq=False)
class _Weights:
    """What the network has learned, as views of one array.

    Attributes:
        unit: read at each unit, shape (units, 4 x hidden): of the gates that let in, keep and show, and of what is new.
        pick: read after a pick of that index, shape (candidates, 4 x hidden). Units share it.
        state: from the state to the next, shape (hidden, 4 x hidden).
        head: from the state to the candidates, shape (hidden, candidates). Units share it, too.
        own: preferences of each unit whatever the state, shape (units, candidates).
    """

    unit: Array
    pick: Array
    state: Array
    head: Array
    own: Array

    @staticmethod
    def shapes(units: int, candidates: int, hidden: int) -> Sequence[tuple[int, int]]:
        gates = 4 * hidden
        return (units, gates), (candidates, gates), (hidden, gates), (hidden, candidates), (units, candidates)

    @staticmethod
    def within(flat: Array, shapes: Sequence[tuple[int, int]]) -> _Weights:
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        parts = np.split(flat, ends[:-1])
        return _Weights(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


@final
@dataclass(frozen=True, eq=False)
class _Reading:
    """What the network went through while it read networks.

    Attributes:
        gates: at each unit, shape (units, n, 4 x hidden).
        cells: before the first unit and after each, shape (units + 1, n, hidden).
        states: likewise.
    """

    gates: Array
    cells: Array
    states: Array


def _side_by_side(masks: Sequence[Flags]) -> Flags:
    """From one mask per unit, shape (n, candidates of it), to all units, shape (n, units, most candidates)."""
    allowed = np.zeros((len(masks[0]), len(masks), max(mask.shape[1] for mask in masks)), dtype=np.bool_)
    for unit, mask in enumerate(masks):
        allowed[:, unit, : mask.shape[1]] = mask
    return allowed


def _log_softmax(logits: Array, allowed: Flags) -> Array:
    """Over the last axis; minus infinity for what is not allowed."""
    logits = np.where(allowed, logits, -np.inf)
    logits -= logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))


def _entropy(log: Array) -> Array:
    """Of each choice, from shape (n, units, candidates) to (n, units)."""
    return np.asarray(-(np.exp(log) * np.maximum(log, _LEAST_LOG)).sum(axis=2))


def _of_picks(log: Array, picks: Indices) -> Array:
    """What was picked, from shape (n, units, candidates) to (n, units)."""
    return np.take_along_axis(log, picks[:, :, None], axis=2)[:, :, 0]
