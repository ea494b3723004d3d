"""Any of Optuna's samplers as a strategy, held to the limit."""

from __future__ import annotations

import inspect
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from search.errors import NotAvailable, WrongUse, unknown_name
from search.strategies.batches import Picks, draw_unseen
from search.strategies.feasible import FeasibleSet
from search.strategies.strategy import Strategy, Trial

_TRIES = 20
"""Suggestions for each network that is asked for, before one is drawn instead."""

_CONSTRAINED = ("TPE", "NSGAII", "NSGAIII", "GP")
"""Samplers that look at constraints. To others, what is above the limit has failed."""

_LIMIT = "limit"
_DRAWN = 64
"""Networks whose mean cost is the unit of how far above the limit a network is."""

_UNKNOWN = 2.0
"""How far above the limit a network counts that has no known cost, as one with a candidate that failed."""


@final
class OptunaStrategy(Strategy):
    """Asks a sampler of Optuna for networks, each unit a categorical parameter.

    Akiba et al., Optuna: A next-generation hyperparameter optimization framework, KDD 2019. A sampler may suggest what
    is above the limit or was evaluated. Such a suggestion is told back to the sampler at once, with what is known of it
    (how far it is above the limit, its known score), and costs no evaluation. After some in a row, a network is drawn
    uniformly from those within the limit that were not evaluated, and enqueued, so that the search goes on whatever the
    sampler does.

    Networks are asked for one by one, so that the same trials always lead to the same suggestions: a search that is
    resumed has its sampler suggest again what it suggested, and is told the scores that are known.

    Args:
        feasible: the networks that may be proposed.
        seed: of the sampler and of the draws.
        sampler: name of a class of ``optuna.samplers`` without ``Sampler``, such as ``TPE`` or ``NSGAII``.
        options: of the class.

    Raises:
        NotAvailable: Optuna is not installed.
        WrongUse: it has no such sampler, or the sampler needs other options.
    """

    def __init__(
        self, feasible: FeasibleSet, seed: int, sampler: str = "TPE", options: Mapping[str, Any] | None = None
    ) -> None:
        self._feasible, self._seed = feasible, seed
        known, kind = _kind(sampler)
        self._constrained = known in _CONSTRAINED
        self._study = _study(known, kind, seed, options or {})
        self._worst = math.inf
        self._usual = float(feasible.cost(feasible.draw(_DRAWN, np.random.default_rng(0))).mean())
        self._distributions = _distributions(feasible.sizes)
        self._told = dict[Picks, Trial]()
        self._consumed = 0
        self._pending: tuple[Any, Picks] | None = None

    def ask(self, count: int) -> list[Picks]:
        """One network, as a sampler learns from each before the next; none when all have been told."""
        told = list(self._told.values())
        while self._consumed < len(told):
            self._pending = self._pending or self._suggestion(told[: self._consumed])
            self._learn(told[self._consumed])
            self._consumed += 1
        self._pending = self._pending or self._suggestion(told)
        return [] if self._pending is None or count < 1 else [self._pending[1]]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember how networks did; the sampler is told when it is asked next."""
        for trial in trials:
            self._told.setdefault(trial.picks, trial)

    def _learn(self, trial: Trial) -> None:
        if self._pending is not None and self._pending[1] == trial.picks:
            self._finish(self._pending[0], trial)
            self._pending = None
            return
        # One that was not suggested: some other search evaluated it.
        if any(pick >= size for pick, size in zip(trial.picks, self._feasible.sizes, strict=True)):
            return  # With a candidate that cannot be picked here, which no sampler is to learn of.
        self._study.enqueue_trial(_parameters(trial.picks))
        self._finish(self._study.ask(self._distributions), trial)

    def _suggestion(self, told: Sequence[Trial]) -> tuple[Any, Picks] | None:
        """What the sampler suggests and may be evaluated, or else a draw; None when nothing is left."""
        known = {trial.picks: trial for trial in told}
        for _ in range(_TRIES):
            suggested = self._study.ask(self._distributions)
            picks = tuple(int(suggested.params[name]) for name in self._distributions)
            if picks not in known and self._feasible.contains(np.array([picks]))[0]:
                return suggested, picks
            self._finish(suggested, known.get(picks) or Trial(picks, None, feasible=False))
        drawn = draw_unseen(self._feasible, known, 1, np.random.default_rng([self._seed, len(told)]))
        if not drawn:
            return None
        self._study.enqueue_trial(_parameters(drawn[0]))
        return self._study.ask(self._distributions), drawn[0]

    def _finish(self, suggested: Any, trial: Trial) -> None:
        from optuna.trial import TrialState

        if trial.feasible and trial.score is not None and math.isfinite(trial.score):
            self._worst = min(self._worst, trial.score)
            suggested.set_constraint(_LIMIT, 0.0)
            self._study.tell(suggested, trial.score)
        elif trial.feasible or not self._constrained or not math.isfinite(self._worst):
            self._study.tell(suggested, state=TrialState.FAIL)
        else:
            # Of what is above the limit these samplers look at how far; some value has to be there.
            suggested.set_constraint(_LIMIT, self._violation(trial.picks))
            self._study.tell(suggested, self._worst)

    def _violation(self, picks: Picks) -> float:
        """Above 0, and larger for what costs more."""
        cost = float(self._feasible.cost(np.array([picks]))[0])
        if math.isnan(cost) or not self._usual > 0:
            return _UNKNOWN
        return max(cost / self._usual, sys.float_info.min)


def _kind(name: str) -> tuple[str, Any]:
    """Name and class of a sampler, whatever the case of its name.

    Raises:
        NotAvailable: Optuna is not installed.
        WrongUse: there is none.
    """
    try:
        from optuna import samplers
    except ImportError as error:
        raise NotAvailable(f"Optuna's samplers need Optuna ({error}). `pip install optuna` brings it.") from error
    kinds = {
        kind.removesuffix("Sampler"): getattr(samplers, kind)
        for kind in samplers.__all__
        if kind.endswith("Sampler") and "seed" in inspect.signature(getattr(samplers, kind)).parameters
    }
    wanted = name.lower().removesuffix("sampler")
    for known, kind in kinds.items():
        if known.lower() == wanted:
            return known, kind
    raise unknown_name("Optuna sampler", name, kinds)


def _study(name: str, kind: Any, seed: int, options: Mapping[str, Any]) -> Any:
    import optuna

    with _quiet():
        try:
            sampler = kind(seed=seed, **options)
        except (TypeError, ValueError) as error:
            raise WrongUse(f"Optuna's {name} sampler cannot be made with {dict(options)}: {error}.") from error
        return optuna.create_study(direction="maximize", sampler=sampler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna warns that some of its options may change, and says that a study was made in memory."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _distributions(sizes: Sequence[int]) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution

    return {f"unit {unit}": CategoricalDistribution(range(size)) for unit, size in enumerate(sizes)}


def _parameters(picks: Picks) -> dict[str, int]:
    return {f"unit {unit}": pick for unit, pick in enumerate(picks)}
