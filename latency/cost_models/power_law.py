"""A power law in work and traffic, for the first few measurements.

time = c x MACs^a x (bytes of activations)^b x (bytes of weights)^d, all operators alike. A processor that computes is
bound by its arithmetic, one that waits by its memory (the roofline model, Williams and others, CACM 52, 2009); a table
has workloads on both sides, and on a logarithmic scale the roof between them is nearly the weighted sum of both. The
exponents have a prior from that: they add up to about one, and traffic counts no more than work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.amounts import amounts
from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.linear import LinearEvidence, LinearPosterior
from latency.cost_models.log_times import LogTimes
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_MAIN = 3
"""Amounts in the law: multiply-accumulates, bytes of activations, bytes of weights."""

_EXPONENTS = (0.5, 0.4, 0.1)
_EXPONENT_SPREAD = (0.3, 0.3, 0.2)
"""Prior of the exponents: half-way between a table that is bound by arithmetic and one that is bound by memory, with
either end within two deviations. Weights are read once and count for little unless images are small."""

_LEVEL_SPREAD = 3.0
"""Of the logarithm of a time in the middle of the table: as good as unknown, as it must be for any device."""

_NOISES = np.geomspace(0.003, 2.0, 40)
"""Standard deviations around the law that are considered, as shares of a time."""

_USUAL_NOISE, _NOISE_SPREAD = 0.2, 1.0
"""Log-normal prior of them: times are usually within a fifth of the law, and two in three tables within a factor of e
of that."""

_NEGLIGIBLE = 1e-3
"""Share of the most probable noise's probability below which a noise changes nothing."""


@final
@dataclass(frozen=True, eq=False)
class _Learned:
    """What a fitted model holds.

    Attributes:
        centre: means of the logarithms of the main amounts, shape (3,).
        level: mean logarithm of the times.
        noises: the posteriors of the weights with each considered noise.
        weights: how probable each is, shape (noises,).
    """

    centre: Array
    level: float
    noises: tuple[LinearPosterior, ...]
    weights: Array


@final
class PowerLaw(CostModel):
    """One power law for all operators, from five measured workloads on; its noise is averaged over."""

    name = "power-law"
    least_points = 5

    _learned: _Learned | None = None

    def _fit(self, timings: Timings) -> None:
        logs, sizes = np.log(timings.time_s), _main(timings.workloads)
        centre, level = sizes.mean(axis=0), float(logs.mean())
        evidence = LinearEvidence(
            design=_design(sizes - centre),
            observed=logs - level,
            prior_mean=np.array([0.0, *_EXPONENTS]),
            prior_variance=np.array([_LEVEL_SPREAD, *_EXPONENT_SPREAD]) ** 2,
        )
        away = np.log(_NOISES / _USUAL_NOISE) / _NOISE_SPREAD
        scores = np.array([evidence.log_evidence(float(noise)) for noise in _NOISES]) - 0.5 * away**2
        probable = np.exp(scores - scores.max())
        kept = probable > _NEGLIGIBLE
        noises = tuple(evidence.posterior(float(noise)) for noise in _NOISES[kept])
        self._learned = _Learned(centre, level, noises, probable[kept] / probable[kept].sum())

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        learned = self._known()
        design = _design(_main(workloads) - learned.centre)
        found = [posterior.predict(design) for posterior in learned.noises]
        means, variances = (np.array(part) for part in zip(*found, strict=True))
        mean = learned.weights @ means
        return LogTimes(learned.level + mean, np.sqrt(learned.weights @ (variances + (means - mean) ** 2)))

    def _known(self) -> _Learned:
        if self._learned is None:
            raise ValueError("nothing was learned")
        return self._learned

    def _state(self) -> dict[str, Any]:
        learned = self._known()
        return {
            "centre": learned.centre.tolist(),
            "level": learned.level,
            "noises": [posterior.to_json() for posterior in learned.noises],
            "weights": learned.weights.tolist(),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        noises = tuple(LinearPosterior.from_json(values) for values in state["noises"])
        centre, weights = (np.array(state[name], dtype=np.float64) for name in ("centre", "weights"))
        self._learned = _Learned(centre, float(state["level"]), noises, weights)


def _main(workloads: Sequence[Workload]) -> Array:
    """Logarithms of the main amounts, shape (n, 3)."""
    return np.asarray(np.log(amounts(workloads)[:, :_MAIN]))


def _design(sizes: Array) -> Array:
    return np.hstack([np.ones((len(sizes), 1)), sizes])
