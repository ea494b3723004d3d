"""A Gaussian process over workloads, from eight measured ones to two thousand. See ``latency.cost_models.process``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.columns import Columns, Rows
from latency.cost_models.cost_model import CostModel, Timings, unknown_deviations_filled
from latency.cost_models.left_out import deviation_factor
from latency.cost_models.log_times import LogTimes
from latency.cost_models.process import Posterior, Prior
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_MOST_LEARNED_FROM = 200
"""Rows that hyperparameters are learned from: more of them change errors of predictions by less than 3 %, and each step
costs their cube."""

_MOST_POINTS = 2000
"""Rows that predictions go by. More cost minutes, and tables of that size suit boosted trees."""


@final
@dataclass(frozen=True, eq=False)
class _Learned:
    """What a fitted model holds.

    Attributes:
        columns: how workloads become numbers.
        level: mean logarithm of the times seen.
        posterior: of what is above or below that level.
        factor: by what deviations are multiplied to cover what they promise.
    """

    columns: Columns
    level: float
    posterior: Posterior
    factor: float


@final
class GaussianProcess(CostModel):
    """Power law and what similar workloads share, with the uncertainty that follows from it."""

    name = "gaussian-process"
    least_points = 8

    prior_rows = 5.0
    """It contains the linear models, and is better than they are on every table that it was tried on but a very noisy
    one; a dozen rows can seem to say otherwise. With five rows' worth of belief, fifty rows decide."""

    _learned: _Learned | None = None

    def _fit(self, timings: Timings) -> None:
        columns = Columns.of(timings.workloads)
        posterior, level = condition(columns, timings)
        mean, variance = posterior.left_out()
        factor = deviation_factor(posterior.observed - mean, np.sqrt(variance), least=1.0)
        self._learned = _Learned(columns, level, posterior, factor)

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        learned = self._known()
        mean, variance = learned.posterior.predict(learned.columns.rows(workloads))
        noise = float(np.median(learned.posterior.noise))
        return LogTimes(learned.level + mean, learned.factor * np.sqrt(variance + noise))

    def _known(self) -> _Learned:
        if self._learned is None:
            raise ValueError("nothing was learned")
        return self._learned

    def _state(self) -> dict[str, Any]:
        learned = self._known()
        posterior = learned.posterior
        return {
            "columns": learned.columns.to_json(),
            "level": learned.level,
            "strengths": posterior.prior.strengths.tolist(),
            "lengths": posterior.prior.lengths.tolist(),
            "rows": posterior.rows.to_json(),
            "observed": posterior.observed.tolist(),
            "noise": posterior.noise.tolist(),
            "factor": learned.factor,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        strengths, lengths, observed, noise = (
            np.array(state[name], dtype=np.float64) for name in ("strengths", "lengths", "observed", "noise")
        )
        posterior = Posterior(Prior(strengths, lengths), Rows.from_json(state["rows"]), observed, noise)
        columns = Columns.from_json(state["columns"])
        self._learned = _Learned(columns, float(state["level"]), posterior, float(state["factor"]))


def condition(columns: Columns, timings: Timings) -> tuple[Posterior, float]:
    """The posterior after ``timings``, with the most probable hyperparameters, and the level it is relative to."""
    few = timings[_some(len(timings), _MOST_POINTS)]
    rows, logs = columns.rows(few.workloads), np.log(few.time_s)
    noise, level = unknown_deviations_filled(few.relative_deviation) ** 2, float(logs.mean())
    part = _some(len(few), _MOST_LEARNED_FROM)
    prior = Prior.usual(np.array(columns.vary)).learned(rows[part], (logs - level)[part], noise[part])
    return Posterior(prior, rows, logs - level, noise), level


def _some(count: int, most: int) -> npt.NDArray[np.intp]:
    """Indices of at most so many rows, in order and always the same."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:most])
