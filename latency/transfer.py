"""A new device from a few measurements: what other devices tell of it, and how sure that is.

Devices differ in speed, but rarely in kind. So the new one is thought to be like one of the known devices, or like a
mixture of them, up to deviations that are small or large and follow the features of the items. All of these are
hypotheses of ``latency.model_averaging``; the measurements say which of them hold, and what is not settled by them is
in the intervals. Which items are measured is chosen from the known devices alone.

The idea of carrying latencies over with about ten measurements is HELP's (Lee et al., HELP: Hardware-adaptive efficient
latency prediction for NAS via meta-learning, NeurIPS 2021); here it is a linear model without training.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency.cost_models.columns import Columns
from latency.cost_models.log_times import LogTimes
from latency.estimate import Estimates
from latency.model_averaging import AveragedProcess, Hypotheses, a_optimal_items
from latency.source_devices import KnownDevices, additive_devices, multiplicative_devices
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
Law = Literal["additive", "multiplicative"]

LEAST_MEASUREMENTS = 3
"""With fewer, a different speed cannot be told from a different kind of device."""

_DEVIATIONS = (0.003, 0.01, 0.02, 0.05, 0.1, 0.3)
"""How much a unit of a feature may take more or less than on the known devices, as a share of a usual time."""

_NOISE = (0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.2, 0.4)
"""Scales of the noise, as shares of a usual time. Below 0.3 % timers and clocks are the limit."""

_NOISE_WIDTH = 0.7
"""Of the logarithm: the noise of the new device is like that of a known one within a factor of two."""

_ANYTHING_WIDTH = 1.5
"""Of the logarithm, for the one device more that is like none."""

_LEAST_SHARE = 0.01
"""An item that takes almost nothing on the known devices (a cell that is pruned away) tells no speed."""

_LOG_SPEED = 3.0
"""Standard deviation of the logarithm of the speed: two devices differ by a factor of 20 in two cases of three."""


@final
class DeviceTransfer:
    """Times of items on a new device, from a few of them and from all of them on other devices.

    Args:
        sources_s: times on known devices, shape (devices, items), seconds. One device is enough, more are better.
            With the additive law an item may be NaN where it was not measured.
        features: what describes items, each of shape (items, f): a unit of a feature is what it may contribute, so a
            column that matters a tenth as much is scaled by a tenth. Several where it is not known which description
            holds: then the measurements decide (does a runtime execute what leads nowhere?).
        law: ``additive`` when an item's time is a sum of what its features cost, such as a network's of its layers;
            then features describe it fully and what devices deviate from them is noise. ``multiplicative`` when times
            span orders of magnitude, such as those of blocks; then devices differ by factors, and each item may have
            one of its own.

    Raises:
        WrongUse: there is no device or no item, shapes do not fit, a time is not positive, or times are missing
            where there is nothing to complete them from.
    """

    def __init__(self, sources_s: Array, features: Sequence[Array] = (), *, law: Law = "multiplicative") -> None:
        _refuse_misfits(sources_s, features)
        self._law = law
        complete = additive_devices if law == "additive" else multiplicative_devices
        self._known = complete(sources_s, features)
        self._hypotheses = _hypotheses(self._known, law)

    @staticmethod
    def of_workloads(sources_s: Array, workloads: Sequence[Workload]) -> DeviceTransfer:
        """Times of blocks, from the tables of other devices.

        Args:
            sources_s: times on known devices, shape (devices, workloads), seconds, all above 0.
            workloads: the blocks, none of them free.
        """
        return DeviceTransfer(sources_s, [_workload_features(workloads)])

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self._known.is_inside)

    def choose(self, count: int, *, among: Indices | None = None, measured: Indices | None = None) -> Indices:
        """The items that teach most about all others when measured on the new device; the same for the same input.

        Args:
            count: how many.
            among: items to choose from; all without.
            measured: items that are measured already, and are not chosen again.

        Returns:
            Their indices, the most telling first; fewer than ``count`` when there are no more.
        """
        everything = np.arange(self.items)
        nothing = np.array([], dtype=np.intp)
        return a_optimal_items(
            self._hypotheses.expected_factor(),
            self._hypotheses.expected_noise(),
            count,
            everything if among is None else among,
            nothing if measured is None else measured,
        )

    def estimate(self, measured: Indices, times_s: Array, deviations_s: Array | None = None) -> Estimates:
        """Times of all items on the new device, the measured ones included, as a further measurement would show them.

        Args:
            measured: items that were measured there, shape (n,), at least three.
            times_s: their times, shape (n,), seconds.
            deviations_s: standard deviations of these, shape (n,), seconds; unknown ones are NaN.

        Raises:
            WrongUse: there are fewer than three measurements, lengths differ, or a time is not positive.
        """
        process, unit_s = self._posterior(measured, times_s, deviations_s)
        return self._estimates(*process.predict(), unit_s, self._known.is_inside)

    def left_out(self, measured: Indices, times_s: Array, deviations_s: Array | None = None) -> Estimates:
        """What the other measurements say of each measured item: how far the estimates of the rest may be trusted.

        Raises:
            WrongUse: as ``estimate``.
        """
        process, unit_s = self._posterior(measured, times_s, deviations_s)
        return self._estimates(*process.left_out(), unit_s, self._known.is_inside[measured])

    def _posterior(
        self, measured: Indices, times_s: Array, deviations_s: Array | None
    ) -> tuple[AveragedProcess, float]:
        """What follows from measurements, in the unit of the known devices, and that unit in seconds."""
        _refuse_measurements(measured, times_s, self.items)
        deviations_s = np.zeros_like(times_s) if deviations_s is None else np.nan_to_num(deviations_s, nan=0.0)
        if self._law == "multiplicative":
            return self._hypotheses.posterior(measured, np.log(times_s), (deviations_s / times_s) ** 2), 1.0
        unit_s = float(np.median(times_s / np.maximum(self._known.centre()[measured], _LEAST_SHARE)))
        return self._hypotheses.posterior(measured, times_s / unit_s, (deviations_s / unit_s) ** 2), unit_s

    def _estimates(self, mean: Array, deviation: Array, unit_s: float, inside: npt.NDArray[np.bool_]) -> Estimates:
        if self._law == "multiplicative":
            return Estimates(*LogTimes(mean, deviation).in_seconds(), inside)
        return Estimates(np.maximum(mean, 0) * unit_s, deviation * unit_s, inside)


def _workload_features(workloads: Sequence[Workload]) -> Array:
    """Sizes and kinds of workloads, shape (n, f), scaled so that together they matter as much as one feature."""
    rows = Columns.of(workloads).rows(workloads)
    kinds = rows.kinds[:, None] == np.unique(rows.kinds)
    return np.hstack([rows.values / np.sqrt(max(rows.values.shape[1], 1)), kinds])


def _hypotheses(known: KnownDevices, law: Law) -> Hypotheses:
    """All combinations of: which device it is like, by which description and how much it deviates, and the noise."""
    devices = len(known.times)
    centres = np.vstack([known.times, known.centre()])
    views = [np.column_stack([known.overhead(), view]) for view in known.views]
    choices = itertools.product(range(devices + 1), range(len(views)), _DEVIATIONS, _NOISE)
    like, view, deviation, noise = np.array(list(choices)).T
    speeds = _any_speed(centres) if law == "additive" else _any_factor(centres)
    is_mixture = like == devices
    span = (known.times - known.centre()).T / np.sqrt(max(devices - 1, 1))
    return Hypotheses(
        factors=(*speeds.factors, span, *views),
        variances=np.column_stack(
            [
                speeds.variances[like.astype(np.intp)],
                is_mixture,
                deviation[:, None] ** 2 * (view[:, None] == np.arange(len(views))),
            ]
        ),
        offsets=speeds.offsets,
        offset_of=like.astype(np.intp) % len(speeds.offsets),
        noise=noise,
        # Like one of the devices, or like a mixture of them: one is as likely as the other.
        log_prior=np.where(is_mixture, 0.0, -np.log(devices)) + _log_density_of_noise(noise, known.noise),
    )


class _Speeds(NamedTuple):
    """How the speed of a device enters: kernels, their variances for each device it may be like, and offsets."""

    factors: tuple[Array, ...]
    variances: Array
    offsets: Array


def _any_speed(centres: Array) -> _Speeds:
    """Times of the device it is like, times anything near 1."""
    return _Speeds(tuple(centre[:, None] for centre in centres), np.eye(len(centres)), np.zeros_like(centres[:1]))


def _any_factor(centres: Array) -> _Speeds:
    """Logarithms of the device it is like, plus anything."""
    every = np.ones((centres.shape[1], 1))
    return _Speeds((every,), np.full((len(centres), 1), _LOG_SPEED**2), centres)


def _log_density_of_noise(noise: Array, of_devices: Array) -> Array:
    """How likely a noise is: like that of one of the devices, or like that of none."""
    away = np.log(noise)[:, None] - np.log(of_devices)
    centre = np.log(of_devices).mean()
    like_one = np.exp(-0.5 * (away / _NOISE_WIDTH) ** 2).sum(axis=1) / _NOISE_WIDTH
    like_none = np.exp(-0.5 * ((np.log(noise) - centre) / _ANYTHING_WIDTH) ** 2) / _ANYTHING_WIDTH
    return np.asarray(np.log(like_one + like_none))


def _refuse_misfits(sources_s: Array, features: Sequence[Array]) -> None:
    if sources_s.ndim != 2 or not all(sources_s.shape):
        raise WrongUse(
            f"Known devices need times of shape (devices, items), at least one of each; got {sources_s.shape}."
        )
    wrong = [view.shape for view in features if view.ndim != 2 or len(view) != sources_s.shape[1]]
    if wrong:
        raise WrongUse(
            f"Features need a row for each of the {sources_s.shape[1]} items; got an array of shape {wrong[0]}."
        )


def _refuse_measurements(measured: Indices, times_s: Array, items: int) -> None:
    if len(measured) < LEAST_MEASUREMENTS:
        raise WrongUse(
            f"At least {LEAST_MEASUREMENTS} measurements of the new device are needed, and 10 are better; "
            f"got {len(measured)}. Measure more."
        )
    if measured.shape != times_s.shape or not ((measured >= 0) & (measured < items)).all():
        raise WrongUse(
            f"Measurements need one time for each item, and items from 0 to {items - 1}; got {len(measured)} items and "
            f"{len(times_s)} times."
        )
    if not (np.isfinite(times_s) & (times_s > 0)).all():
        raise WrongUse(f"A measured time must be above 0 s and finite; got {times_s.min()} s. Leave failures out.")
