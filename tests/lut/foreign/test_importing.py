from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from latency import Estimate, Failure, Measurement
from lut import Table, appending
from lut.foreign import ForeignRow, Format, Imported, KnownRow, Origin, Problem, Statement, Tell, read_foreign, store
from tests.contracts.examples import ENVIRONMENT, block, failure, measurement

ORIGIN = Origin("a.txt", ENVIRONMENT.device, "example", {"examplert": "1.2"}, 1, {"mode": "fast"}, "fp32")


@dataclass(frozen=True)
class Given(Format):
    """A format whose rows are given."""

    rows: tuple[ForeignRow | Problem, ...]

    name = "given"

    def looks_like(self, head: bytes) -> bool:
        return False

    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        yield from self.rows

    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        raise NotImplementedError


def given(*rows: ForeignRow | Problem) -> Imported:
    return read_foreign(Path("a.txt"), Given(rows), Statement())


def row(channels: int, time: object, deviation: object = None, origin: Origin = ORIGIN) -> ForeignRow:
    return ForeignRow(f"row {channels}", block(channels), origin, time, deviation)


def predicted(channels: int) -> ForeignRow:
    return replace(row(channels, 9.5), source="predicted")


def mean_ms(table: Table, channels: int) -> float | None:
    """What is known of a block, rounded."""
    found = table.estimate(block(channels), ENVIRONMENT)
    return None if found is None else round(found.mean_s * 1e3, 6)


def test_rows_failures_and_problems_are_told_apart_in_their_order() -> None:
    found = given(row(1, 2.5), Problem("row 2", "no key"), row(3, -1), row(4, "x"), row(5, 3.5))
    assert [r.workload for r in found.rows] == [block(1), block(5)]
    assert [f.workload for f in found.failures] == [block(3)]
    assert [problem.where for problem in found.problems] == ["row 2", "row 3", "row 4"]


def test_the_same_workload_on_two_devices_is_no_repetition() -> None:
    other = Origin("a.txt", precision="fp32")
    found = given(row(1, 2.5), row(1, 3.5, origin=other))
    assert found.problems == ()
    assert found.origins == (ORIGIN, other)
    assert "device" in found.unknown()


def test_three_times_are_named_of_many_that_repeat_a_key() -> None:
    found = given(row(9, 1.5), *(row(1, time) for time in (2.5, 3.5, 4.5, 5.5)))
    assert {problem.reason for problem in found.problems} == {
        "it is there 4 times, with different times (2.5 and 3.5 and 4.5); none is taken"
    }


def test_the_step_of_a_coarse_clock_adds_to_what_the_file_says() -> None:
    found = given(row(1, 3, 0.4), row(2, 4), row(3, 5, 0))
    deviations_ms = [r.estimate.standard_deviation_s * 1e3 for r in found.rows]
    assert deviations_ms == pytest.approx([math.hypot(0.4, 12**-0.5), 12**-0.5, 12**-0.5])


def test_two_whole_numbers_are_a_chance() -> None:
    assert given(row(1, 3), row(2, 4)).resolution_s is None


def test_what_is_stored_is_read_from_the_file_and_not_stored_twice(tmp_path: Path) -> None:
    found = given(row(1, 2.5, 0.1), row(2, 3.5), row(3, -1))
    for written, known in ((3, 0), (0, 3)):
        with appending(tmp_path / "t.jsonl") as writer:
            assert store(found, writer) == (written, known, 0)
    table = Table.read(tmp_path / "t.jsonl")
    assert table.estimate(block(1), ENVIRONMENT) == Estimate(2.5e-3, 1e-4, "reported")
    assert isinstance(table.outcome(block(3), ENVIRONMENT), Failure)
    assert len((tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_another_time_takes_the_place_of_the_earlier_reported_one(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        store(given(row(1, 2.5)), writer)
        assert store(given(row(1, 2.25)), writer).written == 1
        estimate = writer.table.estimate(block(1), ENVIRONMENT)
    assert estimate is not None
    assert estimate.mean_s == 2.25e-3


def test_what_was_measured_or_failed_here_keeps_its_row(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        writer.append(measurement(block(1)))
        writer.append(measurement(block(2)))
        writer.append(failure(block(3)))
        assert store(given(row(1, 9.5), row(2, -1), row(3, 9.5), row(4, 9.5)), writer) == (1, 0, 3)
        kinds = [type(writer.table.outcome(block(n), ENVIRONMENT)) for n in (1, 2, 3)]
    assert kinds == [Measurement, Measurement, Failure]


def test_times_that_were_rounded_when_written_are_known_and_others_are_new(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        store(given(row(1, 2.5, 0.1)), writer)
        assert store(given(row(1, 2.5 * (1 + 1e-12), 0.1 * (1 - 1e-12))), writer) == (0, 1, 0)
        assert store(given(row(1, 2.5, 0.1 * (1 + 1e-6))), writer) == (1, 0, 0)
        assert store(given(row(1, 2.5)), writer) == (1, 0, 0)
        assert store(given(row(1, 2.5)), writer) == (0, 1, 0)


def test_a_good_time_takes_the_place_of_the_failure_of_an_import(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        store(given(row(1, -1), row(2, 3.5)), writer)
        assert store(given(row(1, 2.5)), writer) == (1, 0, 0)
        tables = [writer.table]
    for table in (*tables, Table.read(tmp_path / "t.jsonl")):
        assert mean_ms(table, 1) == 2.5
        assert table.outcome(block(1), ENVIRONMENT) is None


def test_the_failure_of_an_import_does_not_erase_a_time(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        store(given(row(1, 2.5), row(2, -1), predicted(3)), writer)
        assert store(given(row(1, -1), row(2, -1), row(3, -1), row(4, 4.5)), writer) == (1, 1, 2)
    table = Table.read(tmp_path / "t.jsonl")
    assert [mean_ms(table, n) for n in (1, 2, 3)] == [2.5, None, 9.5]


def test_a_prediction_replaces_neither_a_report_nor_a_failure_and_a_report_replaces_it(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        store(given(row(1, 2.5), row(2, -1), predicted(3)), writer)
        assert store(given(predicted(1), predicted(2), row(3, 3.5)), writer) == (1, 0, 2)
    table = Table.read(tmp_path / "t.jsonl")
    assert [mean_ms(table, n) for n in (1, 2, 3)] == [2.5, None, 3.5]


def test_what_was_measured_here_is_known_when_it_comes_back(tmp_path: Path) -> None:
    measured = measurement(block(1)).estimate()
    with appending(tmp_path / "t.jsonl") as writer:
        writer.append(measurement(block(1)))
        came_back = row(1, measured.mean_s * 1e3, measured.standard_deviation_s * 1e3)
        assert store(given(came_back), writer) == (0, 1, 0)
