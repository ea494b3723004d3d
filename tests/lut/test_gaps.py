"""Measuring a part and predicting the rest: what is chosen, what is kept, and how it goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from latency import (
    ChosenByCrossValidation,
    CostModel,
    DummyProfiler,
    Failure,
    Measurement,
    Outcome,
    SamplingPlan,
    Workload,
    find_cost_model,
    operator_of,
)
from lut import PartialSummary, Progress, Scope, Start, Table, appending, fill, fill_most_telling, in_this_process
from tests.contracts.examples import BLOCKS, DEVICE, ENVIRONMENT, QUICK, block, idle, network, skip

WANTED = tuple(block(8 * c, expansion=e, kernel=k) for c in range(1, 6) for e in (1, 3, 6) for k in (3, 5))
"""Thirty blocks whose times are a law that can be learned."""

TWICE = replace(QUICK, precision=1e-9, least_bursts=2, most_bursts=2)


class Counting:
    """A dummy that notes what each process was asked."""

    def __init__(self, *, broken: tuple[Workload, ...] = (), stops_after: int | None = None) -> None:
        digests = frozenset(workload.digest for workload in broken)
        self._dummy = DummyProfiler(DEVICE, idle, broken=digests)
        self.environment = self._dummy.environment
        self.asked: list[list[Workload]] = []
        self._left = stops_after

    @contextmanager
    def start(self, usual_s: Mapping[str, float]) -> Iterator[Counting]:
        self.asked.append([])
        yield self

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        if self._left is not None:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
        self.asked[-1].append(workload)
        return self._dummy.measure(workload, plan)

    @property
    def all_asked(self) -> set[Workload]:
        return {workload for asked in self.asked for workload in asked}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def part(
    path: Path,
    start: Start,
    scope: Scope,
    *,
    plan: SamplingPlan = QUICK,
    model: type[CostModel] = ChosenByCrossValidation,
    always: tuple[Workload, ...] = (),
) -> PartialSummary:
    with appending(path) as writer:
        return fill_most_telling(writer, start, WANTED, plan, scope, model, always=always)


def dummies() -> Start:
    return in_this_process(DummyProfiler(DEVICE, idle))


def measured(path: Path) -> set[Workload]:
    return {outcome.workload for outcome in Table.read(path).values() if isinstance(outcome, Measurement)}


def test_a_part_is_measured_and_the_rest_is_predicted_in_the_table(path: Path) -> None:
    summary = part(path, dummies(), Scope(0.4))
    table = Table.read(path)
    assert len(measured(path)) == 12
    assert set(summary.predicted) == set(WANTED) - measured(path)
    assert {row.workload: row.estimate for row in table.unmeasured()} == pytest.approx(summary.predicted)
    assert summary.model == "automatic"
    assert (summary.fill.measured, summary.fill.failed, summary.fill.skipped) == (12, 0, 0)
    for workload, known in summary.predicted.items():
        assert known.source == "predicted"
        # What the dummy takes: a microsecond and 0.1 ns for each multiply-accumulate.
        assert known.mean_s == pytest.approx(1e-6 + 1e-10 * operator_of(workload).macs(workload), rel=0.25)


def test_what_is_always_measured_comes_first_and_counts(path: Path) -> None:
    counting = Counting()
    part(path, counting.start, Scope(0.4), always=(WANTED[7], skip(), WANTED[29]))
    assert {WANTED[7], WANTED[29]} <= set(counting.asked[0])
    assert len(measured(path)) == 12


def test_a_later_run_that_asks_for_more_measures_only_what_is_new(path: Path) -> None:
    part(path, dummies(), Scope(0.3))
    first, counting = measured(path), Counting()
    summary = part(path, counting.start, Scope(0.5))
    assert (summary.fill.measured, summary.fill.skipped) == (6, 9)
    assert first < measured(path)
    assert len(measured(path)) == 15
    assert not counting.all_asked & first
    assert {row.workload for row in Table.read(path).unmeasured()} == set(WANTED) - measured(path)


def test_the_same_again_measures_nothing(path: Path) -> None:
    part(path, dummies(), Scope(0.3))
    counting = Counting()
    part(path, counting.start, Scope(0.3))
    assert counting.all_asked == set()


def test_an_interrupted_run_goes_on_and_measures_nothing_twice(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        part(path, Counting(stops_after=5).start, Scope(0.5))
    assert len(measured(path)) == 5
    counting = Counting()
    part(path, counting.start, Scope(0.5))
    assert len(measured(path)) == 15
    assert sum(map(len, counting.asked)) == 10


def test_a_plain_fill_measures_what_was_predicted(path: Path) -> None:
    part(path, dummies(), Scope(0.3))
    with appending(path) as writer:
        fill(writer, dummies(), WANTED, QUICK)
    assert measured(path) == set(WANTED)
    assert Table.read(path).unmeasured() == ()


def test_once_all_were_chosen_they_get_the_rounds_of_the_plan_together(path: Path) -> None:
    counting = Counting()
    part(path, counting.start, Scope(0.4), plan=TWICE)
    *choosing, last = [asked for asked in counting.asked if asked]
    assert sum(map(len, choosing)) == 12
    assert set(last) == measured(path)
    assert all(len(o.bursts) == 2 for o in Table.read(path).values() if isinstance(o, Measurement))


def test_the_choice_learns_from_batch_to_batch(path: Path) -> None:
    counting = Counting()
    part(path, counting.start, Scope(0.9))
    assert len([asked for asked in counting.asked if asked]) >= 3


def test_a_budget_of_no_time_to_speak_of_measures_what_a_prediction_needs_and_no_more(path: Path) -> None:
    summary = part(path, dummies(), Scope(1.0, 1e-9), always=WANTED[:2])
    assert len(measured(path)) == 5
    assert set(WANTED[:2]) <= measured(path)
    assert len(summary.predicted) == 25


def test_what_failed_does_not_count_as_what_a_prediction_needs(path: Path) -> None:
    counting = Counting(broken=WANTED[5:])
    summary = part(path, counting.start, Scope(0.2))
    assert measured(path) == set(WANTED[:5])
    assert summary.fill.failed == len(counting.all_asked) - 5


def test_what_every_network_has_is_measured_though_enough_else_is_known(path: Path) -> None:
    with appending(path) as writer:
        fill(writer, dummies(), WANTED[:15], QUICK)
    part(path, dummies(), Scope(0.2), always=WANTED[20:22])
    assert measured(path) == {*WANTED[:15], *WANTED[20:22]}


def test_the_same_again_predicts_nothing_anew(path: Path) -> None:
    first = part(path, dummies(), Scope(0.3))
    before = path.read_bytes()
    second = part(path, dummies(), Scope(0.3))
    assert path.read_bytes() == before
    assert second.predicted == first.predicted


def test_rows_of_operators_that_nothing_knows_any_more_do_no_harm(path: Path) -> None:
    with appending(path) as writer:
        known = DummyProfiler(DEVICE, idle).measure(WANTED[0], QUICK)
        assert isinstance(known, Measurement)
        writer.append(replace(known, workload=Workload("forgotten", ((8, 8, 8),))))
    assert len(part(path, dummies(), Scope(0.3)).predicted) == 21


def test_a_budget_that_is_long_enough_measures_all(path: Path) -> None:
    summary = part(path, dummies(), Scope(1.0, 1e3))
    assert measured(path) == set(WANTED)
    assert summary.predicted == {}


def test_a_share_that_no_model_can_learn_from_is_raised_to_what_it_needs(path: Path) -> None:
    part(path, dummies(), Scope(0.01), model=find_cost_model("power-law"))
    assert len(measured(path)) == find_cost_model("power-law").least_points


def test_what_failed_is_neither_predicted_nor_tried_again_nor_learned_from(path: Path) -> None:
    counting = Counting(broken=WANTED[:15])
    summary = part(path, counting.start, Scope(0.6))
    failed = {o.workload for o in Table.read(path).values() if isinstance(o, Failure)}
    assert failed
    assert not failed & set(summary.predicted)
    assert len(failed) + len(measured(path)) == 18
    assert (summary.fill.measured, summary.fill.failed) == (len(measured(path)), len(failed))


def test_networks_and_other_precisions_teach_nothing_here(path: Path) -> None:
    with appending(path) as writer:
        fill(writer, dummies(), [network(), *(replace(w, precision="fp16") for w in BLOCKS)], QUICK)
    summary = part(path, dummies(), Scope(0.4))
    assert len(summary.predicted) == 18
    assert all(math.isfinite(known.mean_s) for known in summary.predicted.values())


def test_progress_counts_all_batches_together(path: Path) -> None:
    told: list[tuple[str, Progress]] = []
    with appending(path) as writer:
        fill_most_telling(
            writer,
            dummies(),
            WANTED,
            QUICK,
            Scope(0.5),
            ChosenByCrossValidation,
            tell=lambda what, progress: told.append((what, progress)),
        )
    choosing = [progress for what, progress in told if what == "choosing and measuring"]
    assert {progress.wanted for progress in choosing} == {15}
    assert np.all(np.diff([progress.done for progress in choosing]) >= 0)
    assert choosing[-1].done == 15


def test_predictions_go_where_the_measurements_are(path: Path) -> None:
    part(path, dummies(), Scope(0.4))
    assert Table.read(path).environments() == (DummyProfiler(DEVICE, idle).environment,)
    assert ENVIRONMENT not in Table.read(path).environments()


@pytest.mark.parametrize(("share", "time_s"), [(0.0, 1.0), (1.01, 1.0), (-0.1, 1.0), (0.5, 0.0), (math.nan, 1.0)])
def test_a_part_that_is_none_is_refused(share: float, time_s: float) -> None:
    with pytest.raises(WrongUse, match="above 0 % and at most 100 %"):
        Scope(share, time_s)
