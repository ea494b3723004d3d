"""From networks measured whole to times of blocks whose sum predicts networks.

The time of a block inside a network is not its time alone: data is elsewhere in the cache, layouts change at borders,
calls are fused or not. How it differs is learned from a few networks measured whole, together with how far that
can be trusted. The unknowns are the deviations of all blocks from their own measurements, as shares of these; what
blocks have in common (``latency.shared_effects``) carries what some blocks taught to the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency.estimate import Estimate
from latency.operators import operator_of
from latency.random_effects import Evidence, Posterior, RandomEffects
from latency.shared_effects import shared_effects
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

LEAST_NETWORKS = 8
"""With fewer, neither the effects nor how far to trust them can be told from each other."""

_OUTLIER_DEVIATIONS = 4.0
"""A network that far from what all others say was disturbed; by chance it happens to one in 16 000."""

_MOST_OUTLIERS = 0.2
"""When more of the networks than this contradict the others, it is the model that does not hold, and all stay."""

_CLOSE = 0.05
_Z90 = 1.6448536269514722


@final
@dataclass(frozen=True)
class WholeNetwork:
    """A network that was measured whole.

    Attributes:
        parts: the blocks it is made of, one as often as it occurs; those that are free may be left out.
        mean_s: its time, in seconds.
        deviation_s: standard deviation of ``mean_s``, in seconds.

    Raises:
        WrongUse: it has no parts, the time is not positive, or the deviation is negative or not finite.
    """

    parts: tuple[Workload, ...]
    mean_s: float
    deviation_s: float

    def __post_init__(self) -> None:
        if not self.parts or not 0 < self.mean_s < math.inf or not 0 <= self.deviation_s < math.inf:
            raise WrongUse(
                f"A network measured whole needs parts, a time above 0 s and a finite deviation of at least 0 s; got "
                f"{len(self.parts)} parts, {self.mean_s} s and {self.deviation_s} s. Measure it again."
            )


@final
@dataclass(frozen=True)
class LeaveOneOut:
    """How well each network is predicted from all others (Rasmussen and Williams 2006, equation 5.12).

    The strengths of the effects are those of all networks, so this is slightly kinder than networks never seen.

    Attributes:
        mean_error: mean of |predicted / measured - 1|.
        share_close: share of networks predicted within 5 %.
        coverage: share of networks within their 90 % interval, the noise of their own measurement included.
    """

    mean_error: float
    share_close: float
    coverage: float


@final
@dataclass(frozen=True)
class Calibration:
    """Times of blocks inside networks, and how their errors hang together.

    Attributes:
        entries: digest of the workload of each entry.
        mean_s: time of each entry inside a network, in seconds. It may be below 0 where a tiny block makes the call
            after it cheaper; only sums are times.
        factor: lower Cholesky factor of the covariance of the entries, row by row, row i with i + 1 numbers; seconds.
        misfit: standard deviation of a network around the sum of its entries, as a share of it: what neighbours do to
            each other.
        networks: how many were measured whole and used.
        hyperparameters: most probable strength of each group of effects, as a share of a block's time; ``entry`` is
            each block's own. ``misfit`` is among them too, where the attribute is the average over what it may be.
        leave_one_out: how well networks are predicted that were not looked at.
        outliers: which of the networks were left out because all others contradict them, counted from 0.
    """

    entries: tuple[str, ...]
    mean_s: tuple[float, ...]
    factor: tuple[tuple[float, ...], ...] = field(repr=False)
    misfit: float
    networks: int
    hyperparameters: Mapping[str, float]
    leave_one_out: LeaveOneOut
    outliers: tuple[int, ...] = ()

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """Where in ``entries`` the digest of a workload is."""
        return {digest: column for column, digest in enumerate(self.entries)}

    @cached_property
    def _triangle(self) -> Array:
        """``factor`` as a square array, zeros above the diagonal."""
        square = np.zeros((len(self.entries), len(self.entries)))
        for row, numbers in enumerate(self.factor):
            square[row, : row + 1] = numbers
        return square

    def counts(self, parts: Sequence[Workload]) -> Array:
        """How often each entry occurs among ``parts``, shape (entries,); free workloads are no entries.

        Raises:
            WrongUse: a part is not among the entries.
        """
        return _counts(parts, self.columns)

    def sums(self, counts: npt.NDArray[Any]) -> tuple[Array, Array]:
        """Times of many networks at once.

        Args:
            counts: how often each network has each entry, shape (networks, entries).

        Returns:
            Means and standard deviations, seconds, each of shape (networks,). Deviations include what entries have
            in common and the misfit, but not the noise of a measurement that they may be compared with.
        """
        many = np.asarray(counts, dtype=np.float64)
        means = many @ np.array(self.mean_s)
        spread = many @ self._triangle
        return means, np.sqrt(np.einsum("ij,ij->i", spread, spread) + (self.misfit * means) ** 2)

    def estimate(self, parts: Sequence[Workload]) -> Estimate:
        """The time of the network made of ``parts``.

        Raises:
            WrongUse: a part is not among the entries.
        """
        means, deviations = self.sums(self.counts(parts)[None])
        return Estimate(max(float(means[0]), 0.0), float(deviations[0]), "calibrated")

    def entry(self, workload: Workload) -> Estimate:
        """The time of one block inside a network; without the misfit, which is a property of networks.

        Raises:
            WrongUse: it is not among the entries.
        """
        column = _column(workload, self.columns)
        return Estimate(max(self.mean_s[column], 0.0), math.hypot(*self.factor[column]), "calibrated")

    def to_json(self) -> dict[str, Any]:
        """The calibration as plain values."""
        return {
            "entries": list(self.entries),
            "mean_s": list(self.mean_s),
            "factor_s": [list(row) for row in self.factor],
            "misfit": self.misfit,
            "networks": self.networks,
            "hyperparameters": dict(self.hyperparameters),
            "leave_one_out": asdict(self.leave_one_out),
            "outliers": list(self.outliers),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Calibration:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError: a field is missing.
            WrongUse: the numbers do not fit together.
        """
        entries, means = tuple(values["entries"]), tuple(values["mean_s"])
        factor = tuple(tuple(row) for row in values["factor_s"])
        if len(means) != len(entries) or [len(row) for row in factor] != list(range(1, len(entries) + 1)):
            raise WrongUse(
                f"A calibration of {len(entries)} entries needs as many means and a triangle of as many rows; got "
                f"{len(means)} means and {len(factor)} rows. Calibrate the table again."
            )
        return Calibration(
            entries=entries,
            mean_s=means,
            factor=factor,
            misfit=values["misfit"],
            networks=values["networks"],
            hyperparameters=dict(values["hyperparameters"]),
            leave_one_out=LeaveOneOut(**values["leave_one_out"]),
            outliers=tuple(values["outliers"]),
        )


def calibrate(blocks: Mapping[Workload, Estimate], networks: Sequence[WholeNetwork]) -> Calibration:
    """Learn what a network does to its blocks.

    Args:
        blocks: each block's time by itself; free blocks are passed over.
        networks: networks measured whole on the same device with the same runtime; about 30 are worth their time.

    Returns:
        The calibration; the same for the same input, and whatever the order of the networks.

    Raises:
        WrongUse: there are fewer than 8 networks, a block's time is 0 s, or a network has a part that is not
            among the blocks.
    """
    timed = {workload: alone for workload, alone in blocks.items() if not operator_of(workload).is_free}
    _refuse_unusable(timed, networks)
    times_s = np.array([alone.mean_s for alone in timed.values()])
    prior = _prior(timed)
    evidence = _evidence(times_s, {w.digest: column for column, w in enumerate(timed)}, networks)
    posterior, kept = _without_outliers(prior, evidence)
    covariance_s = posterior.covariance * np.outer(times_s, times_s)
    return Calibration(
        entries=tuple(workload.digest for workload in timed),
        mean_s=tuple(_rounded(mean_s, 7) for mean_s in times_s * (1 + posterior.mean)),
        factor=_rounded_factor(covariance_s),
        misfit=_rounded(posterior.misfit, 4),
        networks=len(kept),
        hyperparameters={name: _rounded(strength, 4) for name, strength in posterior.strengths.items()},
        leave_one_out=_leave_one_out(posterior, evidence.observed[kept]),
        outliers=tuple(sorted(set(range(len(networks))) - set(kept))),
    )


def _prior(blocks: Mapping[Workload, Estimate]) -> RandomEffects:
    """Deviations of blocks as shares of their own measurement: its noise, what they share, and each block's own."""
    own_noise = [(alone.standard_deviation_s / alone.mean_s) ** 2 for alone in blocks.values()]
    effects = shared_effects({workload: alone.mean_s for workload, alone in blocks.items()})
    shared = {name: group.T @ group for name, group in effects.items()}
    return RandomEffects(np.diag(own_noise), shared | {"entry": np.eye(len(blocks))})


def _evidence(times_s: Array, columns: Mapping[str, int], networks: Sequence[WholeNetwork]) -> Evidence:
    """What each network says of its blocks: by which share the sum of their measurements is too small for it."""
    whole_s = np.array([network.mean_s for network in networks])
    shares = np.array([_counts(network.parts, columns) for network in networks]) * times_s / whole_s[:, None]
    noise = np.array([network.deviation_s for network in networks]) / whole_s
    return Evidence(design=shares, observed=1 - shares.sum(axis=1), variance=noise**2)


def _without_outliers(prior: RandomEffects, evidence: Evidence) -> tuple[Posterior, list[int]]:
    """The posterior without the networks that all others contradict, and the indices of those that stay.

    The most suspicious network is predicted from all others, which have not seen it: were it among them, it would
    widen its own interval until it fits.
    """
    everything, kept = prior.posterior(evidence), list(range(len(evidence.observed)))
    posterior = everything
    for _ in range(int(_MOST_OUTLIERS * len(kept)) + 1):
        away = (evidence.observed - posterior.left_out_mean) / posterior.left_out_deviation
        suspect = int(np.abs(away).argmax())
        others = evidence.without(suspect)
        opinion = prior.posterior(others)
        mean, deviation = opinion.predict(evidence.design[suspect], float(evidence.variance[suspect]))
        if abs(evidence.observed[suspect] - mean) <= _OUTLIER_DEVIATIONS * deviation:
            return posterior, kept
        del kept[suspect]
        posterior, evidence = opinion, others
    return everything, list(range(len(everything.left_out_mean)))


def _leave_one_out(posterior: Posterior, observed: Array) -> LeaveOneOut:
    errors = np.abs(observed - posterior.left_out_mean)  # Both are shares of the network's measured time.
    return LeaveOneOut(
        mean_error=_rounded(float(errors.mean()), 4),
        share_close=_rounded(float(np.mean(errors <= _CLOSE)), 4),
        coverage=_rounded(float(np.mean(errors <= _Z90 * posterior.left_out_deviation)), 4),
    )


def _rounded_factor(covariance: Array) -> tuple[tuple[float, ...], ...]:
    """Its lower Cholesky factor. Four digits are enough, because only sums of squares are made of them."""
    lower = np.linalg.cholesky((covariance + covariance.T) / 2)
    return tuple(tuple(_rounded(number, 4) for number in row[: index + 1]) for index, row in enumerate(lower))


def _rounded(number: float, digits: int) -> float:
    """``number`` with that many significant digits, so that a file holds what memory holds."""
    return float(f"{number:.{digits}g}")


def _counts(parts: Sequence[Workload], columns: Mapping[str, int]) -> Array:
    timed = [_column(part, columns) for part in parts if not operator_of(part).is_free]
    return np.bincount(np.array(timed, dtype=np.intp), minlength=len(columns)).astype(np.float64)


def _column(workload: Workload, columns: Mapping[str, int]) -> int:
    if workload.digest not in columns:
        raise WrongUse(
            f"Every block of a network must be among the {len(columns)} that were calibrated; "
            f"{workload.describe()} is not. Measure it, and calibrate the table again."
        )
    return columns[workload.digest]


def _refuse_unusable(blocks: Mapping[Workload, Estimate], networks: Sequence[WholeNetwork]) -> None:
    if len(networks) < LEAST_NETWORKS:
        raise WrongUse(
            f"Calibration needs at least {LEAST_NETWORKS} networks measured whole, and 30 are better; got "
            f"{len(networks)}. Measure more of them."
        )
    empty = [workload for workload, alone in blocks.items() if alone.mean_s == 0]
    if empty:
        raise WrongUse(
            f"A block must take more than 0 s to be calibrated; {empty[0].describe()} took none. Measure it again."
        )
    missing = [part for n in networks for part in n.parts if part not in blocks and not operator_of(part).is_free]
    if missing:
        raise WrongUse(
            f"Every part of a network measured whole must be among the {len(blocks)} blocks; "
            f"{missing[0].describe()} is not. Measure it too, or leave the networks with it out."
        )
