"""Filling a table: rounds of bursts, what is known is skipped, and what was killed goes on where it was."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from devices import Device, WrongUse
from latency import UNFINISHED, DummyProfiler, Failure, Measurement, Outcome, ProfilerSettings, SamplingPlan, Workload
from lut import (
    FillSummary,
    Progress,
    Start,
    Table,
    appending,
    fill,
    filling,
    fresh_processes,
    in_this_process,
    is_doubtful,
    refuse_other_environment,
)
from tests.contracts.examples import (
    BLOCKS,
    DEVICE,
    ENVIRONMENT,
    OTHER_DEVICE,
    QUICK,
    block,
    burst,
    failure,
    idle,
    measurement,
    skip,
)

ROOT = Path(__file__).resolve().parents[2]

THREE = replace(QUICK, precision=1e-9, least_bursts=3, most_bursts=3)
"""A plan of three bursts each."""

MANY = replace(QUICK, precision=0.01, least_bursts=6, most_bursts=12)
"""A plan of as many bursts as it takes."""

Rule = Callable[[Workload, int], Outcome]


def steady(workload: Workload, number: int) -> Outcome:
    """One burst, a little slower for each process."""
    return replace(measurement(workload), bursts=(burst(1e-3 * (1 + number / 1e4), process=f"process {number}"),))


class Rounds:
    """Starts processes that only pretend to be some, and notes what each was told and asked.

    Args:
        rule: what becomes of a workload in the process of that number.
        earlier: processes that there were before these.
    """

    environment = ENVIRONMENT

    def __init__(self, rule: Rule = steady, *, earlier: int = 0) -> None:
        self.asked: list[list[Workload]] = []
        self.told: list[Mapping[str, float]] = []
        self.open = 0
        self._rule, self._earlier = rule, earlier

    @contextmanager
    def start(self, usual_s: Mapping[str, float]) -> Iterator[Rounds]:
        self.told.append(usual_s)
        self.asked.append([])
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        assert self.open == 1
        self.asked[-1].append(workload)
        outcome = self._rule(workload, self._earlier + len(self.asked) - 1)
        return replace(outcome, plan=plan) if isinstance(outcome, Measurement) else outcome

    @property
    def bursts(self) -> Counter[Workload]:
        return Counter(workload for asked in self.asked for workload in asked)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def dummies(broken: Sequence[Workload] = (), device: Device = DEVICE, threads: int = 1) -> Start:
    """The profiler that times nothing, in this process."""
    digests = frozenset(workload.digest for workload in broken)
    return in_this_process(DummyProfiler(device, idle, threads, broken=digests))


def filled(
    path: Path, workloads: Sequence[Workload] = BLOCKS, *, broken: Sequence[Workload] = (), retry: bool = False
) -> FillSummary:
    with appending(path) as writer:
        start = dummies(broken)
        return fill(writer, start, workloads, QUICK, again=lambda outcome: retry and isinstance(outcome, Failure))


def measurements(path: Path) -> dict[Workload, Measurement]:
    return {row.workload: row for row in Table.read(path).values() if isinstance(row, Measurement)}


def bursts(path: Path) -> dict[Workload, int]:
    return {workload: len(row.bursts) for workload, row in measurements(path).items()}


def rows(path: Path) -> list[tuple[str, str]]:
    """Kind and workload of every row in the file, in order and with repetitions; a torn last line is none."""
    lines = path.read_bytes().split(b"\n")[:-1]
    values = (json.loads(line) for line in lines)
    return [(row["kind"], json.dumps(row["workload"], sort_keys=True)) for row in values]


def test_every_workload_is_measured(path: Path) -> None:
    summary = filled(path)
    assert set(measurements(path)) == set(BLOCKS)
    assert (summary.measured, summary.failed, summary.skipped, summary.failures) == (4, 0, 0, ())
    assert summary.ended == {"most bursts": 4}


def test_what_is_known_is_skipped_to_the_byte(path: Path) -> None:
    filled(path, BLOCKS[:3])
    before = path.read_bytes()
    summary = filled(path)
    assert (summary.measured, summary.failed, summary.skipped) == (1, 0, 3)
    assert path.read_bytes().startswith(before)
    assert len(path.read_bytes().splitlines()) == 4


def test_repeated_and_free_workloads_are_left_out(path: Path) -> None:
    summary = filled(path, [skip(), BLOCKS[0], BLOCKS[1], skip(), block(8)])
    assert summary.measured == 2
    assert set(measurements(path)) == set(BLOCKS[:2])


def test_the_order_is_shuffled_the_same_way_every_time_and_another_with_another_seed(tmp_path: Path) -> None:
    workloads = [block(channels) for channels in range(1, 21)]
    orders: list[list[Workload]] = []
    for seed in (0, 0, 1):
        rounds = Rounds()
        with appending(tmp_path / str(len(orders))) as writer:
            fill(writer, rounds.start, workloads, QUICK, seed=seed)
        orders.append(rounds.asked[0])
    assert orders[0] == orders[1] != workloads
    assert orders[0] != orders[2]


def test_a_failure_is_kept_and_the_run_goes_on(path: Path) -> None:
    summary = filled(path, broken=BLOCKS[1:2])
    assert (summary.measured, summary.failed, summary.skipped) == (3, 1, 0)
    assert [failure.workload for failure in summary.failures] == [BLOCKS[1]]
    assert summary.failures[0].reason == "declared broken"
    assert set(measurements(path)) == {BLOCKS[0], *BLOCKS[2:]}
    assert len(Table.read(path)) == 4


def test_what_failed_is_not_tried_again_unless_asked(path: Path) -> None:
    filled(path, broken=BLOCKS[1:2])
    summary = filled(path)
    assert (summary.measured, summary.failed, summary.skipped) == (0, 0, 4)
    assert [failure.workload for failure in summary.failures] == [BLOCKS[1]]
    again = filled(path, retry=True)
    assert (again.measured, again.failed, again.skipped, again.failures) == (1, 0, 3, ())
    assert set(measurements(path)) == set(BLOCKS)


def test_what_fails_again_is_counted_again(path: Path) -> None:
    filled(path, broken=BLOCKS[1:2])
    again = filled(path, broken=BLOCKS[1:2], retry=True)
    assert (again.measured, again.failed, again.skipped, len(again.failures)) == (0, 1, 3, 1)


def test_the_widest_measurement_is_among_all_that_were_wanted(path: Path) -> None:
    filled(path)
    widest = max(measurements(path).values(), key=lambda outcome: outcome.relative_half_width)
    others = [workload for workload in BLOCKS if workload != widest.workload]
    assert filled(path).widest == widest
    assert filled(path, others).widest != widest


def test_without_measurements_none_is_the_widest(path: Path) -> None:
    assert filled(path, BLOCKS[:1], broken=BLOCKS[:1]).widest is None
    assert filled(path, []) == FillSummary(0, 0, 0, None, (), {})


def test_progress_is_told_before_the_first_and_after_every_burst(path: Path) -> None:
    told: list[Progress] = []
    filled(path, BLOCKS[:1])
    with appending(path) as writer:
        fill(writer, dummies(BLOCKS[1:2]), BLOCKS, QUICK, tell=told.append)
    assert [(progress.done, progress.wanted) for progress in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[0].outcome is None
    outcomes = [progress.outcome for progress in told[1:]]
    assert {outcome.workload for outcome in outcomes if outcome} == set(BLOCKS[1:])
    assert sum(isinstance(outcome, Failure) for outcome in outcomes) == 1


def test_a_burst_is_in_the_file_when_it_is_told(path: Path) -> None:
    counts = []

    def tell(progress: Progress) -> None:
        counts.append((progress.done, sum(bursts(path).values())))
        if isinstance(progress.outcome, Measurement):
            assert measurements(path)[progress.outcome.workload] == progress.outcome

    with appending(path) as writer:
        fill(writer, Rounds().start, BLOCKS, THREE, tell=tell)
    assert counts == [(done, done) for done in range(13)]


def test_what_is_wanted_grows_while_workloads_turn_out_to_need_more(path: Path) -> None:
    told: list[Progress] = []
    with appending(path) as writer:
        fill(writer, Rounds(drifting).start, BLOCKS[:1], MANY, tell=told.append)
    assert [progress.wanted for progress in told] == [6] * 6 + [7, 8, 9, 10, 10]
    assert all(earlier.done + 1 == later.done for earlier, later in pairwise(told))


def test_every_round_is_another_process_and_another_order(path: Path) -> None:
    workloads = [block(channels) for channels in range(1, 21)]
    rounds = Rounds()
    with appending(path) as writer:
        summary = fill(writer, rounds.start, workloads, THREE)
    assert summary.ended == {"most bursts": 20}
    assert [set(asked) for asked in rounds.asked] == [set(workloads)] * 3
    assert len({tuple(asked) for asked in rounds.asked}) == 3
    assert rounds.open == 0
    for row in measurements(path).values():
        assert [taken.process for taken in row.bursts] == ["process 0", "process 1", "process 2"]


def test_rounds_in_fresh_processes_are_bursts_of_different_processes(path: Path) -> None:
    with appending(path) as writer, fresh_processes(ProfilerSettings("dummy", DEVICE)) as start:
        fill(writer, start, BLOCKS, THREE)
    found = measurements(path)
    assert set(found) == set(BLOCKS)
    processes = [[taken.process for taken in row.bursts] for row in found.values()]
    assert all(names == processes[0] for names in processes)
    assert len(set(processes[0])) == 3
    assert all(taken.sentinel_s is not None for row in found.values() for taken in row.bursts)


def test_fresh_processes_share_a_folder_that_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: list[ProfilerSettings] = []
    monkeypatch.setattr(filling, "FreshProcess", lambda given, usual_s: settings.append(given))
    with fresh_processes(ProfilerSettings("dummy", DEVICE)) as start:
        start({})
        start({})
        folders = {given.models for given in settings}
        assert [folder and folder.is_dir() for folder in folders] == [True]
    assert [folder and folder.exists() for folder in folders] == [False]


def test_each_process_is_told_what_the_sentinel_takes_as_far_as_the_table_knows(path: Path) -> None:
    def looked(workload: Workload, number: int) -> Outcome:
        look_s = (3e-4, 1e-4, 2e-4)[number]
        return replace(measurement(workload), bursts=(burst(sentinel_s=look_s),))

    rounds = Rounds(looked)
    with appending(path) as writer:
        fill(writer, rounds.start, BLOCKS[:1], THREE)
    assert rounds.told == [{}, {"fp32": 3e-4}, {"fp32": pytest.approx(1.5e-4)}]


def drifting(workload: Workload, number: int) -> Outcome:
    """The later the process, the slower, and ever more so: no number of them makes the interval narrow."""
    return replace(measurement(workload), bursts=(burst(1e-3 * (1 + number**2 / 200)),))


def scattered(workload: Workload, number: int) -> Outcome:
    """Three kinds of processes, a fifth apart."""
    return replace(measurement(workload), bursts=(burst(1e-3 * (1 + number % 3 / 5)),))


def test_workloads_end_for_reasons_of_their_own_and_these_are_counted(path: Path) -> None:
    kinds = dict(zip(BLOCKS, (steady, steady, drifting, scattered), strict=True))
    rounds = Rounds(lambda workload, number: kinds[workload](workload, number))
    with appending(path) as writer:
        summary = fill(writer, rounds.start, BLOCKS, MANY)
    assert summary.ended == {"precise": 2, "noise plateau": 1, "most bursts": 1}
    assert bursts(path) == dict(zip(BLOCKS, (6, 6, 10, 12), strict=True))
    assert {row.stopped for row in measurements(path).values()} == set(summary.ended)
    assert [len(asked) for asked in rounds.asked] == [4] * 6 + [2] * 4 + [1] * 2


def test_disturbed_bursts_are_taken_again_until_there_are_the_most_of_them(path: Path) -> None:
    def disturbed_at_first(workload: Workload, number: int) -> Outcome:
        return replace(measurement(workload), bursts=(burst(1e-3 if number > 1 else 2e-3, disturbed=number <= 1),))

    with appending(path) as writer:
        summary = fill(writer, Rounds(disturbed_at_first).start, BLOCKS[:1], MANY)
    assert summary.ended == {"precise": 1}
    (row,) = measurements(path).values()
    assert (len(row.bursts), len(row.burst_times_s)) == (8, 6)


def failing(*numbers: int) -> Rule:
    """The first block fails in the processes of these numbers."""

    def rule(workload: Workload, number: int) -> Outcome:
        return failure(workload) if workload == BLOCKS[0] and number in numbers else steady(workload, number)

    return rule


def test_a_workload_that_fails_in_its_first_round_has_failed_and_is_left_alone(path: Path) -> None:
    rounds = Rounds(failing(0))
    with appending(path) as writer:
        summary = fill(writer, rounds.start, BLOCKS, THREE)
    assert (summary.measured, summary.failed, summary.ended) == (3, 1, {"most bursts": 3})
    assert ([failed.workload for failed in summary.failures], summary.setbacks) == ([BLOCKS[0]], ())
    assert rounds.bursts == dict(zip(BLOCKS, (1, 3, 3, 3), strict=True))


def test_a_failure_in_a_later_round_costs_no_burst_and_is_told(path: Path) -> None:
    rounds = Rounds(failing(1))
    with appending(path) as writer:
        summary = fill(writer, rounds.start, BLOCKS, THREE)
    assert (summary.measured, summary.failed, summary.ended) == (4, 0, {"most bursts": 4})
    assert (summary.failures, [failed.workload for failed in summary.setbacks]) == ((), [BLOCKS[0]])
    assert rounds.bursts == dict(zip(BLOCKS, (4, 3, 3, 3), strict=True))
    assert bursts(path) == dict.fromkeys(BLOCKS, 3)


def test_a_second_failure_ends_a_measurement_with_what_it_has_and_makes_it_doubtful(path: Path) -> None:
    rounds = Rounds(failing(1, 2))
    with appending(path) as writer:
        summary = fill(writer, rounds.start, BLOCKS, THREE)
    assert (summary.measured, summary.failed, summary.ended) == (4, 1, {"most bursts": 3, "failures": 1})
    assert [failed.workload for failed in summary.setbacks] == [BLOCKS[0]]
    assert rounds.bursts == dict.fromkeys(BLOCKS, 3)
    assert bursts(path) == dict(zip(BLOCKS, (1, 3, 3, 3), strict=True))
    assert is_doubtful(measurements(path)[BLOCKS[0]])
    with appending(path) as writer:
        assert fill(writer, Rounds().start, BLOCKS, THREE).skipped == 4


def test_what_is_measured_again_and_fails_keeps_its_old_bursts(path: Path) -> None:
    with appending(path) as writer:
        fill(writer, Rounds().start, BLOCKS[:1], THREE)
        fill(writer, Rounds(failing(0)).start, BLOCKS[:1], THREE, again=lambda _: True)
    assert bursts(path) == {BLOCKS[0]: 3}  # The old ones made place for the first good one.
    with appending(path) as writer:
        summary = fill(writer, Rounds(failing(0, 1)).start, BLOCKS[:1], THREE, again=lambda _: True)
    assert (summary.measured, summary.failed, len(summary.setbacks)) == (0, 1, 1)
    assert bursts(path) == {BLOCKS[0]: 3}


def test_a_second_look_adds_to_the_bursts_of_the_first(path: Path) -> None:
    kinds = dict(zip(BLOCKS, (steady, steady, drifting, scattered), strict=True))
    first = Rounds(lambda workload, number: kinds[workload](workload, number))
    second = Rounds(lambda workload, number: kinds[workload](workload, number), earlier=4)
    with appending(path) as writer:
        fill(writer, first.start, BLOCKS, MANY.with_rounds(4))
        summary = fill(writer, second.start, BLOCKS, MANY)
    assert bursts(path) == dict(zip(BLOCKS, (6, 6, 10, 12), strict=True))
    assert summary.ended == {"precise": 2, "noise plateau": 1, "most bursts": 1}
    assert second.bursts == dict(zip(BLOCKS, (2, 2, 6, 8), strict=True))


def test_a_narrower_interval_opens_only_what_is_too_wide_for_it(path: Path) -> None:
    kinds = dict(zip(BLOCKS[:2], (steady, scattered), strict=True))

    def rule(workload: Workload, number: int) -> Outcome:
        return kinds[workload](workload, number)

    rounds = Rounds(rule, earlier=6)
    with appending(path) as writer:
        fill(writer, Rounds(rule).start, BLOCKS[:2], replace(MANY, precision=0.5))
        assert bursts(path) == dict.fromkeys(BLOCKS[:2], 6)
        fill(writer, rounds.start, BLOCKS[:2], MANY)
    assert rounds.bursts == {BLOCKS[1]: 6}


@pytest.mark.parametrize("plan", [MANY, MANY.with_rounds(4), replace(MANY, precision=0.02)])
def test_what_has_ended_stays_so_under_a_plan_that_asks_no_more(path: Path, plan: SamplingPlan) -> None:
    kinds = dict(zip(BLOCKS, (steady, steady, drifting, scattered), strict=True))
    rounds = Rounds()
    with appending(path) as writer:
        fill(writer, Rounds(lambda workload, number: kinds[workload](workload, number)).start, BLOCKS, MANY)
        # A burst of another workload proves the machine to be faster than these ever saw it.
        writer.append(replace(measurement(block(99)), bursts=(burst(sentinel_s=1e-9),)))
        assert fill(writer, rounds.start, BLOCKS, plan).skipped == 4
    assert rounds.bursts == {}


@pytest.mark.parametrize("interrupted_at", range(1, 12))
def test_what_was_interrupted_anywhere_takes_exactly_the_missing_bursts(path: Path, interrupted_at: int) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == interrupted_at:
            raise KeyboardInterrupt

    first, second = Rounds(), Rounds(earlier=3)
    with pytest.raises(KeyboardInterrupt), appending(path) as writer:
        fill(writer, first.start, BLOCKS, THREE, tell=interrupt)
    assert first.open == 0  # Its process did not stay behind.
    assert sum(bursts(path).values()) == interrupted_at
    with appending(path) as writer:
        summary = fill(writer, second.start, BLOCKS, THREE)
    assert first.bursts + second.bursts == Counter(dict.fromkeys(BLOCKS, 3))
    assert bursts(path) == dict.fromkeys(BLOCKS, 3)
    assert (summary.measured + summary.skipped, set(summary.ended)) == (4, {"most bursts"})
    assert {row.stopped for row in measurements(path).values()} == {"most bursts"}


def test_a_run_that_goes_on_makes_its_rounds_in_orders_of_their_own(path: Path) -> None:
    workloads = [block(channels) for channels in range(1, 21)]
    asked: list[tuple[Workload, ...]] = []
    for _ in range(3):
        rounds = Rounds()

        def interrupt(progress: Progress) -> None:
            if progress.done == 20:
                raise KeyboardInterrupt

        with appending(path) as writer, suppress(KeyboardInterrupt):
            fill(writer, rounds.start, workloads, THREE, tell=interrupt)
        asked.append(tuple(rounds.asked[0]))
    assert len(set(asked)) == 3


def test_what_is_measured_again_takes_the_place_of_what_was_known(path: Path) -> None:
    with appending(path) as writer:
        fill(writer, Rounds().start, BLOCKS, THREE)
    rounds = Rounds(earlier=3)
    with appending(path) as writer:
        summary = fill(writer, rounds.start, BLOCKS, THREE, again=lambda outcome: outcome.workload in BLOCKS[:2])
    assert (summary.measured, summary.skipped) == (2, 2)
    assert rounds.bursts == dict.fromkeys(BLOCKS[:2], 3)
    processes = {workload: [taken.process for taken in row.bursts] for workload, row in measurements(path).items()}
    assert processes[BLOCKS[0]] == processes[BLOCKS[1]] == ["process 3", "process 4", "process 5"]
    assert processes[BLOCKS[2]] == processes[BLOCKS[3]] == ["process 0", "process 1", "process 2"]


def test_what_is_measured_again_is_kept_until_its_first_new_burst(path: Path) -> None:
    with appending(path) as writer:
        fill(writer, Rounds().start, BLOCKS, THREE)

    def interrupt(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), appending(path) as writer:
        fill(writer, Rounds(earlier=3).start, BLOCKS, THREE, again=lambda _: True, tell=interrupt)
    assert sorted(bursts(path).values()) == [1, 1, 3, 3]
    assert Counter(row.stopped for row in measurements(path).values()) == {"most bursts": 2, UNFINISHED: 2}
    rounds = Rounds(earlier=4)
    with appending(path) as writer:
        fill(writer, rounds.start, BLOCKS, THREE)
    assert sum(rounds.bursts.values()) == 4
    assert set(bursts(path).values()) == {3}


def limited(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit_s: float, *, again: bool = False, earlier: int = 0
) -> tuple[FillSummary, Rounds]:
    """A fill by a clock on which every burst takes a second."""
    now_s = [100.0]

    def a_second(workload: Workload, number: int) -> Outcome:
        now_s[0] += 1
        return steady(workload, number)

    monkeypatch.setattr(filling, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    rounds = Rounds(a_second, earlier=earlier)
    with appending(path) as writer:
        return fill(writer, rounds.start, BLOCKS, THREE, again=lambda _: again, limit_s=limit_s), rounds


def test_the_time_limit_leaves_workloads_unfinished_and_the_same_call_finishes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, rounds = limited(path, monkeypatch, 5.5)
    assert sum(rounds.bursts.values()) == 6  # The sixth was begun in time.
    assert (summary.measured, summary.skipped, summary.ended) == (4, 0, {UNFINISHED: 4})
    assert sorted(bursts(path).values()) == [1, 1, 2, 2]
    summary, rounds = limited(path, monkeypatch, 100.0, earlier=2)
    assert sum(rounds.bursts.values()) == 6
    assert (summary.measured, summary.ended) == (4, {"most bursts": 4})
    assert set(bursts(path).values()) == {3}
    summary, rounds = limited(path, monkeypatch, 100.0)
    assert (summary.measured, summary.skipped, rounds.bursts) == (0, 4, Counter())


def test_no_time_at_all_measures_nothing_and_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, rounds = limited(path, monkeypatch, 0.0)
    assert (summary, rounds.bursts) == (FillSummary(0, 0, 0, None, (), {}), Counter())
    assert len(Table.read(path)) == 0


def test_what_is_measured_again_and_interrupted_goes_on_by_the_same_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(path, monkeypatch, 100.0)
    _, first = limited(path, monkeypatch, 5.5, again=True, earlier=3)  # One or two bursts of each, none finished.
    _, second = limited(path, monkeypatch, 100.0, again=True, earlier=5)
    assert first.bursts + second.bursts == dict.fromkeys(BLOCKS, 3)
    processes = {taken.process for row in measurements(path).values() for taken in row.bursts}
    assert processes.isdisjoint({"process 0", "process 1", "process 2"})


def test_only_what_this_run_took_bursts_of_is_counted_as_measured(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(path, monkeypatch, 100.0)
    summary, _ = limited(path, monkeypatch, 2.0, again=True)
    assert (summary.measured, summary.skipped, summary.ended) == (2, 0, {UNFINISHED: 2})


@pytest.mark.parametrize(
    ("device", "threads", "words"),
    [
        (OTHER_DEVICE, 1, "name: Example 3000 there, Example 4000 here"),
        (DEVICE, 2, "threads: 1 there, 2 here"),
    ],
)
def test_a_table_of_another_environment_is_refused_before_anything_is_measured(
    path: Path, device: Device, threads: int, words: str
) -> None:
    filled(path, BLOCKS[:1])
    before = path.read_bytes()
    told: list[Progress] = []
    with pytest.raises(WrongUse, match="times of two are never mixed") as caught, appending(path) as writer:
        fill(writer, dummies(device=device, threads=threads), BLOCKS, QUICK, tell=told.append)
    assert words in str(caught.value)
    assert (path.read_bytes(), told) == (before, [])


def test_an_empty_table_takes_every_environment() -> None:
    refuse_other_environment(Table(), ENVIRONMENT)
    refuse_other_environment(Table([measurement()]), ENVIRONMENT)


SLOW_FILL = """
import sys, time
from dataclasses import replace
from pathlib import Path
from latency import DummyProfiler
from lut import appending, fill, in_this_process
from tests.contracts.examples import DEVICE, QUICK, block, idle


class Slow:
    def __init__(self, broken):
        self.inner = DummyProfiler(DEVICE, idle, broken=broken)
        self.environment = self.inner.environment
        self.left = int(sys.argv[2])

    def measure(self, workload, plan):
        self.left -= 1
        time.sleep(0.012 if self.left >= 0 else 600)  # By then it is killed, however late.
        return self.inner.measure(workload, plan)


workloads = [block(channels) for channels in range(1, 22)]
plan = replace(QUICK, least_bursts=3, most_bursts=3)
with appending(Path(sys.argv[1])) as writer:
    print("ready", flush=True)
    start = in_this_process(Slow(frozenset(w.digest for w in workloads[::7])))
    fill(writer, start, workloads, plan)
"""


@contextmanager
def filling_process(path: Path, bursts: int = 1000) -> Iterator[subprocess.Popen[bytes]]:
    """A fill in another process that has just begun and stands still after some bursts; it is gone afterwards."""
    command = [sys.executable, "-c", SLOW_FILL, str(path), str(bursts)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def test_a_fill_killed_again_and_again_ends_like_one_that_was_left_alone(tmp_path: Path) -> None:
    killed, alone = tmp_path / "killed.jsonl", tmp_path / "alone.jsonl"
    draw, before = random.Random(2), b""
    for _ in range(8):
        with filling_process(killed, 6):
            time.sleep(draw.uniform(0, 0.06))
        after = killed.read_bytes()
        assert after.startswith(before[: before.rfind(b"\n") + 1])  # no row of an earlier run is lost or changed
        before = after
    rows_when_killed = len(rows(killed))
    for path in (killed, alone):
        with filling_process(path) as process:
            assert process.wait() == 0
    assert rows_when_killed < 57  # 18 workloads of three bursts, and 3 that fail
    assert Counter(rows(killed)) == Counter(rows(alone))
    assert Counter(Counter(rows(killed)).values()) == {3: 18, 1: 3}
    assert set(bursts(killed).values()) == {3}
    assert set(Table.read(killed)) == set(Table.read(alone))
    assert {row.stopped for row in measurements(killed).values()} == {"precise"}  # This profiler repeats itself.
