"""Measuring part of what is wanted, and predicting the rest. Times and fits nothing itself."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

from devices import WrongUse
from latency import (
    CostModel,
    Estimate,
    Measurement,
    Outcome,
    SamplingPlan,
    Timings,
    Workload,
    is_network,
    most_telling,
)
from lut.filling import FillSummary, Progress, Start, fill
from lut.lookup import measurable, misfit
from lut.rows import Unmeasured
from lut.table_file import TableWriter

_LEAST_BATCH = 8
"""Every batch costs a fresh process and a fit of the model, a second or two each; fewer blocks are not worth it."""

_BATCHES = 6
"""Into so many batches the choice is cut at least: what is learned from each goes into the next."""

_FIRST_SHARE = 0.6
"""Of a time budget, the share in which blocks are measured once, most telling first. The rest is for more rounds of the
same blocks, all together. A block that was never measured is predicted worse than one burst is wrong, so breadth comes
first; but without a second process no interval is worth its name."""


@dataclass(frozen=True)
class Scope:
    """How much of what is wanted shall be measured.

    Attributes:
        share: of all workloads, above 0 and at most 1.
        time_s: begin nothing new after this time, but for the few workloads without which nothing can be predicted;
            no limit when infinite.

    Raises:
        WrongUse: a number is out of range.
    """

    share: float = 1.0
    time_s: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not self.time_s > 0:
            raise WrongUse(f"The part to measure is above 0 % and at most 100 %, in a time above 0 s; got {self}.")


@dataclass(frozen=True)
class PartialSummary:
    """What measuring a part and predicting the rest did.

    Attributes:
        fill: what was measured, over all batches.
        predicted: what was predicted and is in the table now, by workload.
        model: the model that predicted, in words; empty when there was nothing to predict.
    """

    fill: FillSummary
    predicted: dict[Workload, Estimate]
    model: str = ""


def fill_most_telling(
    writer: TableWriter,
    start: Start,
    workloads: Sequence[Workload],
    plan: SamplingPlan,
    scope: Scope,
    model: Callable[[], CostModel],
    *,
    always: Sequence[Workload] = (),
    seed: int = 0,
    tell: Callable[[str, Progress], None] = lambda what, progress: None,
) -> PartialSummary:
    """Measure what teaches most about the rest, in batches, and predict the rest.

    Blocks are measured once each, chosen by what the model is least sure of, until the share is reached or most of the
    time is over; then all of them get the further rounds that the plan asks for. What is predicted goes into the table
    as such. The same call goes on where an interrupted one was, and one that asks for more measures more.

    Args:
        writer: the table to add to.
        start: starts the process of a round; the environment must be the table's.
        workloads: what is wanted; repeated and free ones are left out.
        plan: how to sample.
        scope: how much to measure.
        model: makes a cost model.
        always: measured before all others, such as what every network has.
        seed: of orders and ties.
        tell: called before the first and after every burst, with what is being done.

    Raises:
        WrongUse: the table's rows come from another environment.
        NotAvailable: the runtime is missing.
        OSError: as ``fill``.
    """
    return _Gaps(writer, start, measurable(workloads), plan, scope, model, measurable(always), seed, tell).run()


@final
class _Gaps:
    """One run of ``fill_most_telling``."""

    def __init__(
        self,
        writer: TableWriter,
        start: Start,
        wanted: Sequence[Workload],
        plan: SamplingPlan,
        scope: Scope,
        model: Callable[[], CostModel],
        always: Sequence[Workload],
        seed: int,
        tell: Callable[[str, Progress], None],
    ) -> None:
        self._writer, self._start, self._wanted, self._plan, self._scope = writer, start, wanted, plan, scope
        self._model, self._always, self._seed, self._tell = model, always, seed, tell
        self._begun_s = time.monotonic()
        self._known_before = {workload for workload in wanted if self._is_tried(workload)}
        self._taken: set[Workload] = set()
        share = math.ceil(scope.share * len(wanted) - 1e-9)
        self._least = min(len(wanted), model().least_points)
        self._most = max(share, len(always), self._least)

    def run(self) -> PartialSummary:
        """Choose and measure, measure again, predict."""
        self._choose_and_measure(1.0 if self._plan.most_bursts == 1 else _FIRST_SHARE)
        summary = self._measure_again()
        if self._left_s(1.0) > 0 and self._batch(1.0):  # All was precise sooner than the time was over.
            self._choose_and_measure(1.0)
            summary = self._measure_again()
        return self._predict(self._over_all(summary))

    def _measure_again(self) -> FillSummary:
        """Give all that was tried the further rounds of the plan, together."""
        return fill(
            self._writer,
            self._start,
            [workload for workload in self._wanted if self._is_tried(workload)],
            self._plan,
            limit_s=self._left_s(1.0),
            seed=self._seed,
            tell=lambda progress: self._note("measuring again", progress),
        )

    def _note(self, what: str, progress: Progress) -> None:
        if progress.outcome is not None:
            self._taken.add(progress.outcome.workload)
        self._tell(what, progress)

    def _over_all(self, last: FillSummary) -> FillSummary:
        """The summary of all batches, from that of the last rounds, which all that was tried took part in."""
        outcomes = [self._outcome(workload) for workload in self._wanted if workload in self._taken]
        measured = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
        return replace(
            last,
            measured=len(measured),
            failed=len(outcomes) - len(measured) + len(last.setbacks),
            skipped=len(self._known_before - self._taken),
            ended=dict(Counter(outcome.stopped for outcome in measured)),
        )

    def _left_s(self, share: float) -> float:
        """Seconds left of that share of the time."""
        return max(0.0, share * self._scope.time_s - (time.monotonic() - self._begun_s))

    def _outcome(self, workload: Workload) -> Outcome | None:
        """What became of a workload; before the first one is measured, no environment is known to ask for."""
        environments = self._writer.table.environments()
        return self._writer.table.outcome(workload, environments[0]) if environments else None

    def _is_tried(self, workload: Workload) -> bool:
        return self._outcome(workload) is not None

    def _choose_and_measure(self, share: float) -> None:
        while batch := self._batch(share):
            fill(
                self._writer,
                self._start,
                batch,
                self._plan.with_rounds(1),
                limit_s=math.inf if self._lacks() else self._left_s(share),
                seed=self._seed,
                tell=lambda progress: self._note("choosing and measuring", self._with_earlier(progress)),
            )

    def _lacks(self) -> int:
        """How many must be measured in any case: what every network has, and what a prediction needs."""
        sure = sum(not self._is_tried(workload) for workload in self._always)
        return max(sure, self._least - len(self._measured()))

    def _with_earlier(self, progress: Progress) -> Progress:
        """Progress of all batches, from that of one: every burst of it is the first of its workload."""
        return Progress(sum(map(self._is_tried, self._wanted)), self._most, progress.outcome)

    def _batch(self, share: float) -> list[Workload]:
        """What to measure next in that share of the time: what always is, then what teaches most."""
        left = [workload for workload in self._wanted if not self._is_tried(workload)]
        sure = [workload for workload in self._always if not self._is_tried(workload)]
        lacks, more = self._lacks(), self._most - (len(self._wanted) - len(left))
        usual = min(more, max(_LEAST_BATCH, self._most // _BATCHES))
        # With a budget, what is measured in any case is no more than it must be.
        count = lacks if lacks > 0 and math.isfinite(self._scope.time_s) else max(lacks, usual)
        if count <= 0 or (lacks <= 0 and self._left_s(share) <= 0):
            return []
        candidates = [workload for workload in left if workload not in set(sure)]
        if count <= len(sure) or not candidates:
            return sure
        chosen = most_telling(Timings.of(self._measured()), candidates, count - len(sure))
        return [*sure, *(candidates[index] for index in chosen)]

    def _measured(self) -> list[Measurement]:
        """Everything like what is wanted that was measured here, of other spaces, too."""
        formats = {(workload.precision, workload.batch) for workload in self._wanted}
        return [
            outcome
            for outcome in self._writer.table.values()
            if isinstance(outcome, Measurement)
            and (outcome.workload.precision, outcome.workload.batch) in formats
            and not is_network(outcome.workload)
            and not misfit(outcome.workload)
        ]

    def _predict(self, summary: FillSummary) -> PartialSummary:
        """Predict what was not tried, and write it down; what was predicted from the same rows stays."""
        rest = [workload for workload in self._wanted if not self._is_tried(workload)]
        if not rest:
            return PartialSummary(summary, {})
        environment, model = self._writer.table.environment(), self._model()
        known = {workload: self._writer.table.estimate(workload, environment) for workload in rest}
        missing = rest if self._taken else [workload for workload, estimate in known.items() if estimate is None]
        predicted = {workload: estimate for workload, estimate in known.items() if estimate is not None}
        if missing:
            estimates = model.fit(Timings.of(self._measured())).estimate(missing)
            predicted |= {workload: estimates[index] for index, workload in enumerate(missing)}
            self._writer.add_estimates(Unmeasured(w, environment, predicted[w]) for w in missing)
        return PartialSummary(summary, predicted, model.name)
