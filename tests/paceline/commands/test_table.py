from __future__ import annotations

from pathlib import Path

from tests.paceline.conftest import Command


def test_show_lists_every_row_with_its_interval(command: Command, dummy_table: Path) -> None:
    rows = command("table", "show", dummy_table, "--json").json
    assert len(rows) == len(dummy_table.read_text().splitlines())
    assert all(row["interval_s"][0] <= row["median_s"] <= row["interval_s"][1] for row in rows)
    assert "inverted_residual" in command("table", "show", dummy_table).out


def test_repair_of_a_whole_table_changes_nothing(command: Command, dummy_table: Path) -> None:
    before = dummy_table.read_bytes()
    assert "0 lines moved" in command("table", "repair", dummy_table).out
    assert dummy_table.read_bytes() == before


def test_a_missing_table_is_answered_with_the_command_that_fills_it(command: Command, tmp_path: Path) -> None:
    ended = command("table", "show", tmp_path / "none.jsonl")
    assert ended.status == 2
    assert "profile-device --out" in ended.err
