from __future__ import annotations

import json
from pathlib import Path

import pytest

from lut import Table
from tests.paceline.conftest import Command

FILL = ("profile", "--space", "demo", "--input", "32x64", "--runtime", "dummy", "--rounds", 2)
"""The command that ``dummy_table`` was filled with."""


def test_a_fill_ends_with_a_summary_and_a_second_one_skips_everything(command: Command, dummy_table: Path) -> None:
    ended = command(*FILL, "--out", dummy_table, "--json")
    assert ended.status == 0
    rows = len(Table.read(dummy_table))
    assert (ended.json["measured"], ended.json["failed"], ended.json["skipped"]) == (0, 0, rows)
    assert 0 <= ended.json["widest_interval"] < 1  # every process of the dummy invents the same noise


def test_the_summary_for_people_names_the_same_things(command: Command, tmp_path: Path) -> None:
    ended = command(
        *("profile-device", "--space", "demo", "--input", "32x32", "--runtime", "dummy"),
        *("--rounds", 2, "--out", tmp_path / "t.jsonl"),
    )
    for word in ("measured", "failed", "skipped", "widest 95 % interval"):
        assert word in ended.out
    assert "2 cores" in ended.err or "cores" in ended.err


def test_another_thread_count_is_another_environment(command: Command, dummy_table: Path) -> None:
    before = dummy_table.read_bytes()
    ended = command(
        *("profile", "--space", "demo", "--input", "32x64", "--runtime", "dummy", "--threads", 2),
        *("--out", dummy_table),
    )
    assert ended.status == 2
    assert "threads: 1 there, 2 here" in ended.err
    assert "another table" in ended.err
    assert dummy_table.read_bytes() == before


def test_a_table_from_another_machine_is_refused_and_left_alone(command: Command, dummy_table: Path) -> None:
    rows = [json.loads(line) for line in dummy_table.read_text().splitlines()]
    for row in rows:
        row["environment"]["device"]["name"] = "Somebody else's processor"
    dummy_table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = dummy_table.read_bytes()
    ended = command(*FILL, "--out", dummy_table)
    assert ended.status == 2
    assert "name: Somebody else's processor there" in ended.err
    assert dummy_table.read_bytes() == before


def test_a_corrupt_line_is_named_and_repaired_and_measured_again(command: Command, dummy_table: Path) -> None:
    lines = dummy_table.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:40] + b"\n"
    dummy_table.write_bytes(b"".join(lines))
    fill = (*FILL, "--out", dummy_table, "--json")
    ended = command(*fill)
    assert ended.status == 2
    assert "line 4" in ended.err
    assert f"paceline table repair {dummy_table}" in ended.err
    assert dummy_table.read_bytes() == b"".join(lines)
    assert command("table", "repair", dummy_table).status == 0
    assert Path(f"{dummy_table}.rejected").read_bytes() == lines[3]
    assert command(*fill).json["measured"] == 1


def test_a_space_that_cannot_be_written_anywhere_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = command("profile", "--space", "demo", "--runtime", "dummy", "--out", tmp_path / "file" / "t.jsonl")
    assert ended.status == 2
    assert "--out" in ended.err


def test_known_rows_are_measured_again_when_asked_for(command: Command, dummy_table: Path) -> None:
    rows, lines = len(Table.read(dummy_table)), len(dummy_table.read_text().splitlines())
    fill = (*FILL, "--out", dummy_table, "--json")
    assert command(*fill, "--again", "failed").json["measured"] == 0
    assert command(*fill, "--again", "all").json["measured"] == rows
    assert len(dummy_table.read_text().splitlines()) == 2 * lines
    assert len(command("table", "show", dummy_table, "--json").json) == rows
    assert "doubtful" in command(*fill, "--again", "sometimes").err


def test_a_time_limit_of_no_time_measures_nothing(command: Command, tmp_path: Path) -> None:
    fill = ("profile", "--space", "demo", "--input", "32x64", "--runtime", "dummy", "--out", tmp_path / "t.jsonl")
    assert command(*fill, "--time-limit", "0s", "--json").json["measured"] == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--estimate",), "--estimate measures nothing, and --hosts"),
        (("--fraction", "0.2"), "--hosts measures all blocks"),
        (("--budget", "60s"), "--hosts measures all blocks"),
        (("--runtime", "openvino"), "measures on other machines"),
    ],
)
def test_what_several_devices_cannot_do_is_refused(
    command: Command, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    ended = command("profile-device", "--target", "xavier", "--hosts", "a,b", *more, "--out", tmp_path / "t.jsonl")
    assert ended.status == 2
    assert words in ended.err
    assert not list(tmp_path.iterdir())
