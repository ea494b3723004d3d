"""Ridge regression of the logarithm of a time on logarithms of what a workload is.

The penalty is the one with which rows are predicted best from all others (leave-one-out in closed form), and what
remains unexplained then is the noise. Amounts are weighed more than attributes and kinds, whose effects are smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.columns import Columns
from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.left_out import deviation_factor
from latency.cost_models.linear import LinearEvidence, LinearPosterior
from latency.cost_models.log_times import LogTimes
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_MAIN = 3
"""The first columns are the main amounts: multiply-accumulates, bytes of activations, bytes of weights."""

_MAIN_SPREAD, _OTHER_SPREAD, _KIND_SPREAD = 1.0, 0.3, 0.5
"""Standard deviations of the weights before anything is penalised, all as logarithms of a time per standard deviation:
sizes matter by a factor of e, other columns and kinds by a third to a half. There are no squares: fitted to a few rows
they are far off at the ends."""

_LEVEL_SPREAD = 3.0
"""Of the level, which is never penalised: as good as unknown."""

_PENALTIES = np.geomspace(0.03, 1.0, 25)
"""Noises that are tried, relative to those spreads: at 1 only a level and a rough slope are left; with less than the
first, a few rows that happen to lie on a plane would be followed to wherever it leads."""

_LEAST_SCALE = 0.01
"""Of the deviations: rows that lie on a plane to the last digit do not make a model that is never wrong."""


@final
@dataclass(frozen=True, eq=False)
class _Learned:
    """What a fitted model holds.

    Attributes:
        columns: how workloads become numbers.
        kinds: the kinds that have a level of their own.
        level: mean logarithm of the times.
        posterior: of the weights.
        factor: by what deviations are multiplied to cover what they promise.
    """

    columns: Columns
    kinds: tuple[str, ...]
    level: float
    posterior: LinearPosterior
    factor: float


@final
class Ridge(CostModel):
    """Straight lines on logarithmic scales and a level for each kind, all pulled towards none."""

    name = "ridge"
    least_points = 8

    _learned: _Learned | None = None

    def _fit(self, timings: Timings) -> None:
        columns, logs = Columns.of(timings.workloads), np.log(timings.time_s)
        kinds, level = tuple(sorted(set(columns.rows(timings.workloads).kinds.tolist()))), float(logs.mean())
        design = _design(columns, kinds, timings.workloads)
        prior = _prior_variance(len(columns), len(kinds))
        evidence = LinearEvidence(design, logs - level, np.zeros(len(prior)), prior)
        best = min(_PENALTIES, key=lambda noise: float((evidence.left_out(float(noise))[0] ** 2).mean()))
        errors, variances = evidence.left_out(float(best))
        # The penalty sets the shape of the deviations; how large they are, the errors say.
        scale = max(_LEAST_SCALE, float(np.sqrt(np.mean(errors**2 / variances))))
        posterior = evidence.posterior(float(best))
        factor = scale * deviation_factor(errors, scale * np.sqrt(variances))
        self._learned = _Learned(columns, kinds, level, posterior, factor)

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        learned = self._known()
        mean, variance = learned.posterior.predict(_design(learned.columns, learned.kinds, workloads))
        new = ~np.isin(learned.columns.rows(workloads).kinds, learned.kinds)
        return LogTimes(learned.level + mean, np.sqrt(learned.factor**2 * variance + new * _KIND_SPREAD**2))

    def _known(self) -> _Learned:
        if self._learned is None:
            raise ValueError("nothing was learned")
        return self._learned

    def _state(self) -> dict[str, Any]:
        learned = self._known()
        return {
            "columns": learned.columns.to_json(),
            "kinds": list(learned.kinds),
            "level": learned.level,
            "posterior": learned.posterior.to_json(),
            "factor": learned.factor,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._learned = _Learned(
            columns=Columns.from_json(state["columns"]),
            kinds=tuple(state["kinds"]),
            level=float(state["level"]),
            posterior=LinearPosterior.from_json(state["posterior"]),
            factor=float(state["factor"]),
        )


def _design(columns: Columns, kinds: Sequence[str], workloads: Sequence[Workload]) -> Array:
    """Level, columns, and which kind it is, shape (n, 1 + columns + kinds)."""
    rows = columns.rows(workloads)
    is_kind = (rows.kinds[:, None] == np.array(kinds)[None, :]).astype(np.float64)
    return np.hstack([np.ones((len(rows), 1)), rows.values, is_kind])


def _prior_variance(columns: int, kinds: int) -> Array:
    others = columns - _MAIN
    spreads = [_LEVEL_SPREAD, *[_MAIN_SPREAD] * _MAIN, *[_OTHER_SPREAD] * others]
    return np.array([*spreads, *[_KIND_SPREAD] * kinds]) ** 2
