"""Filling a table: ask a profiler for what is not known yet. Times nothing itself."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, final

from devices import WrongUse
from latency import (
    UNFINISHED,
    Environment,
    Failure,
    FreshProcess,
    Measurement,
    Measurer,
    Outcome,
    ProfilerSettings,
    SamplingPlan,
    Workload,
    is_estimated,
    joined,
)
from lut.doubts import FAILURES
from lut.lookup import measurable
from lut.missing_bursts import is_unfinished, lacks_bursts, usual_times_s
from lut.table import Table
from lut.table_file import TableWriter

Start: TypeAlias = Callable[[Mapping[str, float]], AbstractContextManager[Measurer]]
"""Starts a process that measures, told what the sentinel takes on the quiet machine, by precision, where known."""

_MOST_FAILURES = 2
"""After so many failures in one run, a workload that has bursts gets no more of them."""


@contextmanager
def fresh_processes(settings: ProfilerSettings) -> Iterator[Start]:
    """Every round in a process of its own. They share the exported models, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="paceline-") as folder:
        shared = replace(settings, models=Path(folder))
        yield lambda usual_s: FreshProcess(shared, usual_s)


def in_this_process(measurer: Measurer) -> Start:
    """Every round here: what differs between processes is then not seen."""
    return lambda usual_s: nullcontext(measurer)


@dataclass(frozen=True)
class Progress:
    """What a fill tells after each burst.

    Attributes:
        done: bursts taken in this run.
        wanted: bursts that this run has taken or is sure to take; it grows while workloads turn out to need more.
        outcome: what became of the last one; None before the first.
    """

    done: int
    wanted: int
    outcome: Outcome | None = None


@dataclass(frozen=True)
class FillSummary:
    """What a fill did.

    Attributes:
        measured: workloads of which this run took bursts, unfinished ones included.
        failed: workloads that could not be measured in this run, or not to the end.
        skipped: workloads that the table knew already, and nobody wanted again.
        widest: the measurement with the widest relative interval among all that were wanted; None without any.
        failures: all failures among the wanted workloads, those of earlier runs included.
        ended: how many measurements of this run ended for each reason.
        setbacks: the last failure in this run of each workload that has bursts nevertheless.
    """

    measured: int
    failed: int
    skipped: int
    widest: Measurement | None
    failures: tuple[Failure, ...]
    ended: Mapping[str, int]
    setbacks: tuple[Failure, ...] = ()


def fill(
    writer: TableWriter,
    start: Start,
    workloads: Sequence[Workload],
    plan: SamplingPlan,
    *,
    again: Callable[[Outcome], bool] = lambda outcome: False,
    limit_s: float = math.inf,
    seed: int = 0,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> FillSummary:
    """Measure what the table does not know, each burst in the file before the next is begun.

    Rounds are made, each by a process of its own and over all workloads that are not finished, in an order of its
    own: what drifts hits all alike, and what differs from process to process is seen. A workload is finished when
    its interval is narrow enough, when more bursts no longer narrow it, or when it has as many as the plan allows. One
    that was finished under a plan that asked for less goes on when this one is not yet content.

    A failure is recorded where the table has no bursts of a workload. Where it has, they are kept and the workload gets
    another chance in the next round; when it fails twice in one run, its measurement is ended with what it has.

    Args:
        writer: the table to add to.
        start: starts the process of a round; the environment must be the table's.
        workloads: what is wanted; repeated and free ones are left out.
        plan: how to sample.
        again: whether a known outcome shall be measured again; its new bursts take the place of the old ones. Those
            that are unfinished go on in any case.
        limit_s: begin no further burst after this time. What is unfinished then stays so in the table, and the same
            call goes on with it.
        seed: of the orders.
        tell: called before the first and after every burst.

    Raises:
        WrongUse: the table's rows come from another environment.
        NotAvailable: the runtime is missing.
        OSError: the disk is full or gone; the table is left as it was before the last row.
    """
    return _Fill(writer, start, measurable(workloads), plan, again, limit_s, seed, tell).run()


@final
class _Fill:
    """One run of ``fill``."""

    def __init__(
        self,
        writer: TableWriter,
        start: Start,
        wanted: Sequence[Workload],
        plan: SamplingPlan,
        again: Callable[[Outcome], bool],
        limit_s: float,
        seed: int,
        tell: Callable[[Progress], None],
    ) -> None:
        self._writer, self._start, self._wanted, self._plan = writer, start, wanted, plan
        self._again, self._seed, self._tell = again, seed, tell
        self._until_s = time.monotonic() + limit_s
        self._afresh: set[Workload] = set()
        self._bursts: dict[Workload, int] = {}  # Kept beside the table, which would be asked for each after each.
        self._taken: set[Workload] = set()
        self._failures: dict[Workload, list[Failure]] = {}
        self._done = self._failed = 0

    def run(self) -> FillSummary:
        """Make rounds until nothing is left to do."""
        with self._start(usual_times_s(self._writer.table)) as process:
            environment = process.environment
            refuse_other_environment(self._writer.table, environment)
            todo = self._unknown(environment)
            skipped = len(self._wanted) - len(todo)
            self._tell(Progress(0, self._left(todo)))
            todo = self._round(process, todo)
        while todo and not self._is_over():
            with self._start(usual_times_s(self._writer.table)) as process:
                todo = self._round(process, todo)
        return self._summary(environment, skipped)

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until_s

    def _unknown(self, environment: Environment) -> list[Workload]:
        """What has to be measured: not known, not finished, or wanted again."""
        known = {workload: self._writer.table.outcome(workload, environment) for workload in self._wanted}
        # What is unfinished may have been begun afresh by a run that was interrupted: it must not begin once more.
        self._afresh = {
            w for w, outcome in known.items() if outcome and not is_unfinished(outcome) and self._again(outcome)
        }
        todo = [w for w in self._wanted if w in self._afresh or lacks_bursts(known[w], self._plan)]
        self._bursts = {w: _bursts(None if w in self._afresh else known[w]) for w in todo}
        return todo

    def _round(self, process: Measurer, todo: Sequence[Workload]) -> list[Workload]:
        """Take one burst of each; returns those that need more."""
        order = list(todo)
        # The same in every run that is left alone, and another in every round, also of one that goes on with others.
        random.Random(f"{self._seed} {max(map(self._bursts.__getitem__, order), default=0)}").shuffle(order)
        left = set(order)
        for workload in order:
            if self._is_over():
                break
            outcome = self._take(process, workload)
            self._done += 1
            if not self._goes_on(outcome):
                left.discard(workload)
            self._tell(Progress(self._done, self._done + self._left(left), outcome))
        return [workload for workload in todo if workload in left]

    def _take(self, process: Measurer, workload: Workload) -> Outcome:
        """Take one burst, decide whether it was the last, and write it."""
        burst = process.measure(workload, self._plan)
        if isinstance(burst, Failure):
            self._fail(burst)
            return burst
        adds = workload not in self._afresh
        self._afresh.discard(workload)
        self._taken.add(workload)
        self._bursts[workload] += 1
        outcome = self._joined(burst, adds=adds)
        stopped = outcome.reason_to_end() or UNFINISHED
        self._writer.append(replace(burst, stopped=stopped), adds=adds)
        return replace(outcome, stopped=stopped)

    def _fail(self, failure: Failure) -> None:
        """Write a failure where there are no bursts; where there are, keep them, and end with them after the last."""
        failures = self._failures.setdefault(failure.workload, [])
        failures.append(failure)
        known = self._kept(failure)
        if known is None:
            self._writer.append(failure)
        elif len(failures) == _MOST_FAILURES:
            self._writer.append(replace(known, stopped=FAILURES))
        self._failed += not self._goes_on(failure)

    def _kept(self, failure: Failure) -> Measurement | None:
        """The bursts that the table has of a workload that failed."""
        known = self._writer.table.outcome(failure.workload, failure.environment)
        return known if isinstance(known, Measurement) else None

    def _goes_on(self, outcome: Outcome) -> bool:
        """Whether the workload of which a round just told this takes part in the next round."""
        if isinstance(outcome, Measurement):
            return is_unfinished(outcome)
        return len(self._failures[outcome.workload]) < _MOST_FAILURES and self._kept(outcome) is not None

    def _joined(self, burst: Measurement, *, adds: bool) -> Measurement:
        """The measurement that the table will have with this burst in it."""
        table = self._writer.table
        known = table.outcome(burst.workload, burst.environment) if adds else None
        level_s = table.level_s(burst.environment.digest, burst.workload.precision)
        return replace(joined(known, burst) if isinstance(known, Measurement) else burst, level_s=level_s)

    def _left(self, todo: Iterable[Workload]) -> int:
        """Bursts that these workloads are sure to need."""
        return sum(max(1, self._plan.least_bursts - self._bursts[workload]) for workload in todo)

    def _summary(self, environment: Environment, skipped: int) -> FillSummary:
        table = self._writer.table
        outcomes = {workload: table.outcome(workload, environment) for workload in self._wanted}
        measurements = [outcome for outcome in outcomes.values() if isinstance(outcome, Measurement)]
        endings = [outcome.stopped for outcome in measurements if outcome.workload in self._taken]
        return FillSummary(
            measured=len(endings),
            failed=self._failed,
            skipped=skipped,
            widest=max(measurements, key=lambda m: m.relative_half_width, default=None),
            failures=tuple(outcome for outcome in outcomes.values() if isinstance(outcome, Failure)),
            ended=dict(Counter(endings)),
            setbacks=tuple(failures[-1] for failures in self._failures.values() if self._kept(failures[-1])),
        )


def _bursts(outcome: Outcome | None) -> int:
    return len(outcome.bursts) if isinstance(outcome, Measurement) else 0


def refuse_other_environment(table: Table, environment: Environment) -> None:
    """Raise WrongUse, naming the differences, when rows of ``table`` come from elsewhere than ``environment``."""
    for known in table.environments():
        if is_estimated(known) != is_estimated(environment):
            kinds = ["measured times", "estimates from peak figures"]
            held, new = kinds[is_estimated(known)], kinds[is_estimated(environment)]
            raise WrongUse(
                f"The table holds {held} of {known.device.name}, and {new} are never mixed with them. Give these "
                "another table, with --out."
            )
        if known.digest != environment.digest:
            raise WrongUse(
                "The table was filled in another environment, and times of two are never mixed "
                f"({known.differences(environment)}). Give this one another table, "
                "or go on where the first was filled."
            )
