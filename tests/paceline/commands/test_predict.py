from __future__ import annotations

import shlex
from pathlib import Path

from tests.paceline.conftest import Command


def test_a_prediction_has_an_interval_and_says_where_it_comes_from(command: Command, tmp_path: Path) -> None:
    table = tmp_path / "small.jsonl"
    size = ("--input", "64x128")
    command("profile", "--space", "squeezenas-small", *size, "--runtime", "dummy", "--rounds", 2, "--out", table)
    found = command("predict", "lat_small", *size, "--table", table, "--json").json
    assert found["interval_s"][0] <= found["mean_s"] <= found["interval_s"][1]
    assert found["environment"]["runtime"]["name"] == "dummy"
    assert "ms (95 % interval" in command("predict", "lat_small", *size, "--table", table).out


def test_missing_entries_are_answered_with_a_command_that_fills_them(command: Command, dummy_table: Path) -> None:
    ask = ("predict", "mac_small", "--input", "32x64", "--table", dummy_table)
    ended = command(*ask)
    assert ended.status == 2
    fills = ended.err.split("This command fills them: ")[1]
    assert command(*shlex.split(fills), "--runtime", "dummy", "--rounds", 2).status == 0
    assert command(*ask).status == 0
