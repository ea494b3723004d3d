"""What every format of other people's tables must do. Inherit the suite, say how a file of yours is made, and run it.

::

    from tests.contracts.format_contract import FormatContract

    class TestMyFormat(FormatContract):
        form = MyFormat()
        keys = ("a", "b", "c", "d")
        bad_key = "?"
        second_row = "line 2"

        def write(self, path, rows):
            path.write_text(json.dumps(dict(rows)))
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from devices import WrongUse
from latency import Estimate, Failure
from lut import (
    FORMATS,
    Format,
    Imported,
    Statement,
    Table,
    format_of,
    known_rows,
    read_foreign,
    write_foreign,
)
from tests.contracts.examples import failure

TIMES = (3.25, 0.5, 7.125, 2.0)
NO_TIMES: tuple[object, ...] = (-3, -1.5, 0, math.nan, math.inf, -math.inf, "soon", None, True)


class FormatContract(ABC):
    """The suite. Times are in the format's own unit."""

    form: ClassVar[Format]
    keys: ClassVar[Sequence[str]]
    """Four keys or more, in whatever spelling ``write`` takes."""

    bad_key: ClassVar[str]
    """A key that says nothing."""

    second_row: ClassVar[str]
    """How the second row that ``write`` writes is called."""

    @abstractmethod
    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        """Write a file of these keys and times, however dirty, in this order; keys may repeat."""

    def read(self, path: Path, rows: Sequence[tuple[str, object]]) -> Imported:
        self.write(path, rows)
        return read_foreign(path, self.form, Statement(), others=FORMATS.values())

    def table(self, path: Path) -> Table:
        """A table of the clean file."""
        table = Table()
        for row in self.read(path, list(zip(self.keys, TIMES, strict=False))).rows:
            table.add_estimate(*row)
        return table

    def test_it_is_found_by_its_name_and_by_its_looks_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "times"
        self.write(path, list(zip(self.keys, TIMES, strict=False)))
        assert FORMATS[self.form.name].name == self.form.name
        head = path.read_bytes()
        assert [form.name for form in FORMATS.values() if form.looks_like(head)] == [self.form.name]
        assert format_of(path).name == format_of(path, self.form.name).name == self.form.name

    def test_every_clean_row_becomes_a_reported_time_in_seconds(self, tmp_path: Path) -> None:
        imported = self.read(tmp_path / "times", list(zip(self.keys, TIMES, strict=False)))
        assert not imported.problems
        assert not imported.failures
        assert [row.estimate.mean_s for row in imported.rows] == pytest.approx([t / self.form.per_s for t in TIMES])
        assert {row.estimate.source for row in imported.rows} == {"reported"}
        assert len({row.workload for row in imported.rows}) == len(TIMES)

    def test_a_spread_that_the_file_does_not_tell_is_not_a_number(self, tmp_path: Path) -> None:
        imported = self.read(tmp_path / "times", list(zip(self.keys, TIMES, strict=False)))
        assert all(math.isnan(row.estimate.standard_deviation_s) for row in imported.rows)

    def test_what_is_written_is_read_back_without_a_loss(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "times")
        exported = write_foreign(table, self.form, tmp_path / "again")
        assert (exported.written, exported.unsaid) == (len(TIMES), ())
        again = read_foreign(tmp_path / "again", format_of(tmp_path / "again"), Statement())
        assert {row.workload: row.estimate.mean_s for row in again.rows} == {
            row.workload: row.estimate.mean_s for row in known_rows(table) if isinstance(row.estimate, Estimate)
        }
        assert again.problems == ()

    def test_written_twice_it_is_the_same_file(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "times")
        for name in ("a", "b"):
            write_foreign(table, self.form, tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
        assert not list(tmp_path.glob("*.unfinished"))

    @pytest.mark.parametrize("time", NO_TIMES, ids=repr)
    def test_a_time_that_is_none_is_refused_by_its_row(self, time: object, tmp_path: Path) -> None:
        imported = self.read(tmp_path / "times", [(self.keys[0], 3.25), (self.keys[1], time), (self.keys[2], 4.5)])
        (problem,) = imported.problems
        assert "time" in problem.reason
        assert problem.where.startswith(self.second_row)
        assert len(imported.rows) == 2
        assert imported.failures == ()

    def test_minus_one_is_a_failure_and_said(self, tmp_path: Path) -> None:
        imported = self.read(tmp_path / "times", [(self.keys[0], 3.25), (self.keys[1], -1)])
        (failed,) = imported.failures
        assert isinstance(failed, Failure)
        assert failed.stage == "import"
        assert "-1" in failed.reason
        assert [problem.reason for problem in imported.problems] == [failed.reason]
        assert len(imported.rows) == 1

    def test_of_a_repeated_key_with_two_times_none_is_taken(self, tmp_path: Path) -> None:
        rows = [(self.keys[0], 3.25), (self.keys[1], 1.25), (self.keys[0], 3.5)]
        imported = self.read(tmp_path / "times", rows)
        assert [row.estimate.mean_s for row in imported.rows] == pytest.approx([1.25 / self.form.per_s])
        assert len(imported.problems) == 2
        assert len({problem.where for problem in imported.problems}) == 2
        assert all("3.25 and 3.5" in problem.reason for problem in imported.problems)

    def test_of_a_row_that_is_there_twice_one_is_taken_and_the_other_said(self, tmp_path: Path) -> None:
        imported = self.read(tmp_path / "times", [(self.keys[0], 3.25), (self.keys[0], 3.25)])
        assert len(imported.rows) == len(imported.problems) == 1
        assert "repeats" in imported.problems[0].reason

    def test_the_step_of_a_coarse_clock_is_in_the_deviation(self, tmp_path: Path) -> None:
        coarse = self.read(tmp_path / "coarse", list(zip(self.keys, (3, 12, 7), strict=False)))
        assert coarse.resolution_s == 1 / self.form.per_s
        deviations = [row.estimate.standard_deviation_s for row in coarse.rows]
        assert deviations == pytest.approx([1 / self.form.per_s / math.sqrt(12)] * 3)
        fine = self.read(tmp_path / "fine", list(zip(self.keys, (3, 12, 7.5), strict=False)))
        assert fine.resolution_s is None

    def test_a_key_that_says_nothing_is_refused_by_its_row(self, tmp_path: Path) -> None:
        imported = self.read(tmp_path / "times", [(self.keys[0], 3.25), (self.bad_key, 4.5)])
        assert len(imported.rows) == len(imported.problems) == 1
        assert imported.problems[0].where.startswith(self.second_row)

    def test_a_file_without_a_good_row_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WrongUse, match=r"no row with a time[\s\S]*negative"):
            self.read(tmp_path / "times", [(self.keys[0], -3)])

    def test_a_file_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WrongUse, match="cannot be read"):
            list(self.form.read(tmp_path / "missing", Statement(), lambda done, of: None))

    def test_a_failure_is_written_as_one_or_named(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "times")
        table.add(failure(environment=table.environment()))
        exported = write_foreign(table, self.form, tmp_path / "again")
        if not exported.unsaid:
            again = read_foreign(tmp_path / "again", self.form, Statement())
            assert [failed.reason for failed in again.failures] == ["not implemented"]
            assert again.problems == ()
        else:
            assert exported.unsaid[0][0].failed == ("load", "not implemented")

    def test_what_the_user_states_goes_before_what_is_known(self, tmp_path: Path) -> None:
        self.write(tmp_path / "times", list(zip(self.keys, TIMES, strict=False)))
        stated = read_foreign(tmp_path / "times", self.form, Statement("My phone", "myrt", "fp16", 3))
        (environment,) = {row.environment.digest: row.environment for row in stated.rows}.values()
        assert (environment.device.name, environment.runtime.name, environment.runtime.threads) == (
            "My phone",
            "myrt",
            3,
        )
        assert not {"device", "runtime", "number of threads"} & set(stated.unknown())

    def test_it_tells_how_far_it_is(self, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        self.write(tmp_path / "times", list(zip(self.keys, TIMES, strict=False)))
        read_foreign(tmp_path / "times", self.form, Statement(), lambda done, of: told.append((done, of)))
        assert len(told) >= len(TIMES)
        assert told == sorted(told)
        assert all(done <= of for done, of in told)
