"""What is said of a fleet: each device's verdict, why it may be off, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

from lut import FleetSummary, appending, fill_fleet
from paceline.commands.fleet_report import COLUMNS, device_rows, fleet_in_words, fleet_json, verdict
from tests.lut.simulated_devices import PLAN, ROUNDS, WORKLOADS, SimulatedDevice


def filled(folder: Path, *devices: SimulatedDevice, rounds: int = ROUNDS, limit_s: float = 1e9) -> FleetSummary:
    starts = {device._name: device.start for device in devices}
    plan = PLAN.with_rounds(rounds)
    with appending(folder / "t.jsonl") as writer:
        return fill_fleet(writer, starts, WORKLOADS, plan, shards=folder / "t.jsonl.d", limit_s=limit_s)


def said(summary: FleetSummary) -> str:
    return " ".join(fleet_in_words(summary))


def test_of_devices_that_agree_there_is_a_row_each_and_nothing_to_do(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a", 1.005), SimulatedDevice("b"))
    assert said(summary) == ""
    first, second = device_rows(summary)
    assert len(first) == len(second) == len(COLUMNS)
    assert (first[:3], first[-1]) == (("a", "18", "0"), "agrees")
    assert float(first[3]) > 1
    assert second == ("b", "18", "0", "1.000", "", "reference")
    told = fleet_json(summary)
    assert (told["is_trusted"], told["open"], told["kept"], told["reference"]) == (True, [], None, "b")
    low, high = told["devices"][0]["interval_95"]
    assert low < told["devices"][0]["factor"] < high


def test_one_that_is_off_is_told_with_its_factor_the_place_of_its_rows_and_the_command(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b"), SimulatedDevice("c", 1.05))
    words = said(summary)
    assert "c is 5.1% slower" in words or "c is 5.0% slower" in words or "c is 4.9% slower" in words
    assert f"not in the table, but in {tmp_path}/t.jsonl.d/c.jsonl.rejected" in words
    assert "--hosts a,b" in words
    assert f"{len(summary.open)} blocks are not in the table yet" in words
    assert device_rows(summary)[2][-1] == "disagrees"
    told = fleet_json(summary)
    assert (told["is_trusted"], len(told["open"])) == (False, len(summary.open))
    assert told["devices"][2]["rejected"].endswith("c.jsonl.rejected")
    assert json.loads(json.dumps(told)) == told


def test_a_faster_one_is_off_as_well(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b"), SimulatedDevice("c", 0.95))
    assert "% faster (95 % interval " in said(summary)


def test_of_two_that_differ_both_are_told_and_how_to_go_on_with_one(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b", 1.05))
    assert [row[-1] for row in device_rows(summary)] == ["differs", "differs"]
    words = said(summary)
    assert "nobody can tell which are right" in words
    assert f"--hosts {fleet_json(summary)['reference']}, " in words
    assert f"{tmp_path}/t.jsonl.d" in words


def test_where_too_few_rounds_were_made_more_are_asked_for(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b"), rounds=1)
    assert sorted(row[-1] for row in device_rows(summary)) == ["reference", "unclear"]
    assert "more --rounds" in said(summary)
    assert not fleet_json(summary)["is_trusted"]
    assert filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b"), rounds=4).is_trusted


def test_a_lost_device_is_told_with_its_reason_and_has_no_factor(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b", there=False))
    assert said(summary) == "lost b: no route to host"
    assert device_rows(summary)[1] == ("b", "0", "0", "", "", "")
    assert fleet_json(summary)["devices"][1]["lost"] == "no route to host"
    assert verdict(summary.agreement, "b") is None


def test_what_a_single_device_cannot_do_or_does_in_another_way_is_told(tmp_path: Path) -> None:
    before = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b"))
    assert before.is_trusted
    again = tmp_path / "again"
    again.mkdir()
    first, second = SimulatedDevice("a"), SimulatedDevice("b")
    filled(again, first, second)
    odd, bad = list(first.bursts.keys() & second.bursts.keys())[:2]
    other = tmp_path / "other"
    other.mkdir()
    devices = [SimulatedDevice("a", 0.999), SimulatedDevice("b"), SimulatedDevice("c", 1.01, odd={odd: 1.5})]
    devices[2]._broken = frozenset({bad})
    words = said(filled(other, *devices))
    assert f"times what its other blocks suggest: {odd.describe()}" in words
    assert f"c: failed there, and not everywhere: {bad.describe()}" in words


def test_when_the_time_limit_came_first_it_is_told_once(tmp_path: Path) -> None:
    summary = filled(tmp_path, SimulatedDevice("a"), SimulatedDevice("b"), limit_s=0.0)
    assert said(summary) == "24 blocks are not in the table yet. The time limit came first; the same command goes on."
    assert fleet_json(summary)["time_limit_came_first"]
