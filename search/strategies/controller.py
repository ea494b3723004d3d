"""Search by reinforcement learning: a controller that is rewarded for the scores of what it writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias, final

import numpy as np

from search.errors import WrongUse
from search.strategies.batches import BatchStrategy, Picks, as_tuples, scored, scores_of
from search.strategies.controller_network import ControllerNetwork, Walks
from search.strategies.feasible import Array, FeasibleSet
from search.strategies.strategy import Trial
from search.strategies.surrogate import normal_ranks

Lesson: TypeAlias = tuple[Walks, Array, Array]
"""Networks, and the weights of their log probabilities and of their entropies in what is climbed."""

_HIDDEN = 32
"""Size of the controller's state; Pham et al. take 100, for networks by the ten thousand."""

_GRADIENT_NORM = 5.0
_DECAYS = (0.9, 0.999)
_TINY = 1e-8
"""Of Adam's moments, and below which a step is none: as Kingma and Ba have them."""


@final
class ReinforceController(BatchStrategy):
    """A recurrent controller trained by REINFORCE (Williams, 1992; Zoph and Le, ICLR 2017, section 3.2).

    Each batch is a step up the mean of (reward - baseline) x gradient of log probability, with a moving average of
    earlier rewards as the baseline and the controller's entropy as a bonus (Pham et al., ICML 2018). A reward is the
    rank of a score among all so far, as a quantile of a normal distribution, so that neither the scale of a score nor
    networks that do not train matter. Beside it the best networks so far are imitated: a step up their mean log
    probability (Abolafia et al., Neural program synthesis with priority queue training, 2018), which makes some hundred
    queries go further. ``imitation=0`` is REINFORCE alone; it wants a lower rate, such as 0.05: at 0.1, one run of six
    on a table of 8 x 5 made up its mind for networks below the average.

    No network is written twice: what is written is drawn from the policy given that it is new. So the step is not an
    unbiased estimate of the gradient of the policy's expected reward. With Z the probability of all that is new, the
    gradient of log Z is that of log probability on average over the draws, and what the step estimates is the gradient
    of the expected reward of the *next* draw plus (its mean - baseline) x gradient of log Z. The first is what a search
    wants: to repeat the best is worth nothing to it. The second moves probability from networks that are known to new
    ones while these are better than the baseline, and back when they are worse; it is nothing at the start, where Z is
    1. Rewards alone became certain of cells that were known in three of ten runs of ``benchmarks/reinforce_learns.py``,
    and what is new was drawn nearly at random from then on; with imitation, none did. Draws of one batch exclude each
    other, too, a bias of the same kind. The bonus is of the choices on the way to what was drawn, as in Pham et al.;
    that other ways would have been less decided is not in its gradient.

    Learns by reward only from what it wrote itself. What another search told is imitated when it is among the best.

    The defaults were chosen among some (rates of 0.02 to 0.2, batches of 2, 5 and 10, weights of entropy of 0.02 to 0.1
    and of imitation of 0 to 1, states of 16 and 32) at 200 queries, on two kinds of problems: NAS-Bench-201's
    accuracies on cifar10 under latencies of a Raspberry Pi 4 and a GTX 1080 Ti, and tables of
    ``benchmarks/exact_gap.py`` from number 100 on. No other data set was looked at.

    Args:
        feasible: the networks that may be proposed; others have no probability.
        seed: of the first weights and of the draws.
        batch: networks between two updates.
        rate: of Adam.
        entropy: weight of the entropy in nats, beside rewards of variance 1.
        baseline: share of the moving average that stays at each batch.
        best: networks that are imitated.
        imitation: weight of their mean log probability.

    Raises:
        WrongUse: a number is out of its range.
    """

    def __init__(
        self,
        feasible: FeasibleSet,
        seed: int,
        batch: int = 5,
        rate: float = 0.1,
        entropy: float = 0.05,
        baseline: float = 0.8,
        best: int = 5,
        imitation: float = 0.5,
    ) -> None:
        if min(batch, best) < 1 or not (rate > 0 and entropy >= 0 and imitation >= 0 and 0 <= baseline < 1):
            raise WrongUse(
                "The batch and the best that are imitated must be 1 or more, the rate above 0, the weights of entropy "
                "and imitation 0 or more, the share of the baseline from 0 to below 1; "
                f"got {batch}, {best}, {rate}, {entropy}, {imitation}, {baseline}."
            )
        super().__init__(feasible, seed, batch)
        self._entropy, self._share, self._best, self._imitation = entropy, baseline, best, imitation
        self._network = ControllerNetwork(feasible.sizes, _HIDDEN, seed)
        self._ascent = _Adam(self._network.weights, rate)
        self._baseline = 0.0  # What ranks are on average.
        self._learned = 0
        self._ways, self._walked = Walks.to(np.empty((0, len(feasible.sizes)), dtype=np.intp), feasible), 0
        self._row = dict[Picks, int]()
        self._written: tuple[int, Walks] | None = None

    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        # The same steps as if each batch had been proposed by this object: a search that is resumed takes them again.
        for start in range(self._learned, len(trials), self._batch):
            written = self._write(trials[:start])
            self._learned = start + self._batch
            self._learn(written, trials[: self._learned])
        return as_tuples(self._write(trials).picks)

    def _write(self, trials: Sequence[Trial]) -> Walks:
        """What the controller draws after these trials: a batch, or less where it is sure of networks seen before."""
        if self._written is None or self._written[0] != len(trials):
            rng = np.random.default_rng([self._seed, len(trials), 1])
            seen = self._ways_to(trials)
            self._written = len(trials), self._network.draw(self._feasible, seen, self._batch, rng)
        return self._written[1]

    def _learn(self, written: Walks, trials: Sequence[Trial]) -> None:
        """One step, from all that was written and has a score and from the best of all."""
        known = scored(trials)
        if not known:
            return
        rewards = dict(zip((trial.picks for trial in known), normal_ranks(scores_of(known)).tolist(), strict=True))
        ways = self._ways_to(trials)
        best = sorted(self._row.keys() & rewards.keys(), key=lambda picks: (-rewards[picks], self._row[picks]))
        lessons = self._rewarded(written, rewards), self._imitated(best[: self._best if self._imitation else 0], ways)
        networks = lessons[0][0].and_then(lessons[1][0])
        by_log, by_entropy = (np.concatenate([lesson[part] for lesson in lessons]) for part in (1, 2))
        self._ascent.step(self._network.gradient(networks, by_log, by_entropy))

    def _rewarded(self, written: Walks, rewards: Mapping[Picks, float]) -> Lesson:
        """What was written and has a score, by how much better it is than usual; the baseline follows."""
        rows = [row for row, picks in enumerate(as_tuples(written.picks)) if picks in rewards]
        if not rows:
            return written.at([]), np.empty(0), np.empty(0)
        found = np.array([rewards[picks] for picks in as_tuples(written.picks[rows])])
        advantage, bonus = (found - self._baseline) / len(rows), np.full(len(rows), self._entropy / len(rows))
        self._baseline += (1 - self._share) * (float(found.mean()) - self._baseline)
        return written.at(rows), advantage, bonus

    def _imitated(self, best: Sequence[Picks], ways: Walks) -> Lesson:
        """The best of all that were told, each alike."""
        weight = self._imitation / max(len(best), 1)
        return ways.at([self._row[picks] for picks in best]), np.full(len(best), weight), np.zeros(len(best))

    def _ways_to(self, trials: Sequence[Trial]) -> Walks:
        """The ways to all networks within the limit that were told; those of earlier batches are remembered."""
        told = np.array([trial.picks for trial in trials[self._walked :]], dtype=np.intp)
        told = told.reshape(-1, len(self._feasible.sizes))
        told = told[self._feasible.contains(told)]
        self._row.update({picks: len(self._row) + place for place, picks in enumerate(as_tuples(told))})
        self._ways, self._walked = self._ways.and_then(Walks.to(told, self._feasible)), len(trials)
        return self._ways


@final
class _Adam:
    """Steps upwards (Kingma and Ba, Adam: A method for stochastic optimization, ICLR 2015, algorithm 1).

    Args:
        weights: are changed in place.
        rate: how far a step goes.
    """

    def __init__(self, weights: Array, rate: float) -> None:
        self._weights, self._rate, self._steps = weights, rate, 0
        self._mean, self._square = np.zeros_like(weights), np.zeros_like(weights)

    def step(self, gradient: Array) -> None:
        """Up a gradient, which is cut to a length first."""
        gradient = gradient * min(1.0, _GRADIENT_NORM / max(float(np.linalg.norm(gradient)), _TINY))
        self._steps += 1
        self._mean += (1 - _DECAYS[0]) * (gradient - self._mean)
        self._square += (1 - _DECAYS[1]) * (gradient**2 - self._square)
        mean = self._mean / (1 - _DECAYS[0] ** self._steps)
        square = self._square / (1 - _DECAYS[1] ** self._steps)
        self._weights += self._rate * mean / (np.sqrt(square) + _TINY)
