"""Filling a table: ask a profiler for what is not known yet. Times nothing itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devices import WrongUse
from latency import Failure, Measurement, Outcome, Profiler, SamplingPlan, Workload, joined
from lut.lookup import measurable
from lut.table import Table, TableWriter

_ORDER_SEED = 0


@dataclass(frozen=True)
class Progress:
    """What a fill tells after each workload.

    Attributes:
        done: workloads dealt with in this run.
        wanted: workloads this run has to deal with.
        outcome: what became of the last one; None before the first.
    """

    done: int
    wanted: int
    outcome: Outcome | None = None


@dataclass(frozen=True)
class FillSummary:
    """What a fill did.

    Attributes:
        measured: workloads measured in this run.
        failed: workloads that could not be measured in this run.
        skipped: workloads that the table knew already.
        widest: the measurement with the widest relative interval among all that were wanted; None without any.
        failures: all failures among the wanted workloads, those of earlier runs included.
    """

    measured: int
    failed: int
    skipped: int
    widest: Measurement | None
    failures: tuple[Failure, ...]


def fill(
    writer: TableWriter,
    profiler: Profiler,
    workloads: Sequence[Workload],
    plan: SamplingPlan,
    *,
    again: Callable[[Outcome], bool] = lambda outcome: False,
    turns: int = 1,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> FillSummary:
    """Measure what the table does not know, each outcome in the file before the next is begun.

    The order is shuffled, the same way every time, so that slow drift of the machine is not taken for a trend along
    the network, and so that the time left is foreseeable.

    Args:
        writer: the table to add to.
        profiler: measures; its environment must be the table's.
        workloads: what is wanted; repeated and free ones are left out.
        plan: how to sample.
        again: whether a known outcome shall be measured again; the new row takes the place of the old one.
        turns: how often each workload is measured, in turns with all others, so that a machine that changes its speed
            for seconds treats all alike. With more than one, outcomes are in the file after the last turn.
        tell: called before the first and after every workload, in every turn.

    Raises:
        WrongUse: the table's rows come from another environment.
        OSError: the disk is full or gone; the table is left as it was before the last row.
    """
    refuse_other_environment(writer.table, profiler)
    wanted = measurable(workloads)
    known = {w: writer.table.outcome(w, profiler.environment) for w in wanted}
    todo = [workload for workload, outcome in known.items() if outcome is None or again(outcome)]
    random.Random(_ORDER_SEED).shuffle(todo)
    steps = turns * len(todo)
    tell(Progress(0, steps))
    failed = 0
    taken: dict[Workload, list[Outcome]] = {workload: [] for workload in todo}
    for done, workload in enumerate(todo * turns, 1):
        last = profiler.measure(workload, plan)
        taken[workload].append(last)
        if len(taken[workload]) == turns:
            outcome = _in_one(taken.pop(workload))
            writer.append(outcome)
            failed += isinstance(outcome, Failure)
        tell(Progress(done, steps, last))
    return _summary(writer.table, profiler, wanted, todo, failed)


def _in_one(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of several turns: all of them joined, or the first failure."""
    measurements = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    if len(measurements) < len(outcomes):
        return next(outcome for outcome in outcomes if isinstance(outcome, Failure))
    return measurements[0] if len(measurements) == 1 else joined(measurements)


def refuse_other_environment(table: Table, profiler: Profiler) -> None:
    """Raise WrongUse, naming the differences, when rows of ``table`` come from elsewhere than ``profiler``."""
    for environment in table.environments():
        if environment.digest != profiler.environment.digest:
            raise WrongUse(
                "The table was filled in another environment, and times of two are never mixed "
                f"({environment.differences(profiler.environment)}). Give this one another table, "
                "or go on where the first was filled."
            )


def _summary(
    table: Table, profiler: Profiler, wanted: Sequence[Workload], todo: Sequence[Workload], failed: int
) -> FillSummary:
    outcomes = [table.outcome(workload, profiler.environment) for workload in wanted]
    measurements = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    return FillSummary(
        measured=len(todo) - failed,
        failed=failed,
        skipped=len(wanted) - len(todo),
        widest=max(measurements, key=lambda m: m.relative_half_width, default=None),
        failures=tuple(outcome for outcome in outcomes if isinstance(outcome, Failure)),
    )
