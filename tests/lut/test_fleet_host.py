"""One device of a fleet: its thread, its first process, and what becomes of it when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices import NotAvailable
from lut import Start, appending
from lut.fleet_host import FleetHost
from tests.lut.simulated_devices import PLAN, ROUNDS, WORKLOADS, SimulatedDevice
from tests.lut.written_tables import counts


def fill(host: FleetHost) -> None:
    host.submit(
        lambda: host.fill(WORKLOADS[:2], PLAN, again=lambda _: False, limit_s=1e9, seed=0, tell=lambda _: None)
    ).result()


@contextmanager
def hosted(path: Path, start: Start) -> Iterator[FleetHost]:
    with appending(path) as writer, FleetHost("a", start, writer) as host:
        yield host


def test_the_process_that_was_opened_to_look_is_that_of_the_first_round(tmp_path: Path) -> None:
    device = SimulatedDevice("a")
    with hosted(tmp_path / "a.jsonl", device.start) as host:
        assert host.environment is None
        host.submit(host.open).result()
        assert (host.environment, device.open) == (device.environment, 1)
        fill(host)
        assert (device.opened, device.open) == (ROUNDS, 0)
    assert counts(tmp_path / "a.jsonl") == dict.fromkeys(WORKLOADS[:2], ROUNDS)
    assert [done.measured for done in host.fills] == [2]


def test_a_process_that_was_never_used_is_closed(tmp_path: Path) -> None:
    device = SimulatedDevice("a")
    with hosted(tmp_path / "a.jsonl", device.start) as host:
        host.submit(host.open).result()
    assert device.open == 0


def test_everything_happens_in_one_thread(tmp_path: Path) -> None:
    device, threads = SimulatedDevice("a"), set[str]()

    @contextmanager
    def start(usual_s: Mapping[str, float]) -> Iterator[SimulatedDevice]:
        with device.start(usual_s) as process:
            threads.add(threading.current_thread().name)
            yield process
            threads.add(threading.current_thread().name)

    with hosted(tmp_path / "a.jsonl", start) as host:
        host.submit(host.open).result()
        fill(host)
    assert threads == {"fleet-a_0"}


@pytest.mark.parametrize("there", [True, False])
def test_a_device_that_goes_away_is_lost_and_says_why(tmp_path: Path, there: bool) -> None:
    device = SimulatedDevice("a", there=there, lasts=3)
    with hosted(tmp_path / "a.jsonl", device.start) as host:
        host.submit(host.open).result()
        if there:
            fill(host)
        assert host.lost == ("the cable was pulled" if there else "no route to host")
    assert device.open == 0


def test_a_device_that_is_lost_as_its_process_is_closed_raises_nothing(tmp_path: Path) -> None:
    device = SimulatedDevice("a")

    @contextmanager
    def start(usual_s: Mapping[str, float]) -> Iterator[SimulatedDevice]:
        with device.start(usual_s) as process:
            yield process
        raise NotAvailable("gone")

    with hosted(tmp_path / "a.jsonl", start) as host:
        host.submit(host.open).result()
    assert host.lost == "gone"
