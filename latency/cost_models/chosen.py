"""The default: whichever models predict best what they have not seen, weighted.

Every known model that has enough points predicts each row from the other folds, with a deviation. The weights are
those with which the mixture of these predictions makes the rows most probable (Yao, Vehtari, Simpson and Gelman, Using
stacking to average Bayesian predictive distributions, Bayesian Analysis 13, 2018), so that a row that a model knew to
be uncertain counts less against it; that matters where rows were chosen because they are unlike each other. The same
rows say how wide the intervals must be. The models that carry weight are fitted again to everything.

While rows are few, what a model says of its own deviation hangs on a handful of them, most of all where they were
chosen by a model. Then those that learned from four fifths are kept, and deviations come from them: theirs, and how far
they are from the one that learned from everything (as in the jackknife+ of Barber, Candes, Ramdas and Tibshirani,
Annals of Statistics 49, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.left_out import LEAST_FACTOR, deviation_factor
from latency.cost_models.log_times import LogTimes
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_FOLDS = 5
"""Each model then learns from four fifths, nearly what it will have in the end, and is fitted six times in all."""

_LEAST_WEIGHT = 0.05
"""A model with less is left out: it would cost a fit, and every estimate time, and change them by next to nothing."""


_FEW = 60
"""With fewer different workloads, the models of the folds are kept. From about as many on, hyperparameters change
little when a fifth of the rows is missing."""

_FREEDOM = 4.0
"""Degrees of freedom of Student's distribution that errors are taken to have: with the normal one, a single row that no
model predicts would decide."""

_STEPS = 200
"""More change no weight by a hundredth."""


@final
@dataclass(frozen=True, eq=False)
class Member:
    """A model that was chosen, fitted to everything, and its weight."""

    model: CostModel
    weight: float

    def to_json(self) -> dict[str, Any]:
        """The member as plain values."""
        return {"model": self.model.name, "weight": self.weight, "saved": self.model.to_json()}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Member:
        """Rebuild what ``to_json`` gave."""
        from latency.cost_models.registry import find_cost_model  # Which knows the automatic choice, too.

        return Member(find_cost_model(values["model"]).from_json(values["saved"]), float(values["weight"]))


@final
class ChosenByCrossValidation(CostModel):
    """The weighted mean of the models that predict unseen rows best."""

    name = "automatic"
    least_points = 5

    members: tuple[Member, ...] = ()
    """The models that were chosen, the one with the most weight first."""

    _factor: float = 1.0
    _parts: tuple[tuple[Member, ...], ...] = ()
    """While rows are few: the same, each group learned from all folds but one."""

    def _fit(self, timings: Timings) -> None:
        folds, different = _folds(timings), len(set(timings.workloads))
        kinds = _candidates(different - math.ceil(different / _FOLDS)) or _least_demanding()
        self._factor, self._parts = 1.0, ()
        if len(kinds) == 1:
            self.members = (Member(kinds[0]().fit(timings), 1.0),)
            return
        fitted = [_without_each(kind, timings, folds) for kind in kinds]
        predictions = [_left_out(models, timings, folds) for models in fitted]
        logs = np.log(timings.time_s)
        weights = _weights(predictions, logs, np.array([kind.prior_rows for kind in kinds]))
        mixed = _mixed(predictions, weights)
        # A few rows that were predicted well by chance make nothing surer.
        least = 1.0 if different < _FEW else LEAST_FACTOR
        self._factor = deviation_factor(mixed.mean - logs, mixed.standard_deviation, least)
        kept = [place for place in np.argsort(-weights, kind="stable") if weights[place] > 0]
        self.members = tuple(Member(kinds[place]().fit(timings), float(weights[place])) for place in kept)
        if different < _FEW:
            self._parts = tuple(
                tuple(Member(fitted[place][fold], float(weights[place])) for place in kept) for fold in fitted[0]
            )

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        found = _mixed_members(self.members, workloads)
        if not self._parts:
            return LogTimes(found.mean, self._factor * found.standard_deviation)
        parts = [_mixed_members(part, workloads) for part in self._parts]
        own = np.array([self._factor * part.standard_deviation for part in parts])
        away = np.array([part.mean - found.mean for part in parts])
        return LogTimes(found.mean, np.sqrt((own**2 + away**2).mean(axis=0)))

    def _state(self) -> dict[str, Any]:
        return {
            "factor": self._factor,
            "members": [member.to_json() for member in self.members],
            "parts": [[member.to_json() for member in part] for part in self._parts],
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._factor = float(state["factor"])
        self.members = tuple(map(Member.from_json, state["members"]))
        self._parts = tuple(tuple(map(Member.from_json, part)) for part in state["parts"])


def _mixed_members(members: Sequence[Member], workloads: Sequence[Workload]) -> LogTimes:
    """What members say together."""
    found = [member.model.log_times(workloads) for member in members]
    return _mixed(found, np.array([member.weight for member in members]))


def _candidates(points: int) -> list[type[CostModel]]:
    """Known models, without this one, that so many points are enough for; always in the same order."""
    from latency.cost_models.registry import known_cost_models  # Which knows this model, too.

    known = [kind for _, kind in sorted(known_cost_models().items()) if kind is not ChosenByCrossValidation]
    return [kind for kind in known if max(kind.least_points, kind.considered_from) <= points]


def _least_demanding() -> list[type[CostModel]]:
    """The one model for so few points that none can be set aside."""
    return [min(_candidates(ChosenByCrossValidation.least_points), key=lambda kind: kind.least_points)]


def _folds(timings: Timings) -> npt.NDArray[np.intp]:
    """Fold of each row; rows of the same workload are in one, or it would be predicted from itself."""
    places = {workload: place for place, workload in enumerate(dict.fromkeys(timings.workloads))}
    fold = np.random.default_rng(0).permutation(len(places)) % _FOLDS
    return fold[[places[workload] for workload in timings.workloads]]


def _without_each(kind: type[CostModel], timings: Timings, folds: npt.NDArray[np.intp]) -> dict[int, CostModel]:
    """For each fold, a model that learned from all others."""
    return {int(fold): kind().fit(timings[np.flatnonzero(folds != fold)]) for fold in np.unique(folds)}


def _left_out(models: Mapping[int, CostModel], timings: Timings, folds: npt.NDArray[np.intp]) -> LogTimes:
    """What is said of each row by the model that did not learn from it."""
    mean, deviation = np.zeros(len(timings)), np.zeros(len(timings))
    for fold, model in models.items():
        here = np.flatnonzero(folds == fold)
        found = model.log_times(timings[here].workloads)
        mean[here], deviation[here] = found.mean, found.standard_deviation
    return LogTimes(mean, deviation)


def _weights(predictions: Sequence[LogTimes], logs: Array, prior_rows: Array) -> Array:
    """Weights of the models, shape (models,): the most probable ones, by expectation and maximisation.

    Args:
        predictions: what each says of all rows.
        logs: logarithms of the times, shape (n,).
        prior_rows: how many rows' worth of belief there is in each before, shape (models,).
    """
    deviations = np.array([one.standard_deviation for one in predictions])
    away = (np.array([one.mean for one in predictions]) - logs) / deviations
    log_density = -np.log(deviations) - 0.5 * (_FREEDOM + 1) * np.log1p(away**2 / _FREEDOM)
    density = np.exp(log_density - log_density.max(axis=0))
    weights = np.full(len(predictions), 1 / len(predictions))
    for _ in range(_STEPS):
        shares = weights[:, None] * density
        weights = (shares / shares.sum(axis=0)).sum(axis=1) + prior_rows
        weights /= weights.sum()
    kept = np.where(weights >= _LEAST_WEIGHT, weights, 0.0)
    return np.asarray(kept / kept.sum())


def _mixed(found: Sequence[LogTimes], weights: Array) -> LogTimes:
    """Weighted mean, with a deviation that has both the models' own and how far they are apart."""
    means = np.array([one.mean for one in found])
    variances = np.array([one.standard_deviation for one in found]) ** 2
    mean = weights @ means
    return LogTimes(mean, np.sqrt(weights @ (variances + (means - mean) ** 2)))
