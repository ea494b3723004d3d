"""Filling a table: what is known is skipped, what fails is kept, and a killed run goes on where it was."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices import Device, WrongUse
from latency import DummyProfiler, Failure, Measurement, Workload
from lut import FillSummary, Progress, Table, appending, fill, refuse_other_environment
from tests.contracts.examples import BLOCKS, DEVICE, OTHER_DEVICE, QUICK, block, idle, skip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def filled(
    path: Path, workloads: Sequence[Workload] = BLOCKS, *, broken: Sequence[Workload] = (), retry: bool = False
) -> FillSummary:
    profiler = DummyProfiler(DEVICE, idle, broken=frozenset(workload.digest for workload in broken))
    with appending(path) as writer:
        return fill(writer, profiler, workloads, QUICK, again=lambda outcome: retry and isinstance(outcome, Failure))


def measured(path: Path) -> list[Workload]:
    return [outcome.workload for outcome in Table.read(path).values() if isinstance(outcome, Measurement)]


def test_every_workload_is_measured(path: Path) -> None:
    summary = filled(path)
    assert set(measured(path)) == set(BLOCKS)
    assert (summary.measured, summary.failed, summary.skipped, summary.failures) == (4, 0, 0, ())


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
    assert set(measured(path)) == set(BLOCKS[:2])


def test_the_order_is_shuffled_the_same_way_every_time(tmp_path: Path) -> None:
    workloads = [block(channels) for channels in range(1, 21)]
    orders = []
    for name in ("one", "two"):
        filled(tmp_path / name, workloads)
        orders.append(measured(tmp_path / name))
    assert orders[0] == orders[1] != workloads


def test_a_failure_is_kept_and_the_run_goes_on(path: Path) -> None:
    summary = filled(path, broken=BLOCKS[1:2])
    assert (summary.measured, summary.failed, summary.skipped) == (3, 1, 0)
    assert [(failure.workload, failure.reason) for failure in summary.failures] == [(BLOCKS[1], "declared broken")]
    assert set(measured(path)) == {BLOCKS[0], *BLOCKS[2:]}
    assert len(Table.read(path)) == 4


def test_what_failed_is_not_tried_again_unless_asked(path: Path) -> None:
    filled(path, broken=BLOCKS[1:2])
    summary = filled(path)
    assert (summary.measured, summary.failed, summary.skipped) == (0, 0, 4)
    assert [failure.workload for failure in summary.failures] == [BLOCKS[1]]
    again = filled(path, retry=True)
    assert (again.measured, again.failed, again.skipped, again.failures) == (1, 0, 3, ())
    assert set(measured(path)) == set(BLOCKS)


def test_what_fails_again_is_counted_again(path: Path) -> None:
    filled(path, broken=BLOCKS[1:2])
    again = filled(path, broken=BLOCKS[1:2], retry=True)
    assert (again.measured, again.failed, again.skipped, len(again.failures)) == (0, 1, 3, 1)


def test_the_widest_measurement_is_among_all_that_were_wanted(path: Path) -> None:
    filled(path)
    measurements = [outcome for outcome in Table.read(path).values() if isinstance(outcome, Measurement)]
    widest = max(measurements, key=lambda outcome: outcome.relative_half_width)
    others = [workload for workload in BLOCKS if workload != widest.workload]
    assert filled(path).widest == widest
    assert filled(path, others).widest != widest


def test_without_measurements_none_is_the_widest(path: Path) -> None:
    assert filled(path, BLOCKS[:1], broken=BLOCKS[:1]).widest is None
    assert filled(path, []) == FillSummary(0, 0, 0, None, ())


def test_progress_is_told_before_the_first_and_after_every_workload(path: Path) -> None:
    told: list[Progress] = []
    filled(path, BLOCKS[:1])
    with appending(path) as writer:
        fill(writer, DummyProfiler(DEVICE, idle, broken=frozenset({BLOCKS[1].digest})), BLOCKS, QUICK, tell=told.append)
    assert [(progress.done, progress.wanted) for progress in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[0].outcome is None
    outcomes = [progress.outcome for progress in told[1:]]
    assert {outcome.workload for outcome in outcomes if outcome} == set(BLOCKS[1:])
    assert sum(isinstance(outcome, Failure) for outcome in outcomes) == 1


def test_an_outcome_is_in_the_file_when_it_is_told(path: Path) -> None:
    counts = []
    with appending(path) as writer:
        tell = lambda progress: counts.append((progress.done, len(Table.read(path))))  # noqa: E731 - one use, in place
        fill(writer, DummyProfiler(DEVICE, idle), BLOCKS, QUICK, tell=tell)
    assert counts == [(done, done) for done in range(5)]


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
        fill(writer, DummyProfiler(device, idle, threads), BLOCKS, QUICK, tell=told.append)
    assert words in str(caught.value)
    assert (path.read_bytes(), told) == (before, [])


def test_an_empty_table_takes_every_environment() -> None:
    refuse_other_environment(Table(), DummyProfiler(OTHER_DEVICE, idle))


def test_an_interrupted_run_keeps_what_it_has(path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), appending(path) as writer:
        fill(writer, DummyProfiler(DEVICE, idle), BLOCKS, QUICK, tell=interrupt)
    assert len(measured(path)) == 2
    assert filled(path).skipped == 2


SLOW_FILL = """
import sys, time
from contextlib import contextmanager
from pathlib import Path
from latency import DummyProfiler, Profiler
from lut import appending, fill
from tests.contracts.examples import DEVICE, QUICK, block, idle


class Slow(Profiler):
    name = "slow"

    def __init__(self, broken):
        self.inner = DummyProfiler(DEVICE, idle, broken=broken)

    @property
    def environment(self):
        return self.inner.environment

    def state(self):
        return idle()

    @contextmanager
    def open(self, workload):
        time.sleep(0.004)
        with self.inner.open(workload) as run:
            yield run


workloads = [block(channels) for channels in range(1, 61)]
with appending(Path(sys.argv[1])) as writer:
    print("ready", flush=True)
    fill(writer, Slow(frozenset(w.digest for w in workloads[::7])), workloads, QUICK)
"""


def keys(path: Path) -> list[tuple[str, str]]:
    """Kind and workload of every row in the file, in order and with repetitions; a torn last line is none."""
    lines = path.read_bytes().split(b"\n")[:-1]
    rows = (json.loads(line) for line in lines)
    return [(row["kind"], json.dumps(row["workload"], sort_keys=True)) for row in rows]


@contextmanager
def filling(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A fill in another process that has just begun; it is gone afterwards."""
    command = [sys.executable, "-c", SLOW_FILL, str(path)]
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
        with filling(killed):
            time.sleep(draw.uniform(0, 0.06))
        after = killed.read_bytes()
        assert after.startswith(before[: before.rfind(b"\n") + 1])  # no row of an earlier run is lost or changed
        before = after
    rows_when_killed = len(keys(killed))
    for path in (killed, alone):
        with filling(path) as process:
            assert process.wait() == 0
    assert rows_when_killed < 60
    assert Counter(keys(killed)) == Counter(keys(alone))
    assert set(Counter(keys(killed)).values()) == {1}
    assert (len(keys(killed)), set(Table.read(killed))) == (60, set(Table.read(alone)))


def test_turns_are_taken_by_all_and_joined_into_one_row_each(path: Path) -> None:
    told = list[Progress]()
    with appending(path) as writer:
        summary = fill(writer, DummyProfiler(DEVICE, idle), BLOCKS, QUICK, turns=3, tell=told.append)
    rows = list(Table.read(path).values())
    assert (summary.measured, summary.failed, len(path.read_bytes().splitlines())) == (4, 0, 4)
    assert all(isinstance(row, Measurement) and len(row.bursts) == 3 for row in rows)
    assert [progress.done for progress in told] == list(range(13))
    turns = [progress.outcome.workload for progress in told if progress.outcome is not None]
    assert turns[:4] == turns[4:8] == turns[8:]
    assert len(set(turns[:4])) == 4


def test_a_workload_that_fails_in_one_turn_has_failed(path: Path) -> None:
    profiler = DummyProfiler(DEVICE, idle, broken=frozenset({BLOCKS[0].digest}))
    with appending(path) as writer:
        summary = fill(writer, profiler, BLOCKS, QUICK, turns=2)
    assert (summary.measured, summary.failed) == (3, 1)
    assert [failure.workload for failure in summary.failures] == [BLOCKS[0]]
