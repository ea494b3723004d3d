"""The default: whichever models predict best what they have not seen, weighted.

Every known model that has enough points predicts each row from the other folds. The weights are those with which the
weighted mean of the predictions errs least (stacked regressions, Breiman, Machine Learning 24, 1996: not negative, and
adding up to one), and the same rows say how wide the intervals must be. The models that carry weight are fitted again
to everything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.left_out import deviation_factor
from latency.cost_models.log_times import LogTimes
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_FOLDS = 5
"""Each model then learns from four fifths, nearly what it will have in the end, and is fitted six times in all."""

_LEAST_WEIGHT = 0.05
"""A model with less is left out: it would cost a fit, and every estimate time, and change them by next to nothing."""


@final
@dataclass(frozen=True, eq=False)
class Member:
    """A model that was chosen, fitted to everything, and its weight."""

    model: CostModel
    weight: float


@final
class ChosenByCrossValidation(CostModel):
    """The weighted mean of the models that predict unseen rows best."""

    name = "automatic"
    least_points = 5

    members: tuple[Member, ...] = ()
    """The models that were chosen, the one with the most weight first."""

    _factor: float = 1.0

    def _fit(self, timings: Timings) -> None:
        folds, different = _folds(timings), len(set(timings.workloads))
        kinds = _candidates(different - math.ceil(different / _FOLDS)) or _least_demanding()
        if len(kinds) == 1:
            self.members, self._factor = (Member(kinds[0]().fit(timings), 1.0),), 1.0
            return
        predictions = [_left_out(kind, timings, folds) for kind in kinds]
        logs = np.log(timings.time_s)
        weights = _weights(np.array([found.mean for found in predictions]) - logs)
        mixed = _mixed(predictions, weights)
        self._factor = deviation_factor(mixed.mean - logs, mixed.standard_deviation)
        chosen = sorted(zip(weights, kinds, strict=True), key=lambda pair: -pair[0])
        self.members = tuple(Member(kind().fit(timings), float(weight)) for weight, kind in chosen if weight > 0)

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        found = [member.model.log_times(workloads) for member in self.members]
        mixed = _mixed(found, np.array([member.weight for member in self.members]))
        return LogTimes(mixed.mean, self._factor * mixed.standard_deviation)

    def _state(self) -> dict[str, Any]:
        members = [
            {"model": member.model.name, "weight": member.weight, "saved": member.model.to_json()}
            for member in self.members
        ]
        return {"factor": self._factor, "members": members}

    def _restore(self, state: Mapping[str, Any]) -> None:
        from latency.cost_models.registry import find_cost_model  # Which knows this model, too.

        self._factor = float(state["factor"])
        self.members = tuple(
            Member(find_cost_model(values["model"]).from_json(values["saved"]), float(values["weight"]))
            for values in state["members"]
        )


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


def _left_out(kind: type[CostModel], timings: Timings, folds: npt.NDArray[np.intp]) -> LogTimes:
    """What a model says of each row after learning from the other folds."""
    mean, deviation = np.zeros(len(timings)), np.zeros(len(timings))
    for fold in np.unique(folds):
        here = np.flatnonzero(folds == fold)
        found = kind().fit(timings[np.flatnonzero(folds != fold)]).log_times(timings[here].workloads)
        mean[here], deviation[here] = found.mean, found.standard_deviation
    return LogTimes(mean, deviation)


def _weights(errors: Array) -> Array:
    """Weights of the models, shape (models,), from their errors, shape (models, n).

    Rows that no model predicts count less: they are alone of their kind, and would decide by chance.
    """
    from scipy.optimize import nnls

    best = np.abs(errors).min(axis=0)
    trust = 1 / np.sqrt(1 + (best / max(float(np.median(best)), 1e-9)) ** 2)
    scale = float(np.abs(errors).max()) or 1.0
    # One heavy row makes the weights add up to one; then errors of the mean are the mean of the errors.
    rows = np.vstack([(errors * trust).T / scale, np.full((1, len(errors)), 1e3)])
    found = nnls(rows, np.concatenate([np.zeros(errors.shape[1]), [1e3]]))[0]
    kept = np.where(found / found.sum() >= _LEAST_WEIGHT, found, 0.0)
    return np.asarray(kept / kept.sum())


def _mixed(found: Sequence[LogTimes], weights: Array) -> LogTimes:
    """Weighted mean, with a deviation that has both the models' own and how far they are apart."""
    means = np.array([one.mean for one in found])
    variances = np.array([one.standard_deviation for one in found]) ** 2
    mean = weights @ means
    return LogTimes(mean, np.sqrt(weights @ (variances + (means - mean) ** 2)))
