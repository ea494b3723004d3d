"""The contract of a cost model: learn from measured times, say how long workloads take and how sure that is.

A subclass works on logarithms of seconds, where errors of times that span five orders of magnitude are alike and no
estimate can be negative. The base checks what comes in, knows what was measured (``latency.cost_models.domain``) and
turns logarithms into seconds, so that all of this is the same for every model.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency.cost_models.domain import Domain
from latency.cost_models.log_times import LogTimes
from latency.estimate import Estimates
from latency.measurement import Measurement
from latency.operators import operator_of
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Timings:
    """Measured times of workloads, on one device with one runtime: what a cost model learns from.

    Attributes:
        workloads: what was timed; none of them free.
        time_s: their times, shape (n,), seconds.
        standard_deviation_s: how far off each time may be, shape (n,), seconds; NaN where nobody knows.

    Raises:
        WrongUse: the lengths differ, a time is not positive and finite, a deviation is negative or infinite, or a
            workload is of an unknown operator or a free one.
    """

    workloads: tuple[Workload, ...]
    time_s: Array
    standard_deviation_s: Array

    def __post_init__(self) -> None:
        lengths = (len(self.workloads), *self.time_s.shape, *self.standard_deviation_s.shape)
        if len(lengths) != 3 or len(set(lengths)) != 1:
            raise WrongUse(
                "Timings need one time and one deviation for each workload, as arrays of shape (n,); got "
                f"{lengths[0]} workloads, times {self.time_s.shape} and deviations {self.standard_deviation_s.shape}."
            )
        self._refuse(~(np.isfinite(self.time_s) & (self.time_s > 0)), self.time_s, "a time above 0 s and finite")
        wrong = (self.standard_deviation_s < 0) | np.isinf(self.standard_deviation_s)
        self._refuse(wrong, self.standard_deviation_s, "a finite deviation of at least 0 s, or NaN where unknown")
        free = np.array([operator_of(workload).is_free for workload in self.workloads], dtype=np.bool_)
        self._refuse(free, self.time_s, "an operator that leaves a trace in a network")

    def _refuse(self, wrong: npt.NDArray[np.bool_], values: Array, needed: str) -> None:
        if wrong.any():
            first = int(wrong.argmax())
            raise WrongUse(
                f"Every row to learn from needs {needed}; {int(wrong.sum())} of {len(self)} have not, the first is "
                f"{self.workloads[first].describe()} with {values[first]:.4g} s. Leave it out or measure it again."
            )

    def __len__(self) -> int:
        return len(self.workloads)

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Timings:
        """The rows of these indices, in their order."""
        chosen = tuple(self.workloads[row] for row in rows)
        return Timings(chosen, self.time_s[rows], self.standard_deviation_s[rows])

    @property
    def relative_deviation(self) -> Array:
        """Deviations as shares of the times, shape (n,); NaN where nobody knows. Also that of the logarithms."""
        return np.asarray(self.standard_deviation_s / self.time_s)

    @staticmethod
    def of(measurements: Iterable[Measurement]) -> Timings:
        """Times and deviations of ``measurements``; those of free workloads are passed over."""
        timed = [found for found in measurements if not operator_of(found.workload).is_free]
        estimates = [found.estimate() for found in timed]
        return Timings(
            tuple(found.workload for found in timed),
            np.array([known.mean_s for known in estimates], dtype=np.float64),
            np.array([known.standard_deviation_s for known in estimates], dtype=np.float64),
        )


class CostModel(abc.ABC):
    """Learns times of workloads and estimates those of others.

    A subclass has a ``name`` and says from how many points on it works; it implements ``_fit`` and ``_log_times``, and
    ``_state`` and ``_restore`` for saving. It is constructed without arguments. Nothing it learns may depend on the
    order of rows (they arrive sorted) or on chance (seeds are constants), and times that are all k times as long must
    give estimates k times as long.
    """

    name: ClassVar[str]
    """Name in the registry and in files."""

    least_points: ClassVar[int]
    """With fewer measured workloads it cannot be fitted."""

    considered_from: ClassVar[int] = 0
    """With fewer measured workloads the automatic choice leaves it out: others are as good then, and much quicker."""

    prior_rows: ClassVar[float] = 0.0
    """How many rows' worth of belief the automatic choice has in this model before it looks at any."""

    _domain: Domain | None = None

    @abc.abstractmethod
    def _fit(self, timings: Timings) -> None:
        """Learn from at least ``least_points`` rows, and forget what was learned before."""

    @abc.abstractmethod
    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        """Logarithms of the times of at least one workload, none of them free; only called when fitted."""

    @abc.abstractmethod
    def _state(self) -> dict[str, Any]:
        """What was learned, as plain values for JSON."""

    @abc.abstractmethod
    def _restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``_state`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is not what ``_state`` gives. The caller says so in words.
        """

    @final
    @property
    def is_fitted(self) -> bool:
        """Whether it has learned anything."""
        return self._domain is not None

    @final
    def fit(self, timings: Timings) -> Self:
        """Learn from ``timings`` alone; what was learned before is forgotten.

        Returns:
            The model itself.

        Raises:
            WrongUse: there are fewer different workloads than ``least_points``.
        """
        different = len(set(timings.workloads))
        if different < self.least_points:
            raise WrongUse(
                f"The cost model {self.name!r} needs at least {self.least_points} different workloads with measured "
                f"times; got {different}. Measure more, or use a model that needs fewer."
            )
        ordered = timings[np.lexsort((timings.time_s, np.array([workload.digest for workload in timings.workloads])))]
        self._fit(ordered)
        self._domain = Domain.of(ordered.workloads)
        return self

    @final
    def estimate(self, workloads: Sequence[Workload]) -> Estimates:
        """How long ``workloads`` take, each for itself; a free one takes 0 s for certain.

        Raises:
            WrongUse: the model is not fitted, or a workload is of an unknown operator.
        """
        timed = np.array([not operator_of(workload).is_free for workload in workloads], dtype=np.bool_)
        chosen = [workload for workload, takes_time in zip(workloads, timed, strict=True) if takes_time]
        mean_s, deviation_s = np.zeros(len(workloads)), np.zeros(len(workloads))
        inside = np.ones(len(workloads), dtype=np.bool_)
        mean_s[timed], deviation_s[timed] = self.log_times(chosen).in_seconds()
        inside[timed] = self._known_domain().has(chosen)
        return Estimates(mean_s, deviation_s, inside)

    @final
    def log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        """The same as logarithms: what models are compared by, and what can be told of times that none is free.

        Raises:
            WrongUse: the model is not fitted, or a workload is free or of an unknown operator.
        """
        self._known_domain()
        free = [workload for workload in workloads if operator_of(workload).is_free]
        if free:
            raise WrongUse(f"A workload must take time to have a logarithm; {free[0].describe()} takes none.")
        if not workloads:
            return LogTimes(np.zeros(0), np.zeros(0))
        found = self._log_times(workloads)
        if len(found) != len(workloads) or not np.isfinite([found.mean, found.standard_deviation]).all():
            raise ArithmeticError(f"The cost model {self.name!r} must give a finite number for each workload.")
        return found

    @final
    def to_json(self) -> dict[str, Any]:
        """What was learned, as plain values; ``latency.cost_models.files`` puts it in a file.

        Raises:
            WrongUse: the model is not fitted.
        """
        return {"domain": self._known_domain().to_json(), "state": self._state()}

    @final
    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild what ``to_json`` gave.

        Raises:
            WrongUse: a field is missing, or holds something else than ``to_json`` gives.
        """
        model = cls()
        try:
            model._restore(values["state"])
            model._domain = Domain.from_json(values["domain"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            raise WrongUse(
                f"What was saved of a cost model {cls.name!r} must be what it gave; {type(error).__name__}: {error}. "
                "Fit it again, and save it."
            ) from error
        return model

    def _known_domain(self) -> Domain:
        if self._domain is None:
            raise WrongUse(
                f"The cost model {self.name!r} must be fitted before it can be used: call fit(timings), with at least "
                f"{self.least_points} measured workloads."
            )
        return self._domain


def unknown_deviations_filled(relative_deviation: Array) -> Array:
    """Relative deviations with the unknown ones replaced by the median of the others, or by 0 where none is known."""
    known = relative_deviation[np.isfinite(relative_deviation)]
    usual = float(np.median(known)) if len(known) else 0.0
    return np.where(np.isfinite(relative_deviation), relative_deviation, usual)
