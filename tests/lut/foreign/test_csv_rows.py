from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from devices import WrongUse
from latency import Estimate
from lut import Table
from lut.foreign import CsvRows, Statement, format_of, read_foreign, write_foreign
from tests.contracts.examples import ENVIRONMENT, OTHER_DEVICE, block, decoder, failure, measurement
from tests.contracts.format_contract import FormatContract

FORM = CsvRows()


class TestCsvRows(FormatContract):
    form = FORM
    keys = tuple(f"{channels}x8x8" for channels in (8, 16, 24, 32))
    bad_key = "wide"
    second_row = "line 3"

    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["operator", "inputs", "mean_ms"])
            writer.writerows(["identity", inputs, "" if time is None else time] for inputs, time in rows)


def mixed() -> Table:
    """Two devices, two precisions, what was measured, failed, was reported and predicted."""
    other = type(ENVIRONMENT)(OTHER_DEVICE, ENVIRONMENT.runtime)
    table = Table([measurement(block(8)), measurement(block(12), 2e-3, other), failure(block(16))])
    table.add_estimate(decoder(), ENVIRONMENT, Estimate(3.3e-3, math.nan, "reported"))
    table.add_estimate(block(20), ENVIRONMENT, Estimate(4.1e-3, 1e-4, "predicted", is_inside=False))
    return table


def test_all_that_a_table_knows_is_written_and_read_back_as_reported(tmp_path: Path) -> None:
    table = mixed()
    assert write_foreign(table, FORM, tmp_path / "a.csv").written == 5
    again = read_foreign(tmp_path / "a.csv", format_of(tmp_path / "a.csv"), Statement())
    assert again.problems == ()
    assert len(again.rows) == 4
    for row in again.rows:
        known = table.estimate(row.workload, row.environment)
        assert known is not None
        assert row.estimate.mean_s == known.mean_s
        assert row.estimate.standard_deviation_s == pytest.approx(known.standard_deviation_s, nan_ok=True)
        assert row.estimate.source == ("predicted" if known.source == "predicted" else "reported")
        assert row.estimate.is_inside == known.is_inside
    (failed,) = again.failures
    assert (failed.stage, failed.reason, failed.workload) == ("load", "not implemented", block(16))


def test_a_spreadsheet_reads_it(tmp_path: Path) -> None:
    write_foreign(mixed(), FORM, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        first, *_, last = csv.DictReader(file)
    assert (first["operator"], first["inputs"], first["bursts"], first["inside"]) == (
        "inverted_residual",
        "8x8x8",
        "1",
        "true",
    )
    assert (last["source"], last["inside"]) == ("predicted", "false")


def test_a_byte_order_mark_spaces_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfoperator, inputs, mean_ms\r\nidentity,8x8x8,1.5\r\n")
    assert format_of(tmp_path / "a.csv").name == "csv"
    assert len(read_foreign(tmp_path / "a.csv", FORM, Statement()).rows) == 1


def test_a_row_of_too_few_or_too_many_cells_is_refused_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "operator,inputs,mean_ms\nidentity,8x8x8,1.5\nidentity,8x8x9\n\nidentity,8x8x7,1,5\n", encoding="utf-8"
    )
    found = read_foreign(tmp_path / "a.csv", FORM, Statement())
    assert [(problem.where, problem.reason[:12]) for problem in found.problems] == [
        ("line 3", "it has 2 cel"),
        ("line 5", "it has 4 cel"),
    ]


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('operator,inputs,mean_ms\nidentity,"8x8x8,1.5\n', encoding="utf-8")
    with pytest.raises(WrongUse, match="is no CSV"):
        read_foreign(tmp_path / "a.csv", FORM, Statement())


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("", encoding="utf-8")
    with pytest.raises(WrongUse, match="must have the columns"):
        read_foreign(tmp_path / "a.csv", FORM, Statement())


@pytest.mark.parametrize(
    "head",
    [
        b"operator,inputs,mean_ms\0\n",
        b"PAR1\0operator,inputs,mean_ms\rx\n",
        b'"operator\rinputs\nmean_ms',
        b"a\rb\rc\n",
        b"\0\r\xff\n",
    ],
)
def test_a_head_that_is_no_csv_does_not_look_like_one(head: bytes) -> None:
    assert not FORM.looks_like(head)


def test_lines_may_end_with_a_carriage_return_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"operator,inputs,mean_ms\ridentity,8x8x8,1.5\ridentity,8x8x9,2.5")
    told: list[tuple[int, int]] = []
    found = read_foreign(
        tmp_path / "a.csv", format_of(tmp_path / "a.csv"), Statement(), lambda done, of: told.append((done, of))
    )
    assert len(found.rows) == 2
    assert told == [(2, 3), (3, 3)]


def test_a_heading_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"operator,inputs,mean_ms\nidentity,8x8x8,1.5\n', encoding="utf-8")
    with pytest.raises(WrongUse, match="is no CSV"):
        read_foreign(tmp_path / "a.csv", FORM, Statement())
