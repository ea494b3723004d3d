"""Search by reinforcement learning: a controller that is rewarded for the scores of what it writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from search.errors import WrongUse
from search.strategies.batches import BatchStrategy, Picks, as_tuples, scored
from search.strategies.feasible import FeasibleSet, Indices
from search.strategies.strategy import Trial

if TYPE_CHECKING:
    import torch

    from search.strategies.controller_network import ControllerNetwork

_HIDDEN = 64
"""Size of the controller's state; Pham et al. take 100, for 200 times as many networks."""

_GRADIENT_NORM = 5.0


@final
class ReinforceController(BatchStrategy):
    """A recurrent controller trained by REINFORCE (Williams, 1992; Zoph and Le, ICLR 2017, section 3.2).

    The gradient is that of the expected reward, with a moving average of earlier rewards as its baseline and the
    controller's entropy as a bonus (Pham et al., ICML 2018). Rewards are scores, less the baseline, as a share of the
    spread of all scores so far, so that nothing depends on their unit.

    No network is written twice: a controller that has learned is drawn from given that what it writes is new.

    Args:
        feasible: the networks that may be proposed; others have no probability.
        seed: of the first weights and of the draws.
        batch: networks between two updates.
        rate: of Adam.
        entropy: weight of the entropy in nats, beside rewards of variance 1.
        baseline: share of the moving average that stays at each batch.

    Raises:
        WrongUse: a number is out of its range.
    """

    def __init__(
        self,
        feasible: FeasibleSet,
        seed: int,
        batch: int = 5,
        rate: float = 0.02,
        entropy: float = 0.05,
        baseline: float = 0.8,
    ) -> None:
        if batch < 1 or not rate > 0 or not entropy >= 0 or not 0 <= baseline < 1:
            raise WrongUse(
                "The batch must be 1 or more, the rate above 0, the entropy's weight 0 or more, the baseline's share "
                f"from 0 to below 1; got {batch}, {rate}, {entropy}, {baseline}."
            )
        super().__init__(feasible, seed, batch)
        self._rate, self._entropy, self._share = rate, entropy, baseline
        self._learned = 0
        self._baseline: float | None = None
        self._network: ControllerNetwork | None = None
        self._optimizer: torch.optim.Adam | None = None
        self._written: tuple[int, Indices] | None = None

    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        # The same steps as if each batch had been proposed by this object: a search that is resumed takes them again.
        for start in range(self._learned, len(trials), self._batch):
            known = trials[: start + self._batch]
            self._learn(self._write(trials[:start]), known)
            self._learned = len(known)
        return as_tuples(self._write(trials))

    def _write(self, trials: Sequence[Trial]) -> Indices:
        """What the controller draws after these trials: a batch, or less where it is sure of networks seen before."""
        if self._written is None or self._written[0] != len(trials):
            self._written = len(trials), self._drawn(trials)
        return self._written[1]

    def _drawn(self, trials: Sequence[Trial]) -> Indices:
        rng, units = np.random.default_rng([self._seed, len(trials), 1]), len(self._feasible.sizes)
        told = np.array([trial.picks for trial in trials], dtype=np.intp).reshape(-1, units)
        seen = told[self._feasible.contains(told)]
        ends = self._controller().ends(self._feasible, seen)
        new = np.empty((0, units), dtype=np.intp)
        for _ in range(self._batch):
            drawn = self._controller().draw(self._feasible, seen, ends, rng.random((self._batch - len(new), units)))
            fresh = np.array([*dict.fromkeys(as_tuples(drawn))], dtype=np.intp).reshape(-1, units)
            new, seen = np.concatenate([new, fresh]), np.concatenate([seen, fresh])
            if len(new) >= self._batch or not len(fresh):
                break
            ends = np.concatenate([ends, self._controller().ends(self._feasible, fresh)])
        return new

    def _learn(self, written: Indices, trials: Sequence[Trial]) -> None:
        """One step up the expected reward, from all that was written and has a score."""
        import torch

        known = _scores(trials)
        rows = [row for row, picks in enumerate(as_tuples(written)) if picks in known]
        if not rows:
            return
        rewards = np.array([known[picks] for picks in as_tuples(written[rows])])
        if self._baseline is None:
            self._baseline = float(rewards.mean())
        spread = float(np.std([*known.values()])) or 1.0
        network, optimizer = self._controller(), self._adam()
        chosen, entropy = network.log_probability(self._feasible, written[rows])
        advantage = torch.from_numpy((rewards - self._baseline) / spread)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(-(advantage * chosen + self._entropy * entropy).mean())
        torch.nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_NORM)
        optimizer.step()
        self._baseline += (1 - self._share) * (float(rewards.mean()) - self._baseline)

    def _controller(self) -> ControllerNetwork:
        if self._network is None:
            from search.strategies.controller_network import ControllerNetwork

            self._network = ControllerNetwork(self._feasible.sizes, _HIDDEN, self._seed)
        return self._network

    def _adam(self) -> torch.optim.Adam:
        import torch

        if self._optimizer is None:
            self._optimizer = torch.optim.Adam(self._controller().parameters(), self._rate)
        return self._optimizer


def _scores(trials: Sequence[Trial]) -> Mapping[Picks, float]:
    return {trial.picks: trial.score for trial in scored(trials) if trial.score is not None}
