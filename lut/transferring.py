"""A table for a new device from tables of other devices and a few measurements. Times and fits nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency import (
    LEAST_MEASUREMENTS,
    DeviceTransfer,
    Environment,
    Estimate,
    Failure,
    Measurement,
    Measurer,
    SamplingPlan,
    Workload,
    is_network,
)
from lut.filling import FillSummary, Progress, Start, fill
from lut.lookup import measurable, misfit
from lut.rows import Unmeasured
from lut.table import Table
from lut.table_file import TableWriter

Array: TypeAlias = npt.NDArray[np.float64]

_LEAST_LEFT_OUT = LEAST_MEASUREMENTS + 1
"""From so many measurements on, each can be predicted by the others."""


@final
@dataclass(frozen=True, eq=False)
class SourceTimes:
    """What tables of other devices have in common.

    Attributes:
        workloads: those that every table has a time of.
        time_s: shape (tables, workloads), seconds.
        environments: where each table's times come from.
        left_out: workloads that some tables have a time of and others do not.
        unbuildable: workloads that tables have a time of, but no operator of this program is called so or takes their
            attributes. They could not be measured on the new device, and nothing is known of what they compute.
    """

    workloads: tuple[Workload, ...]
    time_s: Array
    environments: tuple[Environment, ...]
    left_out: int
    unbuildable: int = 0

    @staticmethod
    def of(tables: Mapping[str, Table], precision: str) -> SourceTimes:
        """The times of blocks that all tables have, in one number format.

        Measured and reported times count. Predicted ones do not: what they tell is known from what they rest on. Nor do
        those from peak figures, which tell of no device.

        Args:
            tables: by name, as messages shall call them.
            precision: the number format that the new device is measured in.

        Raises:
            WrongUse: there is no table, two are of one device and runtime, one has nothing in this number format or
                nothing that can be built here, or nothing is common to all.
        """
        if not tables:
            raise WrongUse("A transfer needs the table of at least one other device.")
        environments = {name: table.environment() for name, table in tables.items()}
        _refuse_twins(environments)
        timed = {name: _known_s(table, environments[name]) for name, table in tables.items()}
        unbuildable = _unbuildable(set().union(*timed.values()))
        known = {name: _built_here(name, times_s, unbuildable) for name, times_s in timed.items()}
        for name, times_s in known.items():
            _refuse_other_precision(name, times_s, precision)
        wanted = [{w for w in times_s if w.precision == precision} for times_s in known.values()]
        first = next(iter(known.values()))
        common = tuple(w for w in first if all(w in found for found in wanted))
        if not common:
            sizes = ", ".join(f"{name} has {len(found)}" for name, found in zip(known, wanted, strict=True))
            raise WrongUse(
                f"The tables have no block in common ({sizes} in {precision}). Fill them for the same space, input "
                "size and classes with `profile-device`, or leave out the one that was filled for another."
            )
        time_s = np.array([[times_s[workload] for workload in common] for times_s in known.values()])
        return SourceTimes(
            workloads=common,
            time_s=time_s,
            environments=tuple(environments.values()),
            left_out=len(set().union(*wanted)) - len(common),
            unbuildable=sum(workload.precision == precision for workload in unbuildable),
        )


def _known_s(table: Table, environment: Environment) -> dict[Workload, float]:
    """Times above 0 s that somebody took."""
    rows = [outcome.workload for outcome in table.values()] + [row.workload for row in table.unmeasured()]
    known = {workload: table.estimate(workload, environment) for workload in rows if not is_network(workload)}
    taken = {w: found.mean_s for w, found in known.items() if found and found.source not in ("predicted", "roofline")}
    return {workload: time_s for workload, time_s in taken.items() if time_s > 0}


def _unbuildable(workloads: Iterable[Workload]) -> frozenset[Workload]:
    """Those that no operator takes, as in tables that others published with their own names."""
    return frozenset(workload for workload in workloads if misfit(workload))


def _built_here(name: str, times_s: Mapping[Workload, float], unbuildable: Set[Workload]) -> dict[Workload, float]:
    """Times of what can be built and takes any time, in the order of the table."""
    built = [workload for workload in times_s if workload not in unbuildable]
    if times_s and not built:
        operators = ", ".join(sorted({workload.operator for workload in times_s}))
        raise WrongUse(
            f"{name} has times of {operators} alone, as its blocks are named there, and no block that can be built and "
            "measured on the new device. Leave it out, or give tables that `profile-device` filled."
        )
    return {workload: times_s[workload] for workload in measurable(built)}


def _refuse_twins(environments: Mapping[str, Environment]) -> None:
    names = dict[str, str]()
    for name, environment in environments.items():
        twin = names.setdefault(environment.digest, name)
        if twin != name:
            raise WrongUse(
                f"{twin} and {name} are of the same device and runtime ({environment.describe()}); the second teaches "
                "nothing. Give one of them."
            )


def _refuse_other_precision(name: str, times_s: Mapping[Workload, float], precision: str) -> None:
    found = sorted({workload.precision for workload in times_s})
    if not times_s:
        raise WrongUse(
            f"{name} has no measured block to learn from. Leave it out, or give a table that `profile-device` measured."
        )
    if precision not in found:
        raise WrongUse(
            f"{name} has blocks in {', '.join(found)}, and the new device is to be measured in {precision}. Give "
            f"--precision {found[0]}, or fill {name} in {precision}, too."
        )


@final
@dataclass(frozen=True, eq=False)
class LeftOut:
    """Each measured workload, predicted from the other measurements.

    Attributes:
        mean_error: mean of |predicted / measured - 1|.
        coverage: share of them in their 90 % interval.
    """

    mean_error: float
    coverage: float


@final
@dataclass(frozen=True, eq=False)
class TransferSummary:
    """What a transfer did.

    Attributes:
        fill: what was measured in the last pass, and all failures.
        measured: workloads that are measured on the new device.
        predicted: what was predicted and is in the table now.
        kept: how many times that others reported of the new device are in the table and were left as they are.
        left_out: how well measured ones are predicted from each other; None where there are too few.
    """

    fill: FillSummary
    measured: tuple[Workload, ...]
    predicted: Mapping[Workload, Estimate]
    kept: int
    left_out: LeftOut | None


def fill_from_sources(
    writer: TableWriter,
    start: Start,
    sources: SourceTimes,
    count: int,
    plan: SamplingPlan,
    *,
    seed: int = 0,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> TransferSummary:
    """Measure the workloads that tell most about all others, and predict these.

    What the table has already counts, and the same call goes on where an interrupted one was. In the place of a
    workload that fails another one is measured. A time that others reported of the new device is better than a
    prediction, which never takes its place.

    Args:
        writer: the table of the new device.
        start: starts the process of a round; the environment must be the table's, and none of the sources'.
        sources: times on other devices.
        count: how many workloads to measure.
        plan: how to sample.
        seed: of the orders.
        tell: called before the first and after every burst.

    Raises:
        WrongUse: fewer than three are asked for, or could be measured; the new device is one of the sources; the
            table's rows come from another environment.
        NotAvailable: the runtime is missing.
        OSError: as ``fill``.
    """
    if count < LEAST_MEASUREMENTS:
        raise WrongUse(
            f"At least {LEAST_MEASUREMENTS} blocks must be measured to tell a new device from the others, and 10 are "
            f"better; got {count}."
        )
    return _Transfer(writer, _refusing(start, sources.environments), sources, count, plan, seed, tell).run()


def _refusing(start: Start, known: Sequence[Environment]) -> Start:
    """The same, but refuses to measure what is known."""

    @contextmanager
    def started(usual_s: Mapping[str, float]) -> Iterator[Measurer]:
        with start(usual_s) as process:
            if process.environment.digest in {environment.digest for environment in known}:
                raise WrongUse(
                    f"One of the tables is of this very device and runtime ({process.environment.describe()}): its "
                    "times need no prediction. Leave it out of --from."
                )
            yield process

    return started


@final
class _Transfer:
    """One run of ``fill_from_sources``."""

    def __init__(
        self,
        writer: TableWriter,
        start: Start,
        sources: SourceTimes,
        count: int,
        plan: SamplingPlan,
        seed: int,
        tell: Callable[[Progress], None],
    ) -> None:
        self._writer, self._start, self._sources, self._count = writer, start, sources, count
        self._plan, self._seed, self._tell = plan, seed, tell
        self._transfer = DeviceTransfer.of_workloads(sources.time_s, sources.workloads)

    def run(self) -> TransferSummary:
        """Choose and measure until enough are measured or none is left; then predict."""
        summary = self._measure()
        while self._next():
            summary = self._measure()
        environment = self._writer.table.environment()
        outcomes = [self._writer.table.outcome(workload, environment) for workload in self._sources.workloads]
        measured = np.array([k for k, outcome in enumerate(outcomes) if isinstance(outcome, Measurement)], np.intp)
        estimates = [outcome.estimate() for outcome in outcomes if isinstance(outcome, Measurement)]
        time_s = np.array([estimate.mean_s for estimate in estimates])
        deviation_s = np.array([estimate.standard_deviation_s for estimate in estimates])
        _refuse_too_few(len(measured), summary)
        found = self._transfer.estimate(measured, time_s, deviation_s)
        untried = [k for k, outcome in enumerate(outcomes) if outcome is None]
        reported = {k for k in untried if self._is_reported(self._sources.workloads[k], environment)}
        predicted = {self._sources.workloads[k]: found[k] for k in untried if k not in reported}
        self._writer.add_estimates(Unmeasured(workload, environment, known) for workload, known in predicted.items())
        return TransferSummary(
            fill=summary,
            measured=tuple(self._sources.workloads[k] for k in measured),
            predicted=predicted,
            kept=len(reported),
            left_out=self._left_out(measured, time_s, deviation_s) if len(measured) >= _LEAST_LEFT_OUT else None,
        )

    def _is_reported(self, workload: Workload, environment: Environment) -> bool:
        known = self._writer.table.estimate(workload, environment)
        return known is not None and known.source == "reported"

    def _tried(self, kinds: type[Measurement] | type[Failure]) -> list[int]:
        """Indices of workloads of which the table has such an outcome."""
        environments = self._writer.table.environments()
        if not environments:
            return []
        environment = self._writer.table.environment()
        outcomes = [self._writer.table.outcome(workload, environment) for workload in self._sources.workloads]
        return [k for k, outcome in enumerate(outcomes) if isinstance(outcome, kinds)]

    def _next(self) -> list[int]:
        """What to measure beside what was tried."""
        measured, failed = self._tried(Measurement), self._tried(Failure)
        if len(measured) >= self._count:
            return []
        left = np.setdiff1d(np.arange(len(self._sources.workloads)), [*measured, *failed])
        chosen = self._transfer.choose(
            self._count - len(measured), among=left, measured=np.array(measured, dtype=np.intp)
        )
        return [int(k) for k in chosen]

    def _measure(self) -> FillSummary:
        wanted = [*self._tried(Measurement), *self._tried(Failure), *self._next()]
        workloads = [self._sources.workloads[k] for k in wanted]
        return fill(self._writer, self._start, workloads, self._plan, seed=self._seed, tell=self._tell)

    def _left_out(self, measured: npt.NDArray[np.intp], time_s: Array, deviation_s: Array) -> LeftOut:
        found = self._transfer.left_out(measured, time_s, deviation_s)
        lower_s, upper_s = found.interval_s()
        return LeftOut(
            mean_error=float(np.abs(found.mean_s / time_s - 1).mean()),
            coverage=float(((lower_s <= time_s) & (time_s <= upper_s)).mean()),
        )


def _refuse_too_few(measured: int, summary: FillSummary) -> None:
    if measured < LEAST_MEASUREMENTS:
        reason = f" ({summary.failures[0].reason}, for one)" if summary.failures else ""
        raise WrongUse(
            f"Only {measured} blocks could be measured, {len(summary.failures)} failed{reason}; at least "
            f"{LEAST_MEASUREMENTS} are needed. Mend the cause; `profile-device --again failed` tries them again."
        )
