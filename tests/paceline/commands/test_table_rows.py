"""Rows on the screen: what was measured, what failed, and what was not measured here."""

from __future__ import annotations

import math

import pytest

from devices import WrongUse
from latency import Estimate
from lut import Table
from paceline.commands.table_rows import row_json, show_rows, sorted_rows
from tests.contracts.examples import ENVIRONMENT, block, failure, measurement


@pytest.fixture
def table() -> Table:
    found = Table([measurement(block(8), 2e-3), failure(block(9))])
    found.add_estimate(block(10), ENVIRONMENT, Estimate(3e-3, 3e-4, "predicted", is_inside=False))
    found.add_estimate(block(11), ENVIRONMENT, Estimate(1e-3, math.nan, "reported"))
    return found


def test_rows_of_all_kinds_are_sorted_together(table: Table) -> None:
    by_name = [row.workload for row in sorted_rows(table, "name")]
    by_time = [row.workload for row in sorted_rows(table, "time")]
    assert by_name == [block(8), block(9), block(10), block(11)]
    assert by_time == [block(10), block(8), block(11), block(9)]
    with pytest.raises(WrongUse, match="order for --sort"):
        sorted_rows(table, "size")


def test_what_was_not_measured_says_so_and_how_sure_it_is(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    show_rows("t", sorted_rows(table, "name"))
    lines = capsys.readouterr().out.splitlines()
    (predicted,) = (line for line in lines if "predicted" in line)
    assert "3 ms" in predicted
    assert "+-19.6%" in predicted
    assert "unlike" in predicted
    (reported,) = (line for line in lines if "reported" in line)
    assert "unknown" in reported


def test_from_peak_figures_an_interval_is_a_factor(capsys: pytest.CaptureFixture[str]) -> None:
    found = Table()
    found.add_estimate(block(8), ENVIRONMENT, Estimate(2e-3, 1.5e-3, "roofline", is_inside=False))
    show_rows("t", sorted_rows(found, "name"))
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "roofline" in line)
    assert "/4.3 to x4.3" in row
    assert "unlike" not in row
    assert row_json(sorted_rows(found, "name")[0])["source"] == "roofline"


def test_a_table_of_measurements_has_no_column_for_others(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows("t", sorted_rows(Table([measurement(block(8))]), "name"))
    assert "not measured" not in capsys.readouterr().out


def test_programs_are_told_the_same(table: Table) -> None:
    measured, failed, predicted, reported = map(row_json, sorted_rows(table, "name"))
    assert (measured["source"], measured["time_s"]) == ("measured", pytest.approx(2e-3, rel=0.01))
    assert failed["failure"] == failure(block(9)).reason
    assert (predicted["source"], predicted["is_inside"]) == ("predicted", False)
    assert predicted["interval_s"] == pytest.approx([3e-3 - 1.96 * 3e-4, 3e-3 + 1.96 * 3e-4], rel=1e-3)
    assert reported["interval_s"] is None
