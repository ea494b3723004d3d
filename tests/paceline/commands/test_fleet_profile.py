"""``profile-device --hosts``: which devices are meant, when they are connected, and what is said of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from devices import Connection, NotAvailable, Target, WrongUse, find_target
from latency import ExportedModels, RemoteSettings
from lut import FleetSummary, Start, Table, appending, fill_fleet
from paceline.commands.fleet_profile import fleet_places, fleet_starts, host_targets, profile_fleet, refuse_part
from paceline.place import Place
from tests.lut.simulated_devices import PLAN, ROUNDS, WORKLOADS, SimulatedDevice

XAVIER = Target(
    "xavier",
    "jetson",
    "on the desk",
    "trtexec",
    "fp16",
    connection=Connection("10.0.0.5", user="nvidia", port=2222, jump="gate", identity="key"),
)


@pytest.fixture(autouse=True)
def own_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "targets.toml"
    monkeypatch.setenv("PACELINE_TARGETS", str(path))
    return path


def test_hosts_are_reached_as_the_target_is_but_for_what_is_named() -> None:
    found = host_targets("10.0.0.6, root@10.0.0.7:22", XAVIER)
    assert found["10.0.0.6"].connection == Connection("10.0.0.6", user="nvidia", port=2222, jump="gate", identity="key")
    assert found["root@10.0.0.7:22"].connection == Connection(
        "10.0.0.7", user="root", port=22, jump="gate", identity="key"
    )
    assert {(target.runtime, target.precision) for target in found.values()} == {("trtexec", "fp16")}


def test_hosts_of_a_kind_of_device_need_no_target_of_their_own() -> None:
    kind = find_target("xavier")
    assert not kind.can_be_reached
    (found,) = host_targets("nvidia@a", kind).values()
    assert (found.connection, found.power_mode) == (Connection("a", user="nvidia"), kind.power_mode)


def test_a_name_of_a_target_is_that_target_measured_as_the_others_are(own_targets: Path) -> None:
    own_targets.write_text('[second]\nlike = "orin"\nhost = "10.0.0.9"\nuser = "me"\n')
    found = host_targets("second,third", XAVIER)
    assert found["second"].connection == Connection("10.0.0.9", user="me")
    assert (found["second"].runtime, found["second"].precision) == ("trtexec", "fp16")
    assert found["third"].connection is not None
    assert found["third"].connection.host == "third"


@pytest.mark.parametrize("text", ["", "a,,b", "a,a", "a,b,"])
def test_hosts_have_different_names(text: str) -> None:
    with pytest.raises(WrongUse, match="different names, separated by commas"):
        host_targets(text, XAVIER)


def test_a_word_that_is_no_host_is_refused() -> None:
    with pytest.raises(WrongUse, match="A host is USER@HOST"):
        host_targets("a:b:c]", XAVIER)


def test_a_device_counts_once_whatever_it_is_called(own_targets: Path) -> None:
    own_targets.write_text('[second]\nlike = "orin"\nhost = "10.0.0.9"\nuser = "nvidia"\nport = 2222\n')
    with pytest.raises(WrongUse, match=r"second and 10\.0\.0\.9 both are nvidia@10\.0\.0\.9:2222"):
        host_targets("second,10.0.0.9", XAVIER)


def test_devices_behind_ssh_are_no_kind_of_this_machine() -> None:
    with pytest.raises(WrongUse, match=r"the target local is this machine\. Say with --target"):
        host_targets("a,b", find_target("local"))


class Desk:
    """A place that notes who connects to it, and where it is left."""

    def __init__(self, device: SimulatedDevice, *, there: bool = True) -> None:
        self.device, self.there = device, there
        self.models: ExportedModels | None = None
        self.threads: list[str] = []
        self.is_open = False
        self.is_over: Callable[[], bool] = lambda: False

    def describe(self) -> str:
        return "on the desk"

    @contextmanager
    def starts(
        self,
        models: ExportedModels | None = None,
        tell: Callable[[str], None] = lambda words: None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> Iterator[Start]:
        self.is_over = is_over
        if not self.there:
            raise NotAvailable("no route to host")
        self.threads.append(threading.current_thread().name)
        self.models, self.is_open = models, True
        try:
            yield self.device.start
        finally:
            self.is_open = False


def filled(path: Path, desks: Mapping[str, Any]) -> FleetSummary:
    with fleet_starts(desks) as starts:
        with appending(path) as writer:
            summary = fill_fleet(writer, starts, WORKLOADS, PLAN, shards=path.with_name(path.name + ".d"))
        assert all(desk.is_open for desk in desks.values() if desk.there)
    assert not any(desk.is_open for desk in desks.values())
    return summary


def test_devices_are_connected_once_by_their_own_threads_and_share_the_models(tmp_path: Path) -> None:
    desks = {name: Desk(SimulatedDevice(name)) for name in "ab"}
    filled(tmp_path / "t.jsonl", desks)
    assert [desk.threads for desk in desks.values()] == [["fleet-a_0"], ["fleet-b_0"]]
    assert desks["a"].models is desks["b"].models is not None


def profiled(
    path: Path, *, as_json: bool = False, limit_s: float | None = None, rounds: int = ROUNDS, **desks: Desk
) -> int:
    plan, places = PLAN.with_rounds(rounds), cast("Mapping[str, Place]", desks)
    with pytest.raises(typer.Exit) as ended:
        profile_fleet(places, WORKLOADS, path, plan, lambda _: False, limit_s, as_json=as_json)
    return ended.value.exit_code


def desk(name: str, slowness: float = 1.0, *, there: bool = True) -> Desk:
    return Desk(SimulatedDevice(name, slowness), there=there)


def test_devices_that_agree_fill_the_table_and_the_command_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    assert profiled(path, a=desk("a"), b=desk("b")) == 0
    assert len(Table.read(path)) == len(WORKLOADS)
    shown = capsys.readouterr().out
    assert f"{path}: 24 measured, 0 failed, 0 skipped" in shown
    assert "12 blocks were measured on all" in shown
    assert sorted(item.name for item in tmp_path.iterdir()) == ["t.jsonl"]


def test_a_device_that_is_off_ends_the_command_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    assert profiled(path, as_json=True, a=desk("a"), b=desk("b"), c=desk("c", 1.05)) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["table"], told["is_trusted"]) == (str(path), False)
    assert {device["device"]: device["verdict"] for device in told["devices"]}["c"] == "disagrees"
    assert len(told["open"]) == len(WORKLOADS) - told["measured"] > 0


def test_a_device_that_is_not_there_is_told_and_the_others_do_its_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    assert profiled(path, a=desk("a"), b=desk("b", there=False)) == 0
    assert "lost b: no route to host" in capsys.readouterr().out
    assert len(Table.read(path)) == len(WORKLOADS)


def test_when_a_run_is_over_nobody_waits_for_a_device_that_is_away(tmp_path: Path) -> None:
    desks = {"a": desk("a"), "b": desk("b")}
    profiled(tmp_path / "t.jsonl", **desks)
    assert all(place.is_over() for place in desks.values())


def test_of_too_few_rounds_it_is_said_beforehand_that_they_tell_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = {"a": desk("a"), "b": desk("b")}
    profiled(tmp_path / "t.jsonl", rounds=2, **pair)
    assert "fewer than 3 rounds" in " ".join(capsys.readouterr().err.split())
    profiled(tmp_path / "t.jsonl", **pair)
    assert "fewer than" not in capsys.readouterr().err


@pytest.mark.parametrize("part", [(0.2, None), (None, 60.0)])
def test_a_part_is_not_measured_by_several(part: tuple[float | None, float | None]) -> None:
    with pytest.raises(WrongUse, match="--hosts measures all blocks"):
        refuse_part(*part)
    refuse_part(None, None)


def test_all_places_measure_with_the_same_settings() -> None:
    places = fleet_places(replace(XAVIER, runtime="dummy"), "a,b", None, 2, [], wait_s=3.0)
    settings = [place.settings for place in places.values()]
    assert [one.threads for one in settings] == [2, 2]
    assert all(isinstance(one, RemoteSettings) and (one.runtime, one.wait_s) == ("dummy", 3.0) for one in settings)
    assert [place.describe() for place in places.values()] == [
        "a at nvidia@a:2222, dummy",
        "b at nvidia@b:2222, dummy",
    ]
