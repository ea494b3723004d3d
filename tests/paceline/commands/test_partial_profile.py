"""``profile-device --fraction`` and ``--budget``: a part is measured, the rest predicted and marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from lut import Table
from search import open_space
from tests.paceline.conftest import Command

FILL = ("profile-device", "--space", "demo", "--input", "32x64", "--runtime", "dummy", "--rounds", 1)


def test_a_fraction_is_measured_and_the_rest_predicted(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    ended = command(*FILL, "--fraction", "0.2", "--out", path, "--json")
    assert ended.status == 0, ended.err
    table = Table.read(path)
    assert (ended.json["measured"], ended.json["predicted"]) == (len(table), len(table.unmeasured())) == (26, 102)
    assert 0 < ended.json["interval_90"] < 1
    fixed = open_space("demo", (32, 64)).fixed
    assert all(table.outcome(workload, table.environment()) is not None for workload in fixed)


def test_the_words_say_what_was_predicted_and_what_to_do(command: Command, tmp_path: Path) -> None:
    ended = command(*FILL, "--fraction", "20%", "--model", "ridge", "--out", tmp_path / "t.jsonl")
    assert "predicted: 102 by ridge; the 90 % interval of half of them is narrower than +-" in ended.out
    assert "--confidence 95%" in ended.out


def test_a_network_is_predicted_from_what_was_measured_and_what_was_predicted(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    small = ("--space", "squeezenas-small", "--input", "32x64")
    command("profile-device", *small, "--runtime", "dummy", "--fraction", "0.2", "--out", path)
    found = command("predict", "lat_small", "--input", "32x64", "--table", path, "--json").json
    assert found["source"] == "predicted"
    assert sum(found["blocks"].values()) == 18  # Three that all networks share and 20 units, five of them identities.
    assert found["blocks"]["measured"] >= 3
    words = command("predict", "lat_small", "--input", "32x64", "--table", path).out
    assert f"{found['blocks']['predicted']} predicted" in words
    assert "26 measured, 0 failed, 102 predicted\n" in command("table", "check", path).out


def test_a_budget_in_seconds_ends_by_itself(command: Command, tmp_path: Path) -> None:
    ended = command(*FILL, "--budget", "8s", "--out", tmp_path / "t.jsonl", "--json")
    assert ended.status == 0, ended.err
    assert ended.json["measured"] + ended.json["predicted"] == 128


@pytest.mark.parametrize("others", [("--time-limit", "9s"), ("--again", "all")])
def test_options_that_mean_all_blocks_are_refused_beside_a_part(
    command: Command, tmp_path: Path, others: tuple[str, str]
) -> None:
    ended = command(*FILL, "--fraction", "0.2", *others, "--out", tmp_path / "t.jsonl")
    assert ended.status == 2
    assert "give --budget in the place of --time-limit" in ended.err


@pytest.mark.parametrize(("text", "words"), [("2", "above 0 % and at most 100 %"), ("some", "a number such as 0.2")])
def test_a_fraction_that_is_none_is_refused(command: Command, tmp_path: Path, text: str, words: str) -> None:
    ended = command(*FILL, "--fraction", text, "--out", tmp_path / "t.jsonl")
    assert ended.status == 2
    assert words in ended.err


def test_a_model_that_is_unknown_is_refused_before_anything_is_measured(command: Command, tmp_path: Path) -> None:
    ended = command(*FILL, "--fraction", "0.2", "--model", "rigde", "--out", tmp_path / "t.jsonl")
    assert ended.status == 2
    assert "Did you mean 'ridge'" in ended.err
    assert not (tmp_path / "t.jsonl").exists()
