"""``paceline baseline``: MobileNetV2 as wide as a limit lets it be, ready to be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from search import Architecture, SearchResult, open_space
from tests.paceline.conftest import Command

pytest.importorskip("torch", reason="torch is not installed; networks are measured whole")

SIZE = ("--input", "32x64", "--classes", 11)


def test_on_macs_nothing_is_measured(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "mobilenetv2.json"
    ended = command("baseline", "--objective", "macs", "--limit", "10M", *SIZE, "--out", out)
    assert ended.status == 0, ended.err
    result = SearchResult.read(out)
    assert result.space.startswith("mobilenetv2-0.")
    assert 5e6 < result.cost <= 1e7
    assert (result.name, result.strategy, result.limit) == ("mobilenetv2", "by hand", 1e7)
    assert command("show", out, "--json").json["macs"] == result.cost


def test_it_can_be_made_like_a_searched_network(command: Command, tmp_path: Path) -> None:
    model, out = tmp_path / "model.json", tmp_path / "mobilenetv2.json"
    assert command("baseline", "--width", 0.5, *SIZE, "--out", model).status == 0
    replace(SearchResult.read(model), limit=8e6).write(model)
    ended = command("baseline", "--like", model, "--out", out, "--json")
    assert ended.status == 0, ended.err
    assert (ended.json["input_size"], ended.json["classes"], ended.json["limit"]) == ([32, 64], 11, 8e6)
    assert ended.json["cost"] <= 8e6


@pytest.mark.parametrize(
    ("objective", "limits", "said"),
    [
        ("memory", {}, "under limits on memory, and a baseline has one"),
        ("latency", {"latency on a": 1.0, "latency on b": 2.0}, "limits on latency on a and latency on b"),
    ],
)
def test_limits_that_a_baseline_cannot_have_are_asked_for(
    command: Command, tmp_path: Path, objective: str, limits: dict[str, float], said: str
) -> None:
    model, out = tmp_path / "model.json", tmp_path / "m.json"
    assert command("baseline", "--width", 0.1, *SIZE, "--out", model).status == 0
    replace(SearchResult.read(model), objective=objective, limit=1.0, limits=limits).write(model)
    ended = command("baseline", "--like", model, "--out", out)
    assert ended.status == 2
    assert said in ended.err
    assert command("baseline", "--like", model, "--objective", "macs", "--limit", "8M", "--out", out).status == 0
    ended = command("baseline", "--like", model, "--width", 0.1, "--out", out, "--json")
    assert (ended.json["objective"], ended.json["limit"]) == ("macs", None), "a limit in seconds is none on MACs"


def test_it_is_not_like_a_network_that_classifies(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "cells.json"
    assert command("baseline", "--width", 0.1, *SIZE, "--out", model).status == 0
    cells = open_space("nasbench201", (32, 64), 11)
    names = cells.names(Architecture(cells.name, cells.reference))
    replace(SearchResult.read(model), space=cells.name, architecture=names).write(model)
    ended = command("baseline", "--like", model, "--width", 0.1, "--out", tmp_path / "m.json")
    assert ended.status == 2
    assert "tells the class of a picture" in ended.err


def test_of_a_width_that_was_typed_it_is_said_how_it_stands_to_the_limit(command: Command, tmp_path: Path) -> None:
    model, out = tmp_path / "model.json", tmp_path / "m.json"
    assert command("baseline", "--objective", "macs", "--limit", "8M", *SIZE, "--out", model).status == 0
    assert "above the limit of 8 M MACs" in command("baseline", "--like", model, "--width", 1, "--out", out).out
    ended = command("baseline", "--like", model, "--objective", "latency", "--width", 1, "--out", out)
    assert ended.status == 2
    assert "was searched on macs" in ended.err


def test_on_latency_the_network_is_measured_whole_and_then_its_blocks(
    command: Command, dummy_table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mobilenetv2.json"
    place = ("--table", dummy_table, "--runtime", "dummy", "--rounds", 1)
    ended = command("baseline", "--width", 0.1, *SIZE, *place, "--out", out, "--json")
    assert ended.status == 0, ended.err
    assert (ended.json["space"], ended.json["objective"]) == ("mobilenetv2-0.1", "latency")
    assert ended.json["cost"] > 0
    assert command("predict", out, "--table", dummy_table).status == 0, "its blocks are known"
    none = command("baseline", "--limit", "1us", *SIZE, *place, "--out", out)
    assert none.status == 1
    assert "No MobileNetV2 is within 0.001 ms: at width 0.1" in none.err


def test_on_macs_a_table_comes_to_know_the_blocks(command: Command, dummy_table: Path, tmp_path: Path) -> None:
    out = tmp_path / "mobilenetv2.json"
    place = ("--table", dummy_table, "--runtime", "dummy", "--rounds", 1)
    ended = command("baseline", "--objective", "macs", "--limit", "2M", *SIZE, *place, "--out", out, "--json")
    assert ended.status == 0, ended.err
    assert (ended.json["objective"], ended.json["limit"]) == ("macs", 2e6)
    assert command("predict", out, "--table", dummy_table).status == 0


def test_on_macs_a_table_of_estimates_comes_to_know_the_blocks(command: Command, tmp_path: Path) -> None:
    table, out = tmp_path / "xavier.jsonl", tmp_path / "m.json"
    filled = command(
        *("profile-device", "--estimate", "--target", "xavier", "--space", "mobilenetv2-0.1", *SIZE, "--out", table)
    )
    assert filled.status == 0, filled.err
    made = ("baseline", "--objective", "macs", "--width", 0.2, *SIZE, "--table", table, "--out", out)
    idle = command(*made, "--runtime", "dummy")
    assert idle.status == 2
    assert "estimated from peak figures nothing is measured: give one that was, or leave out --runtime." in idle.err
    ended = command(*made)
    assert ended.status == 0, ended.err
    assert command("predict", out, "--table", table).status == 0


def test_without_the_device_the_table_decides(command: Command, tmp_path: Path) -> None:
    table = tmp_path / "xavier.jsonl"
    filled = command(
        *("profile-device", "--estimate", "--target", "xavier", "--space", "mobilenetv2-0.5", *SIZE, "--out", table)
    )
    assert filled.status == 0, filled.err
    ended = command("baseline", "--width", 0.5, *SIZE, "--table", table, "--out", tmp_path / "m.json", "--json")
    assert ended.status == 0, ended.err
    assert 0 < ended.json["cost"] < 0.1
    widest = command("baseline", "--limit", "900us", *SIZE, "--table", table, "--out", tmp_path / "m.json", "--json")
    assert widest.status == 0, widest.err
    assert 0 < widest.json["cost"] <= 9e-4
    assert command("predict", tmp_path / "m.json", "--table", table).status == 0, "its blocks were estimated, too"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--width", 1), "--input and --classes"),
        (SIZE, "How wide?"),
        ((*SIZE, "--limit", "1ms"), "needs --table"),
        ((*SIZE, "--limit", "1M", "--objective", "beauty"), "no objective 'beauty'"),
        ((*SIZE, "--limit", "1ms", "--width", 1), "give --width or --limit"),
        ((*SIZE, "--width", 1, "--rounds", 3), "measured without --table: give one, or leave out --rounds"),
        ((*SIZE, "--width", 1, "--precision", "fp16", "--threads", 2), "leave out --threads and --precision"),
        ((*SIZE, "--objective", "macs", "--limit", "8M", "--target", "xavier"), "leave out --target"),
    ],
)
def test_what_is_missing_is_said(command: Command, tmp_path: Path, words: tuple[object, ...], said: str) -> None:
    ended = command("baseline", *words, "--out", tmp_path / "m.json")
    assert ended.status == 2
    assert said in ended.err
