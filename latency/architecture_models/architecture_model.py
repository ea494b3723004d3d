"""Latency of whole architectures, learned from architectures that were measured whole.

For search spaces that are known only as pairs of an architecture and its latency, with no time of any block. If the
latencies are sums by construction, as tables are that somebody added up, they are found exactly. If they were measured,
whichever form predicts architectures best that it has not seen is taken, and the plainer one in doubt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency.architecture_models.codes import ArchitectureCodes
from latency.architecture_models.forms import Form, SumForm, forms_of
from latency.architecture_models.grouped_regression import LinearFit
from latency.architecture_models.serial_noise import latest_level
from latency.estimate import Estimates

Array: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]
Level: TypeAlias = Literal["usual", "latest"]

LEAST_ARCHITECTURES = 30
"""With fewer, the width of 90 % intervals would hang on the two or three largest errors."""

SCHEMA = 1
"""Of ``to_json``: 1 has the fields of ``ArchitectureModel``, times in seconds."""

_KIND = "architecture model"
_FOLDS = 5
_AHEAD = 2
"""Stretches of time that are predicted from those before them, to see how far a drift leads astray."""

_NEGLIGIBLE = 1e-3
"""Least deviation, as a share of the usual one: a prediction may be 0 s, its deviation must not be."""

_EXACT = 1e-9
"""Relative error up to which a latency is a sum: clocks are a thousand times coarser, and rounding is finer."""

_BEYOND = 0.1
"""How far outside of what was seen a number may be and still be inside, as a share of the range of its column."""

_CONFIDENCE = 0.9
_Z90 = 1.6448536269514722


@final
@dataclass(frozen=True, eq=False)
class ArchitectureModel:
    """Latencies of architectures on one device.

    Attributes:
        form: which one was taken: ``sum``, ``additive`` or ``grouped``, see ``latency.architecture_models.forms``.
        fit: what each column adds.
        widening: by which factor the noise is wider than the fit has it, so that intervals hold what they promise.
        usual_s: median latency of what was learned from, in seconds.
        groups: group of each column, as of the codes that were learned from.
        main: how many of the columns are main ones.
        lowest: least number of each column that was learned from, shape (columns,).
        highest: the greatest, likewise.
        architectures: how many were learned from.
        left_out: root mean square relative error of each form on architectures that it had not seen.
    """

    form: str
    fit: LinearFit
    widening: float
    usual_s: float
    groups: tuple[str, ...]
    main: int
    lowest: Array
    highest: Array
    architectures: int
    left_out: Mapping[str, float] = field(default_factory=dict)

    def estimate(self, codes: ArchitectureCodes) -> Estimates:
        """How long architectures take; inside are those with nothing but what was seen when learning.

        Raises:
            WrongUse: the codes have other columns than those that were learned from.
        """
        if (codes.groups, codes.main) != (self.groups, self.main):
            raise WrongUse(
                "Architectures must be coded as those that were learned from, with "
                f"{_summary(self.groups, self.main)}; got {_summary(codes.groups, codes.main)}. Use the same encoder."
            )
        mean_s = self.fit.mean_s(codes.values)
        deviation_s = self.fit.deviation_s(codes.values - self.lowest, mean_s, self.widening)
        least_s = self.widening * self.fit.noise * _NEGLIGIBLE * self.usual_s
        margin = _BEYOND * (self.highest - self.lowest)
        inside = (codes.values >= self.lowest - margin) & (codes.values <= self.highest + margin)
        return Estimates(mean_s, np.maximum(deviation_s, least_s), np.asarray(inside.all(axis=1)))

    def to_json(self) -> dict[str, Any]:
        """The model as plain values."""
        return {
            "schema": SCHEMA,
            "kind": _KIND,
            "form": self.form,
            "fit": self.fit.to_json(),
            "widening": self.widening,
            "usual_s": self.usual_s,
            "groups": list(self.groups),
            "main": self.main,
            "lowest": self.lowest.tolist(),
            "highest": self.highest.tolist(),
            "architectures": self.architectures,
            "left_out": dict(self.left_out),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ArchitectureModel:
        """Rebuild what ``to_json`` gave.

        Raises:
            WrongUse: it is something else, or was written by a newer paceline.
        """
        if values.get("kind") != _KIND or values.get("schema") != SCHEMA:
            raise WrongUse(
                f"A saved architecture model must have kind {_KIND!r} and schema {SCHEMA}; got "
                f"{values.get('kind')!r} and {values.get('schema')!r}. Update paceline, or fit the model again."
            )
        try:
            return _restored(values)
        except (KeyError, TypeError, ValueError) as error:
            raise WrongUse(
                f"What was saved of an architecture model must be what it gave; {type(error).__name__}: {error}. "
                "Fit it again, and save it."
            ) from error


@final
@dataclass(frozen=True, eq=False)
class _LeftOut:
    """What a form says of architectures that it was not fitted to, in the order of the rows it was asked for.

    Attributes:
        rows: which they are, shape (n,).
        errors: predicted / measured - 1, shape (n,).
        deviations_off: by how many of its own standard deviations each prediction is off, shape (n,).
    """

    rows: Rows
    errors: Array
    deviations_off: Array

    @property
    def root_mean_square(self) -> float:
        return float(np.sqrt(np.mean(self.errors**2)))

    @property
    def widening(self) -> float:
        """What makes 90 % intervals hold nine tenths of these (split conformal, Lei et al. 2018, section 2.2)."""
        share = min(math.ceil((len(self.rows) + 1) * _CONFIDENCE) / len(self.rows), 1.0)
        return float(np.quantile(self.deviations_off, share, method="higher")) / _Z90


def fit_architectures(
    codes: ArchitectureCodes, time_s: Array, order: Array | None = None, level: Level = "usual"
) -> ArchitectureModel:
    """Learn from architectures that were measured whole.

    Args:
        codes: what they are made of, n of them.
        time_s: their latencies on one device, shape (n,), in seconds.
        order: when each was measured: whole numbers that count up by 1 from one measurement to the next, shape (n,).
            With it, what the device did in the meantime (clocks, heat, other load) is told from what architectures do,
            and intervals hold for architectures that are measured at other times. None where nobody knows.
        level: whether estimates are for the device as it was on average ("usual"), or as it was at the end where it
            drifts so clearly that this predicts what came next better ("latest", which needs the order).

    Returns:
        The model; the same for the same input.

    Raises:
        WrongUse: there are fewer than 30, lengths differ, a latency is not positive and finite, a place in the order
            is no whole number or occurs twice, or the latest level is wanted of an unknown order.
    """
    _refuse_unusable(codes, time_s, order)
    if level == "latest" and order is None:
        raise WrongUse(
            "The latest level needs the order of the measurements; got none. Give the order, or level='usual'."
        )
    rows = _Rows(codes, time_s, order)
    folds = rows.folds()
    exact = rows.left_out(SumForm(), [(rows.others(folds[0]), folds[0])])
    if _is_sum(codes, exact):
        return _model(SumForm(), SumForm().fit(codes, time_s, order), rows, exact.widening, {SumForm.name: exact})
    forms = forms_of(codes, time_s, order)
    tried = {form.name: rows.left_out(form, [(rows.others(fold), fold) for fold in folds]) for form in forms}
    form = forms[_chosen([found.errors for found in tried.values()])]
    widening = tried[form.name].widening
    if level == "latest":
        level, widening = rows.level_ahead(form, folds)
    return _model(form, rows.fit(form, level), rows, widening, tried)


@final
@dataclass(frozen=True, eq=False)
class _Rows:
    """What is learned from."""

    codes: ArchitectureCodes
    time_s: Array
    order: Array | None

    def folds(self) -> list[Rows]:
        """Rows to leave out together: stretches of time where it is known, for neighbours share what disturbed them."""
        shuffled = np.random.default_rng(0).permutation(len(self.codes))
        return np.array_split(shuffled if self.order is None else np.argsort(self.order, kind="stable"), _FOLDS)

    def others(self, fold: Rows) -> Rows:
        return np.setdiff1d(np.arange(len(self.codes)), fold)

    def fit(self, form: Form, level: Level = "usual", kept: Rows | None = None) -> LinearFit:
        """``form`` fitted to the rows that are kept, to all by default."""
        chosen = np.arange(len(self.codes)) if kept is None else kept
        codes, time_s = self.codes[chosen], self.time_s[chosen]
        order = None if self.order is None else self.order[chosen]
        fit = form.fit(codes, time_s, order)
        if level == "usual" or order is None:
            return fit
        mean_s = fit.mean_s(codes.values)
        known = mean_s > 0
        return fit.times(latest_level(time_s[known] / mean_s[known] - 1, order[known]))

    def level_ahead(self, form: Form, folds: list[Rows]) -> tuple[Level, float]:
        """Which level predicts stretches of time from those before them better, and how far its intervals must widen.

        A device that jumps between states may seem to drift; following it then leads astray.
        """
        ahead = [(np.concatenate(folds[:at]), folds[at]) for at in range(_FOLDS - _AHEAD, _FOLDS)]
        levels: tuple[Level, Level] = ("usual", "latest")
        found = [self.left_out(form, ahead, level) for level in levels]
        better = _chosen([each.errors for each in found])
        return levels[better], found[better].widening

    def left_out(self, form: Form, splits: list[tuple[Rows, Rows]], level: Level = "usual") -> _LeftOut:
        """What ``form`` says of the second rows of each split when it is fitted to the first ones."""
        errors, deviations_off = [], []
        for kept, left in splits:
            fit = self.fit(form, level, kept)
            values, time_s = self.codes.values[left], self.time_s[left]
            mean_s = fit.mean_s(values)
            errors.append(mean_s / time_s - 1)
            beyond = values - self.codes.values[kept].min(axis=0)
            deviation_s = np.maximum(fit.deviation_s(beyond, mean_s), fit.noise * _NEGLIGIBLE * time_s)
            deviations_off.append(np.abs(mean_s - time_s) / deviation_s)
        rows = np.concatenate([left for _, left in splits])
        return _LeftOut(rows, np.concatenate(errors), np.concatenate(deviations_off))


def _is_sum(codes: ArchitectureCodes, left_out: _LeftOut) -> bool:
    """Whether those left out are sums of what the others have; a column that no other has says nothing."""
    others = np.delete(codes.values, left_out.rows, axis=0)
    known = ((codes.values[left_out.rows] == 0) | (others != 0).any(axis=0)).all(axis=1)
    return bool(known.any() and np.abs(left_out.errors[known]).max() <= _EXACT)


def _chosen(errors: list[Array]) -> int:
    """The plainest whose mean square error is within one standard error of the best one's (Breiman et al. 1984)."""
    squares = [error**2 for error in errors]
    best = min(squares, key=lambda square: float(square.mean()))
    worse = [square - best for square in squares]
    return next(i for i, more in enumerate(worse) if more.mean() <= more.std() / math.sqrt(len(more)))


def _model(
    form: Form, fit: LinearFit, rows: _Rows, widening: float, tried: Mapping[str, _LeftOut]
) -> ArchitectureModel:
    return ArchitectureModel(
        form=form.name,
        fit=fit,
        widening=widening,
        usual_s=float(np.median(rows.time_s)),
        groups=rows.codes.groups,
        main=rows.codes.main,
        lowest=rows.codes.values.min(axis=0),
        highest=rows.codes.values.max(axis=0),
        architectures=len(rows.codes),
        left_out={name: found.root_mean_square for name, found in tried.items()},
    )


def _refuse_unusable(codes: ArchitectureCodes, time_s: Array, order: Array | None) -> None:
    if len(codes) < LEAST_ARCHITECTURES or time_s.shape != (len(codes),):
        raise WrongUse(
            f"Learning latencies of architectures needs at least {LEAST_ARCHITECTURES} of them and one latency for "
            f"each; got {len(codes)} and latencies of shape {time_s.shape}. Measure more."
        )
    wrong = np.flatnonzero(~(np.isfinite(time_s) & (time_s > 0)))
    if len(wrong):
        raise WrongUse(
            f"Every latency must be finite and above 0 s; {len(wrong)} are not, the first is {time_s[wrong[0]]} s in "
            f"row {wrong[0]}. Leave out what was not measured."
        )
    if order is not None and (
        order.shape != time_s.shape or (order != np.round(order)).any() or len(np.unique(order)) != len(order)
    ):
        raise WrongUse(
            f"The order needs one whole number for each of the {len(time_s)} latencies, and none twice; got shape "
            f"{order.shape} with {len(np.unique(order))} different numbers. Leave it out where it is not known."
        )


def _restored(values: Mapping[str, Any]) -> ArchitectureModel:
    lowest, highest = (np.array(values[name], dtype=np.float64) for name in ("lowest", "highest"))
    fit, groups = LinearFit.from_json(values["fit"]), tuple(values["groups"])
    if not len(groups) == len(lowest) == len(highest) == len(fit.weight_s) == len(fit.variance_s2):
        raise ValueError(f"there are {len(groups)} columns and {len(fit.weight_s)} weights")
    return ArchitectureModel(
        form=str(values["form"]),
        fit=fit,
        widening=float(values["widening"]),
        usual_s=float(values["usual_s"]),
        groups=groups,
        main=int(values["main"]),
        lowest=lowest,
        highest=highest,
        architectures=int(values["architectures"]),
        left_out=dict(values["left_out"]),
    )


def _summary(groups: tuple[str, ...], main: int) -> str:
    counted = ", ".join(f"{groups.count(name)} of {name!r}" for name in dict.fromkeys(groups))
    return f"columns {counted}, the first {main} main ones"
