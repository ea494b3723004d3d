"""Known devices, made ready to learn about another one from: complete, of one speed, and with the noise of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse

Array: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

_STRENGTHS = (0.01, 0.03, 0.1, 0.3)
"""What a unit of a feature may cost, as shares of a device's mean time."""

_NOISES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_LEAST_NOISE = 1e-3
"""No clock is better; and a table of sums has none at all."""

_USUAL_NOISE = 0.1
"""Of the times of blocks, where only one device is known: kernels of two devices differ by about so much."""

_Z90 = 1.6448536269514722


@final
@dataclass(frozen=True, eq=False)
class KnownDevices:
    """Known devices at one common speed.

    Attributes:
        times: shape (devices, items): shares of the device's mean time, or logarithms around its mean logarithm.
        noise: how much each deviates from what is foreseeable, in the same unit, shape (devices,).
        views: descriptions of the items, at least one, each of shape (items, f).
        is_inside: whether an item lies inside what was measured on some device, shape (items,).
        is_logarithm: whether times are logarithms.
    """

    times: Array
    noise: Array
    views: tuple[Array, ...]
    is_inside: Flags
    is_logarithm: bool

    def centre(self) -> Array:
        """The mean device, shape (items,)."""
        return np.asarray(self.times.mean(axis=0))

    def overhead(self) -> Array:
        """By what every device may deviate, whatever the items are, shape (items,).

        A fixed time; or a slope of logarithms, which is what a fixed time does to them.
        """
        return self.centre() if self.is_logarithm else np.ones(self.times.shape[1])


def additive_devices(sources_s: Array, features: Sequence[Array]) -> KnownDevices:
    """Devices whose times are sums of what features cost, completed and freed of noise by these.

    Args:
        sources_s: shape (devices, items), seconds; NaN where an item was not measured.
        features: as ``DeviceTransfer`` has them, at least one.

    Raises:
        WrongUse: there are no features, or a device has no time above 0 s.
    """
    if not features:
        raise WrongUse("The additive law needs features: what the times are sums of. Or take the multiplicative law.")
    known = np.isfinite(sources_s)
    if (sources_s[known] < 0).any() or not (np.where(known, sources_s, 0).max(axis=1) > 0).all():
        raise WrongUse("Each known device needs times of at least 0 s, and one above 0 s. Leave out what failed.")
    fits = [_fitted(times_s, features) for times_s in sources_s]
    return KnownDevices(
        times=np.array([times for times, _ in fits]),
        noise=np.array([noise for _, noise in fits]),
        views=tuple(features),
        is_inside=_is_inside(np.hstack(features), np.asarray(known.any(axis=0))),
        is_logarithm=False,
    )


def _is_inside(features: Array, measured: Flags) -> Flags:
    """Whether no feature is smaller or larger than in anything that was measured."""
    lowest, highest = features[measured].min(axis=0), features[measured].max(axis=0)
    return np.asarray(((features >= lowest) & (features <= highest)).all(axis=1))


def _fitted(times_s: Array, features: Sequence[Array]) -> tuple[Array, float]:
    """A device's times by features alone, as shares of their mean, and the noise around them.

    How much each description matters, and how large the noise is, is what has the most evidence.
    """
    known = np.isfinite(times_s)
    shares = times_s[known] / times_s[known].mean()
    every = np.ones((len(times_s), 1))
    fits = []
    for strengths in itertools.product(_STRENGTHS, repeat=len(features)):
        design = np.hstack([every, *(s * view for s, view in zip(strengths, features, strict=True))])
        fits.append(_ridge(design, known, shares))
    fitted = max(fits, key=lambda fit: fit.evidence).fitted
    return fitted / fitted.mean(), _noise(fitted[known] - shares)


def _noise(residuals: Array) -> float:
    """The standard deviation of a Gaussian with nine tenths within the same limits: far outliers do not count."""
    return max(float(np.quantile(np.abs(residuals), 0.9)) / _Z90, _LEAST_NOISE)


class _Fit(NamedTuple):
    evidence: float
    fitted: Array


def _ridge(design: Array, known: Flags, seen: Array) -> _Fit:
    """A linear model with weights of variance 1, at the noise with the most evidence.

    Rasmussen and Williams 2006, equations 2.8 and 5.8, in the eigenbasis of the design.
    """
    rows = design[known]
    values, vectors = np.linalg.eigh(rows.T @ rows)
    values = np.maximum(values, 0)
    projected = vectors.T @ (rows.T @ seen)

    def at(variance: float) -> tuple[float, Array]:
        weights = projected / (values + variance)
        rest = (seen @ seen - projected @ weights) / variance
        evidence = -0.5 * (rest + np.log1p(values / variance).sum() + len(seen) * np.log(variance))
        return float(evidence), weights

    evidence, weights = max((at(noise**2) for noise in _NOISES), key=lambda found: found[0])
    return _Fit(evidence, design @ (vectors @ weights))


def multiplicative_devices(sources_s: Array, features: Sequence[Array]) -> KnownDevices:
    """Devices whose times differ by factors, taken as they are.

    Args:
        sources_s: shape (devices, items), seconds, complete.
        features: as ``DeviceTransfer`` has them, or none.

    Raises:
        WrongUse: a time is missing or not positive.
    """
    wrong = ~(np.isfinite(sources_s) & (sources_s > 0))
    if wrong.any():
        raise WrongUse(
            f"Known devices need a time above 0 s of every item; {int(wrong.any(axis=0).sum())} of {wrong.shape[1]} "
            "items lack one. Leave them out."
        )
    logarithms = np.log(sources_s)
    logarithms -= logarithms.mean(axis=1, keepdims=True)
    views = tuple(features) or (np.zeros((sources_s.shape[1], 0)),)
    noise = np.array([_surprise(logarithms, device, views) for device in range(len(logarithms))])
    return KnownDevices(
        logarithms, noise, views, is_inside=np.ones(sources_s.shape[1], dtype=np.bool_), is_logarithm=True
    )


def _surprise(logarithms: Array, device: int, views: Sequence[Array]) -> float:
    """How far a device lies from what the others and the features say of it."""
    others = np.delete(logarithms, device, axis=0)
    if not len(others):
        return _USUAL_NOISE
    rest = logarithms[device] - others.mean(axis=0)
    fit = _ridge(np.column_stack([np.ones_like(rest), *others, *views]), np.ones(len(rest), dtype=np.bool_), rest)
    return _noise(rest - fit.fitted)
