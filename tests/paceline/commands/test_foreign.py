from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from latency import Failure
from lut import COLUMNS, Table, appending
from paceline.commands.foreign import patient_bar
from tests.contracts.examples import block, failure, measurement
from tests.paceline.conftest import Command

CLEAN = "Conv-input:224x224x3-output:112x112x32:\n  mean: 4.08\n  var: 0.25\n"
DIRTY = (
    f"{CLEAN}Conv_1-input:7x7x320-output:7x7x1280:\n  mean: -3.5\n"
    "Logits-input:7x7x1280-output:1000:\n  mean: -1\nnonsense:\n  mean: 2\n"
)


@pytest.fixture(autouse=True)
def wide_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_a_published_table_is_imported_with_what_is_known_and_what_is_not(command: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "mobile_trim.yaml", tmp_path / "t.jsonl"
    file.write_text(CLEAN, encoding="utf-8")
    ended = command("table", "import", file, "--out", out)
    assert ended.status == 0
    assert "proxylessnas, 1 times" in ended.out
    assert "Google Pixel 1" in ended.out
    assert "according to arXiv 1812.00332" in ended.out
    assert "not known: runtime version, number of threads, clocks, power mode" in ended.out
    (row,) = Table.read(out).unmeasured()
    assert row.estimate.source == "reported"
    again = command("table", "import", file, "--out", out, "--json").json
    assert (again["written"], again["known"]) == (0, 1)


def test_dirty_rows_are_named_and_the_good_ones_taken(command: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "a.yaml", tmp_path / "t.jsonl"
    file.write_text(DIRTY, encoding="utf-8")
    ended = command("table", "import", file, "--out", out, "--device", "My phone", "--runtime", "myrt")
    assert ended.status == 0
    assert "My phone" in ended.out
    assert "3 rows are wrong, 1 of them kept as failures:" in ended.out
    for line, why in ((4, "must not be negative"), (6, "mark of a failed profiling"), (8, "is no key")):
        assert any(f"line {line}," in text and why in text for text in ended.out.splitlines())
    table = Table.read(out)
    assert len(table.unmeasured()) == 1
    assert [type(outcome) for outcome in table.values()] == [Failure]


def test_strict_takes_all_or_nothing(command: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "a.yaml", tmp_path / "t.jsonl"
    file.write_text(DIRTY, encoding="utf-8")
    ended = command("table", "import", file, "--out", out, "--strict", "--json")
    assert ended.status == 1
    assert [problem["where"].partition(",")[0] for problem in ended.json["problems"]] == ["line 4", "line 6", "line 8"]
    assert not out.exists()
    file.write_text(CLEAN, encoding="utf-8")
    assert command("table", "import", file, "--out", out, "--strict").status == 0


def test_a_coarse_clock_is_said(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("operator,inputs,mean_ms\n" + "".join(f"identity,{n}x8x8,{n}\n" for n in (3, 5, 9)))
    ended = command("table", "import", file, "--out", tmp_path / "t.jsonl")
    assert "whole multiples of 1 ms" in ended.out
    (row, *_) = Table.read(tmp_path / "t.jsonl").unmeasured()
    assert row.estimate.standard_deviation_s == pytest.approx(1e-3 / math.sqrt(12))


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("hello", (), "looks like none of"),
        (CLEAN, ("--format", "csv"), "like proxylessnas. Use --format proxylessnas"),
        (CLEAN, ("--format", "yaml"), "no format 'yaml'"),
        (CLEAN.replace("4.08", "-4"), (), "no row with a time"),
        (CLEAN, ("--precision", "fp8"), "--precision must be one of"),
    ],
)
def test_what_cannot_be_imported_is_refused(
    text: str, options: tuple[str, ...], why: str, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    ended = command("table", "import", tmp_path / "a.yaml", "--out", tmp_path / "t.jsonl", *options)
    assert ended.status == 2
    assert why in ended.err
    assert not (tmp_path / "t.jsonl").exists()


def test_many_dirty_rows_are_counted_on_the_screen_and_all_told_in_json(command: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "a.csv", tmp_path / "t.jsonl"
    rows = "".join(f"identity,{n}x8x8,-2\n" for n in range(1, 31))
    file.write_text(f"operator,inputs,mean_ms\nidentity,8x9x9,1.5\n{rows}", encoding="utf-8")
    assert "and 10 more" in command("table", "import", file, "--out", out).out
    assert len(command("table", "import", file, "--out", out, "--json").json["problems"]) == 30


def test_help_says_every_column(command: Command) -> None:
    ended = command("table", "import", "--help")
    assert ended.status == 0
    assert all(f"{name}: " in ended.out for name in COLUMNS)


def test_a_table_is_exported_and_read_back(command: Command, tmp_path: Path) -> None:
    table, file, again = tmp_path / "t.jsonl", tmp_path / "a.csv", tmp_path / "again.jsonl"
    with appending(table) as writer:
        writer.append(measurement(block(8)))
        writer.append(failure(block(9)))
    ended = command("table", "export", table, "--out", file)
    assert (ended.status, "2 rows, csv" in ended.out) == (0, True)
    with file.open(encoding="utf-8", newline="") as opened:
        assert [row["failure"] for row in csv.DictReader(opened)] == ["", "load: not implemented"]
    assert command("table", "import", file, "--out", again, "--strict").status == 0
    (row,) = Table.read(again).unmeasured()
    assert row.workload == block(8)


def test_rows_that_a_format_cannot_say_are_named(command: Command, tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    with appending(table) as writer:
        for workload in (block(8), block(8, groups=2)):
            writer.append(measurement(workload))
    out = command("table", "export", table, "--format", "ofa", "--out", tmp_path / "a.yaml").out
    assert "1 rows are not in it" in out
    assert "groups=2" in out
    told = command("table", "export", table, "--format", "ofa", "--out", tmp_path / "a.yaml", "--json").json
    assert told["unsaid"][0]["workload"]["attributes"]["groups"] == 2


def test_a_table_is_not_overwritten_by_its_export(command: Command, tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        writer.append(measurement())
    before = (tmp_path / "t.jsonl").read_bytes()
    assert command("table", "export", tmp_path / "t.jsonl", "--out", tmp_path / "t.jsonl").status == 2
    assert (tmp_path / "t.jsonl").read_bytes() == before


def test_a_bar_shows_itself_only_when_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for patience_s, is_shown in ((60.0, False), (-1.0, True)):
        monkeypatch.setattr("paceline.commands.foreign._PATIENCE_S", patience_s)
        with patient_bar("reading a.yaml") as tell:
            tell(1, 2)
            tell(2, 2)
        assert ("reading a.yaml" in capsys.readouterr().err) is is_shown
