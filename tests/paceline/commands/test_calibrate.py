from __future__ import annotations

from pathlib import Path

from latency import Burst, Measurement
from lut import Key, Table
from tests.paceline.conftest import Command

SPACE = ("--space", "demo", "--input", "32x64", "--runtime", "dummy")


def bursts(path: Path) -> dict[Key, tuple[Burst, ...]]:
    return {key: row.bursts for key, row in Table.read(path).items() if isinstance(row, Measurement)}


def test_a_calibrated_table_predicts_within_an_interval_that_says_so(command: Command, dummy_table: Path) -> None:
    raw = bursts(dummy_table)
    ended = command("table", "calibrate", dummy_table, *SPACE, "--rounds", 2, "--networks", 10, "--json")
    assert ended.status == 0, ended.err
    assert ended.json["networks"] == 10
    assert ended.json["entries"] == len(raw)
    assert ended.json["leave_one_out"]["mean_error"] < 0.05
    after = bursts(dummy_table)
    assert {key: after[key] for key in raw} == raw, "measurements stay as they are"


def test_it_goes_on_where_it_was_and_measures_nothing_twice(command: Command, dummy_table: Path) -> None:
    command("table", "calibrate", dummy_table, *SPACE, "--rounds", 1, "--networks", 9)
    rows = len(Table.read(dummy_table))
    ended = command("table", "calibrate", dummy_table, *SPACE, "--rounds", 1, "--networks", 9)
    assert ended.status == 0, ended.err
    assert len(Table.read(dummy_table)) == rows
    assert "9 networks" in " ".join(ended.out.split())
    assert "plain sum of blocks" in ended.out


def test_predictions_are_calibrated_from_then_on(command: Command, dummy_table: Path, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    search = ("search", "--space", "demo", "--input", "32x64", "--table", dummy_table, "--objective", "latency")
    quick = tmp_path / "quick.toml"
    quick.write_text(
        "[search]\nwarm_up_steps = 1\nalternating_steps = 1\nbatch_size = 2\ncandidates = 1\n"
        "recalibration_batches = 1\nscore_images = 2\n"
    )
    assert command(*search, "--limit", "90%", "--config", quick, "--out", found).status == 0
    predict = ("predict", found, "--table", dummy_table, "--json")
    assert command(*predict).json["source"] == "measured"
    assert command("table", "calibrate", dummy_table, *SPACE, "--rounds", 1, "--networks", 8).status == 0
    assert command(*predict).json["source"] == "calibrated"
    assert command(*predict).err == ""
    assert command("profile-device", *SPACE, "--rounds", 1, "--again", "all", "--out", dummy_table).status == 0
    forgotten = command(*predict)
    assert forgotten.json["source"] == "measured"
    assert f"paceline table calibrate {dummy_table}" in forgotten.err


def test_known_networks_are_measured_again_when_asked_for_and_no_runtime_is_needed_where_none_are(
    command: Command, dummy_table: Path
) -> None:
    calibrate = ("table", "calibrate", dummy_table, *SPACE, "--rounds", 1)
    assert command(*calibrate, "--networks", 8).status == 0
    raw = bursts(dummy_table)
    learn = ("table", "calibrate", dummy_table, *SPACE[:4], "--runtime", "no-such-runtime", "--networks", 0)
    assert command(*learn, "--json").json["networks"] == 8
    assert command(*learn, "--again", "all").status == 2
    ended = command(*calibrate, "--networks", 0, "--again", "all", "--json")
    assert (ended.json["networks"], ended.json["failures"]) == (8, [])
    changed = [key for key, taken in bursts(dummy_table).items() if taken != raw[key]]
    assert len(changed) == 8


def test_too_few_networks_are_refused_before_any_is_measured(command: Command, dummy_table: Path) -> None:
    before = dummy_table.read_bytes()
    ended = command("table", "calibrate", dummy_table, *SPACE, "--rounds", 1, "--networks", 3)
    assert ended.status == 2
    assert "at least 8 networks" in ended.err
    assert dummy_table.read_bytes() == before


def test_a_table_that_lacks_blocks_is_refused_with_the_command_that_fills_it(
    command: Command, dummy_table: Path
) -> None:
    ended = command("table", "calibrate", dummy_table, "--space", "demo", "--runtime", "dummy", "--networks", 8)
    assert ended.status == 2
    assert "profile-device" in ended.err


def test_a_table_that_is_not_there_is_refused(command: Command, tmp_path: Path) -> None:
    ended = command("table", "calibrate", tmp_path / "none.jsonl", *SPACE)
    assert ended.status == 2
