"""Gradient-boosted trees on physical features, corrected by the errors at neighbours, with conformal intervals.

Three steps, each of which learns what the one before it left over (all on logarithms of times):

1. A roofline: launches, multiply-accumulates and bytes, each at a rate of its own, none of them negative.
2. Trees on ``latency.cost_models.features``. Several are fitted, each without one part of the rows, and averaged; the
   errors at the rows that a part was fitted without are those of new rows.
3. Trees on the same columns and on what those errors are at the nearest measured workloads along each axis
   (``latency.cost_models.neighbours``).

How far off an estimate may be is learned by a third set of trees, from the errors at rows left out, and then scaled so
that nine tenths of rows that nothing was fitted to are covered (split conformal prediction with normalised scores; Lei
and others, Distribution-free predictive inference for regression, JASA 113, 2018, section 5.2). Where few neighbours
were measured errors are larger than the trees have seen, so these rows have a scale of their own, from families of
workloads that were set aside as a whole (conformal prediction by categories; Vovk, Gammerman, Shafer, Algorithmic
Learning in a Random World, 2005, section 4.5). Rows of a family err alike and families are few, so this scale is known
less well: a bound that holds for certain would count families (Lee, Barber, Willett 2023, arXiv 2306.06342), and with
ten of them take the worst error that was seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.features import Features, features
from latency.cost_models.log_times import LogTimes
from latency.cost_models.neighbours import Coordinates, Neighbours
from latency.cost_models.trees import Growth, Trees
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_Z90 = NormalDist().inv_cdf(0.95)

_FOLDS = 3
"""Parts of the rows. More would learn from more rows each, and take longer."""

_MANY_ROWS = 4000
"""From so many rows on, some are set aside to scale the deviations. With fewer, rows are worth more where they teach,
and the errors at rows left out of one part serve, which are a little too large because nothing is averaged there."""

_ROWS_ASIDE, _FAMILIES_ASIDE = 0.03, 0.08
"""Shares of the rows. Their 90 % quantile is known to 3 % of coverage with 120 rows, to 0.6 % with 2300; families need
more, because one may be a hundredth of all rows."""

_ENOUGH = 50
"""Rows without which a 90 % quantile says little."""

_MANY_BINS_FROM = 20_000
"""Rows from which on finer thresholds are worth four times the time that each split takes."""

_BEYOND = 0.2
"""Of the logarithm of a time, for each factor of e by which work or traffic lie beyond all that was measured: there the
trees only repeat what holds at the border, and the roofline goes on alone. A rule of thumb."""

_SEED = 0

_LEAST_ERROR = 1e-4
"""Errors below a hundredth of a percent are luck: their logarithm would say that there are none."""

_DIGITS = 9
"""Of logarithms of times: what is behind comes from rounding, and must not decide between splits."""


@final
@dataclass(frozen=True)
class _Scale:
    """What deviations are multiplied by.

    Attributes:
        usual: where there are as many neighbours as measured workloads have among themselves.
        lonely: where there are fewer than ``few``.
        few: neighbours, as ``Neighbours.columns`` counts them in its last column.
    """

    usual: float
    lonely: float
    few: float

    def __call__(self, neighbours: Array) -> Array:
        """The factor of each row, shape (n,)."""
        return np.where(neighbours < self.few, self.lonely, self.usual)


@final
@dataclass(frozen=True, eq=False)
class _Learned:
    """What a fitted model holds.

    Attributes:
        rates: seconds for each launch, multiply-accumulate and byte, in the order of ``_paid``.
        first: step 2.
        second: step 3.
        spread: the logarithm of how far off the three steps are together.
        scale: by what to multiply that so that 1.645 of it cover nine tenths.
        measured: places of the rows that were learned from.
        errors: of the first two steps there, as logarithms, shape (measured,).
        least: of the logarithms of work and traffic that were measured, shape (2,).
        most: the greatest of them, shape (2,).
    """

    rates: Array
    first: Trees
    second: Trees
    spread: Trees
    scale: _Scale
    measured: Coordinates
    errors: Array
    least: Array
    most: Array


_ARRAYS = ("rates", "errors", "least", "most")


@final
class BoostedTrees(CostModel):
    """For tables of some hundred to a hundred thousand rows; the denser their grid, the better."""

    name = "boosted-trees"
    least_points = 30
    considered_from = 1000

    _learned: _Learned | None = None

    def _fit(self, timings: Timings) -> None:
        workloads, logs = _without_repetitions(timings)
        known, at = features(workloads), Coordinates.of(workloads)
        rates = _rates(known, np.exp(logs))
        wanted = np.round(logs - _roofline(known, rates), _DIGITS)
        columns = np.column_stack([known.values, at["operator"], at.logarithms()])
        split = _Split.of(at)
        learn, growth = split.learn, _growth(len(split.learn))
        first, left = _cross_fitted(columns, wanted, learn, growth)
        errors, measured = (wanted - left)[learn], at.at(learn)
        beside = Neighbours.among(measured, at).columns(errors)
        columns = np.column_stack([columns, left, beside])
        second, correction = _cross_fitted(columns, wanted - left, learn, growth)
        off = np.abs(wanted - left - correction)
        spread, expected = _cross_fitted(columns, np.log(off + _LEAST_ERROR), learn, _growth_of_spread(len(learn)))
        scale = _scale(off / np.exp(expected), beside[:, -1], split)
        extent = _extent(known)
        borders = extent.min(axis=0), extent.max(axis=0)
        self._learned = _Learned(rates, first, second, spread, scale, measured, errors, *borders)

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        learned = self._known()
        known, at = features(workloads), Coordinates.of(workloads, learned.measured.attributes)
        columns = np.column_stack([known.values, at["operator"], at.logarithms()])
        left = learned.first(columns)
        beside = Neighbours.among(learned.measured, at).columns(learned.errors)
        columns = np.column_stack([columns, left, beside])
        mean = _roofline(known, learned.rates) + left + learned.second(columns)
        deviation = learned.scale(beside[:, -1]) * np.exp(learned.spread(columns))
        extent = _extent(known)
        beyond = np.maximum(learned.least - extent, extent - learned.most).max(axis=1)
        return LogTimes(mean, np.hypot(deviation, _BEYOND * np.maximum(beyond, 0.0)))

    def _known(self) -> _Learned:
        if self._learned is None:
            raise ValueError("nothing was learned")
        return self._learned

    def _state(self) -> dict[str, Any]:
        learned = self._known()
        return {
            **{name: getattr(learned, name).tolist() for name in _ARRAYS},
            **{name: getattr(learned, name).to_json() for name in ("first", "second", "spread", "measured")},
            "scale": asdict(learned.scale),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._learned = _Learned(
            **{name: np.array(state[name], dtype=np.float64) for name in _ARRAYS},
            first=Trees.from_json(state["first"]),
            second=Trees.from_json(state["second"]),
            spread=Trees.from_json(state["spread"]),
            scale=_Scale(**{name: float(value) for name, value in state["scale"].items()}),
            measured=Coordinates.from_json(state["measured"]),
        )


def _without_repetitions(timings: Timings) -> tuple[list[Workload], Array]:
    """Different workloads and the mean logarithm of each one's times, shape (different,)."""
    places: dict[Workload, int] = {}
    of_row = np.array([places.setdefault(workload, len(places)) for workload in timings.workloads])
    return list(places), np.bincount(of_row, np.log(timings.time_s)) / np.bincount(of_row)


def _paid(known: Features) -> Array:
    """What the roofline counts, shape (n, 5)."""
    names = ("layers", "dense_macs", "grouped_macs", "weight_bytes")
    activations = np.exp(known["read_bytes"]) + np.exp(known["written_bytes"])
    return np.column_stack([*(np.exp(known[name]) for name in names), activations])


def _extent(known: Features) -> Array:
    """Logarithms of work and traffic, shape (n, 2)."""
    return np.column_stack([known["macs"], known["moved_bytes"]])


def _roofline(known: Features, rates: Array) -> Array:
    """Logarithms of what is paid, shape (n,)."""
    # No matrix product: it may add up in another order where there are more rows.
    return np.asarray(np.log((_paid(known) * rates).sum(axis=1)))


def _rates(known: Features, time_s: Array) -> Array:
    """Seconds for each column of ``_paid``, shape (5,), with the least relative errors and none below 0."""
    from scipy.optimize import nnls

    shares = _paid(known) / time_s[:, None]
    scale = shares.mean(axis=0)
    return np.asarray(nnls(shares / scale, np.ones(len(shares)))[0] / scale)


@final
@dataclass(frozen=True, eq=False)
class _Split:
    """Indices of rows, ascending.

    Attributes:
        learn: to fit to.
        rows: set aside at random.
        families: set aside with all others of the same channels.
    """

    learn: Indices
    rows: Indices
    families: Indices

    @staticmethod
    def of(at: Coordinates) -> _Split:
        if len(at) < _MANY_ROWS:
            none = np.zeros(0, dtype=np.intp)
            return _Split(np.arange(len(at)), none, none)
        rng, family = np.random.default_rng(_SEED), at.families()
        order = rng.permutation(int(family.max()) + 1)
        before = np.cumsum(np.bincount(family)[order])
        in_families = np.isin(family, order[before <= _FAMILIES_ASIDE * len(at)])
        others = rng.permutation(np.flatnonzero(~in_families))
        count = int(_ROWS_ASIDE * len(at))
        rows, learn = np.sort(others[:count]), np.sort(others[count:])
        return _Split(learn, rows, np.flatnonzero(in_families))


def _scale(scores: Array, neighbours: Array, split: _Split) -> _Scale:
    """The scale of deviations, from errors as multiples of what was expected, and counts of neighbours.

    Both are of shape (n,).
    """
    of_usual = scores[split.rows if len(split.rows) else split.learn]
    usual = _conformal_quantile(of_usual) / _Z90
    if not len(split.families):
        return _Scale(usual, usual, 0.0)
    few = float(np.median(neighbours[split.rows]) + np.median(neighbours[split.families])) / 2
    lonely = split.families[neighbours[split.families] < few]
    if len(lonely) < _ENOUGH:
        return _Scale(usual, usual, 0.0)
    return _Scale(usual, max(usual, _conformal_quantile(scores[lonely]) / _Z90), few)


def _growth(count: int) -> Growth:
    """Few small trees where rows are few."""
    return Growth(
        trees=int(np.clip(count // 10, 100, 300)),
        learning_rate=0.1,
        leaves=int(np.clip(count // 40, 8, 63)),
        least_rows=int(np.clip(count // 50, 3, 10)),
        bins=255 if count >= _MANY_BINS_FROM else 63,
    )


def _growth_of_spread(count: int) -> Growth:
    return Growth(
        trees=60,
        learning_rate=0.1,
        leaves=int(np.clip(count // 100, 2, 31)),
        least_rows=20,
        bins=63,
    )


def _cross_fitted(columns: Array, values: Array, rows: Indices, growth: Growth) -> tuple[Trees, Array]:
    """The mean of trees that were each fitted without one part of ``rows``, and what is said of all rows.

    Returns:
        The trees, and an array of shape (n,): of ``rows`` what the trees say that were fitted without them, of others
        what all say together.
    """
    part = np.random.default_rng(_SEED + 1).permutation(len(rows)) % _FOLDS
    ensemble, said = [], np.zeros(len(columns))
    for fold in range(_FOLDS):
        without, left_out = rows[part != fold], rows[part == fold]
        ensemble.append(Trees.learned(columns[without], values[without], growth))
        said[left_out] = ensemble[-1](columns[left_out])
    together = Trees.mean(ensemble)
    others = np.setdiff1d(np.arange(len(columns)), rows)
    said[others] = together(columns[others])
    return together, said


def _conformal_quantile(scores: Array) -> float:
    """The score that nine tenths of new ones do not exceed, from scores of the same kind."""
    level = min(1.0, 0.9 * (1 + 1 / len(scores)))
    return float(np.quantile(scores, level, method="higher"))
