"""Filling one table with several devices: shares, agreement, takeover, and what a kill at any moment leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import NotAvailable, WrongUse
from latency import Failure, Measurement, Outcome, SamplingPlan, Workload
from lut import Progress, Table, appending, fill
from lut.fleet import fill_fleet
from lut.fleet_summary import FleetSummary
from tests.contracts.examples import DEVICE, OTHER_DEVICE
from tests.lut.simulated_devices import PLAN, ROUNDS, WORKLOADS, SimulatedDevice
from tests.lut.written_tables import counts

ROOT = Path(__file__).resolve().parents[2]
COMMON = 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


@pytest.fixture(autouse=True)
def _hasty_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is in the kernel's hands, which is all that a killed process needs; to wait costs 5 ms a row."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def shards_of(path: Path) -> Path:
    return path.with_name(path.name + ".d")


def filled(
    path: Path,
    *devices: SimulatedDevice,
    plan: SamplingPlan = PLAN,
    workloads: Sequence[Workload] = WORKLOADS,
    **more: Any,
) -> FleetSummary:
    starts = {device._name: device.start for device in devices}
    with appending(path) as writer:
        try:
            return fill_fleet(writer, starts, workloads, plan, shards=shards_of(path), **more)
        finally:
            assert not any(device.open for device in devices)
            assert not [thread for thread in threading.enumerate() if thread.name.startswith("fleet-")]


def owners(path: Path) -> dict[Workload, set[str]]:
    """The devices that took the bursts of each row."""
    rows = [row for row in Table.read(path).values() if isinstance(row, Measurement)]
    return {row.workload: {burst.process.partition("-")[0] for burst in row.bursts} for row in rows}


def bursts_in_file(path: Path) -> Counter[tuple[str, tuple[float, ...]]]:
    """How often each burst stands in the file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return Counter((b["process"], tuple(b["samples_s"])) for row in rows for b in row.get("bursts", ()))


def assert_complete(path: Path, workloads: Sequence[Workload] = WORKLOADS) -> None:
    """Every workload has its bursts, each of which stands in the file once, and nothing else is left."""
    assert counts(path) == dict.fromkeys(workloads, ROUNDS)
    assert set(bursts_in_file(path).values()) == {1}
    assert not shards_of(path).exists()


def test_two_devices_share_the_work_and_fill_one_table(path: Path) -> None:
    a, b = SimulatedDevice("a"), SimulatedDevice("b")
    summary = filled(path, a, b)
    assert_complete(path)
    common = a.bursts.keys() & b.bursts.keys()
    assert len(common) == summary.common == COMMON
    assert len(a.bursts) == len(b.bursts) == COMMON + (len(WORKLOADS) - COMMON) // 2
    assert (a.bursts + b.bursts) == Counter({w: ROUNDS * (1 + (w in common)) for w in WORKLOADS})
    assert summary.agreement is not None
    assert [(d.host, d.verdict) for d in summary.agreement.devices] == [("a", "agrees"), ("b", "agrees")]
    assert (summary.fill.measured, summary.fill.skipped, summary.open) == (len(WORKLOADS), 0, ())
    assert (summary.is_trusted, summary.is_late, summary.shards) == (True, False, None)
    assert [(h.measured, h.failed, h.lost) for h in summary.hosts] == [(18, 0, "")] * 2
    assert all(len(names) == 1 for names in owners(path).values())


def test_of_common_workloads_the_rows_of_the_device_in_the_middle_are_kept(path: Path) -> None:
    devices = [SimulatedDevice("a", 1.008), SimulatedDevice("b", 1.0), SimulatedDevice("c", 0.992)]
    summary = filled(path, *devices)
    common = set.intersection(*(set(device.bursts) for device in devices))
    assert summary.agreement is not None
    assert summary.agreement.reference == "b"
    assert {name for workload in common for name in owners(path)[workload]} == {"b"}
    assert {name for names in owners(path).values() for name in names} == {"a", "b", "c"}


def test_each_round_is_a_process_of_its_own_on_each_device_and_the_first_one_is_opened_once(path: Path) -> None:
    devices = [SimulatedDevice("a"), SimulatedDevice("b")]
    filled(path, *devices)
    # A first look at the common workloads, and then a round for each burst.
    assert [device.opened for device in devices] == [1 + ROUNDS, 1 + ROUNDS]


def test_what_the_table_knows_is_not_measured(path: Path) -> None:
    alone = SimulatedDevice("alone")
    with appending(path) as writer:
        fill(writer, alone.start, WORKLOADS[:10], PLAN)
    a, b = SimulatedDevice("a"), SimulatedDevice("b")
    summary = filled(path, a, b)
    assert_complete(path)
    assert summary.fill.skipped == 10
    assert not set(WORKLOADS[:10]) & {*a.bursts, *b.bursts}
    again = filled(path, a, b)
    assert (again.fill.measured, again.fill.skipped, again.agreement) == (0, len(WORKLOADS), None)


def test_bursts_of_one_device_are_gone_on_with(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), appending(path) as writer:
        fill(writer, SimulatedDevice("alone").start, WORKLOADS, PLAN, tell=after(30))
    a, b = SimulatedDevice("a"), SimulatedDevice("b")
    summary = filled(path, a, b)
    common = a.bursts.keys() & b.bursts.keys()
    assert set(bursts_in_file(path).values()) == {1}
    assert {w: n for w, n in counts(path).items() if w not in common} == {
        w: ROUNDS for w in WORKLOADS if w not in common
    }
    own = [w for w in WORKLOADS if w not in common]
    assert sum((a.bursts + b.bursts)[w] for w in own) < ROUNDS * len(own)
    assert summary.open == ()


def after(bursts: int) -> Any:
    """A ``tell`` that ends things after so many bursts, for ``fill`` and for ``fill_fleet``."""

    def tell(*told: Any) -> None:
        if told[-1].done >= bursts:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize("bursts", [1, 13, 24, 25, 70])
def test_an_interrupted_run_goes_on_with_the_same_shares_and_measures_nothing_twice(path: Path, bursts: int) -> None:
    first = [SimulatedDevice("a"), SimulatedDevice("b")]
    with pytest.raises(KeyboardInterrupt):
        filled(path, *first, tell=after(bursts))
    taken = sum(device.bursts.total() for device in first)
    assert bursts <= taken <= bursts + 1  # The other device finishes the burst it is at.
    second = [SimulatedDevice("a"), SimulatedDevice("b")]
    summary = filled(path, *second)
    assert_complete(path)
    assert summary.common == COMMON
    assert taken + sum(device.bursts.total() for device in second) == ROUNDS * (len(WORKLOADS) + COMMON)
    for before, now in zip(first, second, strict=True):
        assert set((before.bursts + now.bursts).values()) == {ROUNDS}


@pytest.mark.skipif(
    "PYTEST_XDIST_WORKER" in os.environ,
    reason="SIGINT ends a worker of pytest-xdist; test_fleet_over_ssh.py interrupts the real program",
)
def test_ctrl_c_stops_all_devices_after_their_burst(path: Path) -> None:
    begun: list[int] = []

    def before() -> None:
        begun.append(1)
        if len(begun) == 5:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if len(begun) >= 5:
            time.sleep(0.1)  # As long as a burst of a slow device.

    devices = [SimulatedDevice("a", before=before), SimulatedDevice("b", before=before)]
    with pytest.raises(KeyboardInterrupt):
        filled(path, *devices)
    taken = sum(device.bursts.total() for device in devices)
    assert 5 <= taken < ROUNDS * len(WORKLOADS)  # Far from done, however slow the machine is to tell them.
    kept = sum(n for shard in shards_of(path).glob("*.jsonl") for n in counts(shard).values())
    assert kept == taken


def test_a_device_that_is_off_by_far_gets_nothing_else_to_do(path: Path) -> None:
    a, b, c = SimulatedDevice("a"), SimulatedDevice("b"), SimulatedDevice("c", 1.4)
    summary = filled(path, a, b, c)
    assert c.bursts.total() == COMMON
    assert_complete(path)  # The others did all of it.
    assert summary.agreement is not None
    assert (summary.agreement.disagreeing, summary.is_trusted) == (("c",), False)
    assert "c" not in {name for names in owners(path).values() for name in names}


def test_the_rows_of_a_device_that_is_a_little_off_stay_out_and_its_share_stays_open(path: Path) -> None:
    a, b, c = SimulatedDevice("a"), SimulatedDevice("b"), SimulatedDevice("c", 1.05)
    summary = filled(path, a, b, c)
    common = a.bursts.keys() & b.bursts.keys() & c.bursts.keys()
    assert summary.agreement is not None
    (device,) = [d for d in summary.agreement.devices if d.host == "c"]
    low, high = device.interval
    assert 1.02 < low < device.ratio < high < 1.07
    assert summary.agreement.disagreeing == ("c",)
    assert set(summary.open) == c.bursts.keys() - common
    assert set(owners(path)) == a.bursts.keys() | b.bursts.keys()
    rejected = summary.hosts[2].rejected
    assert rejected is not None
    assert counts(rejected) == c.bursts
    assert not summary.is_trusted

    # It was cooled: the same command begins anew with it, and only with it.
    again = [SimulatedDevice("a"), SimulatedDevice("b"), SimulatedDevice("c")]
    summary = filled(path, *again)
    assert_complete(path)
    assert summary.is_trusted
    assert not set(again[0].bursts) & set(common)


def test_without_the_device_that_is_off_the_same_command_finishes(path: Path) -> None:
    summary = filled(path, SimulatedDevice("a"), SimulatedDevice("b"), SimulatedDevice("c", 0.95))
    open_then = set(summary.open)
    a, b = SimulatedDevice("a"), SimulatedDevice("b")
    assert filled(path, a, b).is_trusted
    assert_complete(path)
    assert a.bursts.keys() | b.bursts.keys() == open_then
    assert not a.bursts.keys() & b.bursts.keys()  # They have proved to agree.


def test_of_two_devices_that_differ_nobody_knows_which_is_off(path: Path) -> None:
    a, b = SimulatedDevice("a"), SimulatedDevice("b", 1.05)
    summary = filled(path, a, b)
    assert summary.agreement is not None
    assert not summary.agreement.has_majority
    assert set(summary.agreement.disagreeing) == {"a", "b"}
    assert set(summary.open) == set(WORKLOADS)
    assert len(Table.read(path)) == 0
    again = [SimulatedDevice("a"), SimulatedDevice("b", 1.05)]
    summary = filled(path, *again)  # As long as nothing changes, there is nothing to measure.
    assert (summary.is_trusted, [device.bursts.total() for device in again]) == (False, [0, 0])
    alone = SimulatedDevice("a")
    assert filled(path, alone).is_trusted  # Whoever knows says so; what it measured counts.
    assert_complete(path)
    assert alone.bursts.keys() == b.bursts.keys() - a.bursts.keys()


def test_of_two_devices_that_differ_by_far_nothing_but_the_common_workloads_is_measured(path: Path) -> None:
    a, b = SimulatedDevice("a"), SimulatedDevice("b", 1.4)
    summary = filled(path, a, b)
    assert a.bursts.total() == b.bursts.total() == COMMON
    assert set(summary.open) == set(WORKLOADS)


def test_a_device_that_cannot_be_reached_is_reported_and_the_others_do_its_share(path: Path) -> None:
    summary = filled(path, SimulatedDevice("a"), SimulatedDevice("b", there=False), SimulatedDevice("c"))
    assert_complete(path)
    assert [host.lost for host in summary.hosts] == ["", "no route to host", ""]
    assert summary.is_trusted


@pytest.mark.parametrize("lasts", [0, 5, COMMON, COMMON + 1, 2 * COMMON + 3, 40])
def test_the_share_of_a_device_that_goes_away_is_taken_over(path: Path, lasts: int) -> None:
    a, b = SimulatedDevice("a"), SimulatedDevice("b", lasts=lasts)
    summary = filled(path, a, b)
    assert summary.open == ()
    assert_complete(path)
    assert summary.hosts[1].lost == "the cable was pulled"
    assert set(a.bursts.values()) <= set(range(1, ROUNDS + 1))


@pytest.mark.parametrize("lasts", range(21, 48, 5))
def test_common_blocks_of_a_device_in_the_middle_that_goes_away_are_those_of_one_that_stays(
    path: Path, lasts: int
) -> None:
    summary = filled(path, SimulatedDevice("a", lasts=lasts), SimulatedDevice("b"))
    assert summary.hosts[0].lost
    assert summary.open == ()
    assert_complete(path)


def test_the_bursts_of_a_device_that_agreed_and_went_away_are_gone_on_with(path: Path) -> None:
    lasts = COMMON * ROUNDS + 5  # In its last round.
    many = tuple(WORKLOADS)
    a, b, c = SimulatedDevice("a"), SimulatedDevice("b", lasts=lasts), SimulatedDevice("c")
    summary = filled(path, a, b, c, workloads=many)
    assert summary.agreement is not None
    assert "b" in summary.agreement.agreeing
    assert_complete(path)
    assert any({"b"} < names for names in owners(path).values())
    assert (a.bursts + c.bursts).total() < ROUNDS * (len(WORKLOADS) + COMMON)


def test_when_all_devices_are_lost_the_same_command_goes_on(path: Path) -> None:
    first = [SimulatedDevice("a", lasts=30), SimulatedDevice("b", lasts=20)]
    with pytest.raises(NotAvailable, match=r"None of the devices .*a: the cable was pulled; b: .*goes on from here"):
        filled(path, *first)
    second = [SimulatedDevice("a"), SimulatedDevice("b")]
    filled(path, *second)
    assert_complete(path)
    assert sum(d.bursts.total() for d in [*first, *second]) == ROUNDS * (len(WORKLOADS) + COMMON)


def test_when_no_device_can_be_reached_nothing_is_left_behind(path: Path) -> None:
    with pytest.raises(NotAvailable, match="a: no route to host; b: no route to host"):
        filled(path, SimulatedDevice("a", there=False), SimulatedDevice("b", there=False))
    assert not shards_of(path).exists()


def test_devices_that_are_not_equal_are_refused_before_anything_is_measured(path: Path) -> None:
    a, b = SimulatedDevice("a"), SimulatedDevice("b", device=OTHER_DEVICE)
    with pytest.raises(WrongUse, match=r"device name: Example 3000 on a, Example 4000 on b"):
        filled(path, a, b)
    assert (a.bursts, b.bursts, shards_of(path).exists()) == ({}, {}, False)


def test_a_table_or_a_shard_of_another_environment_is_refused(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        filled(path, SimulatedDevice("a"), SimulatedDevice("b"), tell=after(30))
    now = [SimulatedDevice(name, device=replace(DEVICE, cores=8)) for name in "ab"]
    with pytest.raises(WrongUse, match=r"a\.jsonl has times of an earlier run of a .*cores: 4 there, 8 here.*remove"):
        filled(path, *now)
    filled(path, SimulatedDevice("a"), SimulatedDevice("b"))
    with pytest.raises(WrongUse, match="times of two are never mixed"):
        filled(path, *now)


def test_a_device_that_changes_in_the_course_of_a_run_ends_it(path: Path) -> None:
    b = SimulatedDevice("b")

    def change(_: str, progress: Progress) -> None:
        if progress.done == 30:
            b.environment = replace(b.environment, device=OTHER_DEVICE)

    with pytest.raises(WrongUse, match="b is no longer what it was"):
        filled(path, SimulatedDevice("a"), b, tell=change)


def test_progress_is_that_of_all_devices_together(path: Path) -> None:
    told: list[tuple[str, Progress]] = []
    filled(path, SimulatedDevice("a"), SimulatedDevice("b"), tell=lambda host, progress: told.append((host, progress)))
    done = [progress.done for _, progress in told]
    whole = ROUNDS * (len(WORKLOADS) + COMMON)
    assert (done, done[-1], {host for host, _ in told}) == (sorted(done), whole, {"a", "b"})
    assert told[-1][1].wanted == whole
    assert max(progress.wanted for _, progress in told) <= whole + COMMON


def test_the_time_limit_leaves_the_rest_and_the_same_call_finishes(path: Path) -> None:
    first = [SimulatedDevice("a"), SimulatedDevice("b")]
    summary = filled(path, *first, limit_s=0.0)
    assert (summary.is_late, len(summary.open), summary.is_trusted) == (True, len(WORKLOADS), True)
    assert filled(path, SimulatedDevice("a"), SimulatedDevice("b")).is_late is False
    assert_complete(path)


def test_failures_are_recorded_and_a_workload_that_fails_on_one_device_only_is_reported(path: Path) -> None:
    everywhere, common = SimulatedDevice("a"), SimulatedDevice("b")
    filled(path.with_name("other.jsonl"), everywhere, common)
    odd = next(iter(everywhere.bursts.keys() & common.bursts.keys()))
    bad = next(w for w in WORKLOADS if w != odd)
    devices = [
        SimulatedDevice("a", broken=frozenset({bad})),
        SimulatedDevice("b", broken=frozenset({bad})),
        SimulatedDevice("c", broken=frozenset({bad, odd})),
    ]
    summary = filled(path, *devices)
    table = Table.read(path)
    assert [row.workload for row in table.values() if isinstance(row, Failure)] == [bad]
    assert [failure.workload for failure in summary.fill.failures] == [bad]
    assert summary.agreement is not None
    assert odd in {w for device in summary.agreement.devices for w in device.broken}
    assert summary.open == ()


def test_what_is_measured_again_takes_the_place_of_what_was_known(path: Path) -> None:
    filled(path, SimulatedDevice("a"), SimulatedDevice("b"))

    def again(outcome: Outcome) -> bool:
        return outcome.workload in WORKLOADS[:14]

    with pytest.raises(KeyboardInterrupt):
        filled(path, SimulatedDevice("c"), SimulatedDevice("d"), again=again, tell=after(40))
    assert all(names <= {"a", "b"} for names in owners(path).values())
    summary = filled(path, SimulatedDevice("c"), SimulatedDevice("d"), again=again)
    assert summary.open == ()
    assert counts(path) == dict.fromkeys(WORKLOADS, ROUNDS)
    new = {workload for workload, names in owners(path).items() if names <= {"c", "d"}}
    assert new == set(WORKLOADS[:14])


def test_where_times_are_known_badly_more_workloads_are_common(path: Path) -> None:
    a, b = SimulatedDevice("a"), SimulatedDevice("b")
    summary = filled(path, a, b, plan=replace(PLAN, precision=0.05), workloads=WORKLOADS[:14])
    assert (summary.common, summary.is_trusted) == (14, True)
    assert a.bursts == b.bursts == dict.fromkeys(WORKLOADS[:14], ROUNDS)
    assert_complete(path, WORKLOADS[:14])


def test_a_fleet_of_one_is_a_fill(path: Path) -> None:
    a = SimulatedDevice("a")
    summary = filled(path, a)
    assert (summary.agreement, summary.common, summary.is_trusted) == (None, 0, True)
    assert a.bursts == dict.fromkeys(WORKLOADS, ROUNDS)
    assert_complete(path)


def test_a_fleet_of_none_is_refused(path: Path) -> None:
    with pytest.raises(WrongUse, match="at least one device"):
        filled(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from lut import appending, fleet, shards
from tests.lut.simulated_devices import PLAN, WORKLOADS, SimulatedDevice

os.fsync = lambda _: None
path, place, steps = Path(sys.argv[1]), sys.argv[2], [int(sys.argv[3])]


def dying(function):
    def counted(*arguments, **more):
        if steps[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps[0] -= 1
        return function(*arguments, **more)
    return counted


if place == "merge":
    fleet.merge = dying(fleet.merge)
else:
    Path.unlink = dying(Path.unlink)
devices = {name: SimulatedDevice(name).start for name in "ab"}
with appending(path) as writer:
    fleet.fill_fleet(writer, devices, WORKLOADS, PLAN, shards=path.with_name(path.name + ".d"))
"""


@pytest.mark.parametrize(("place", "steps"), [("merge", 9), ("unlink", 0), ("unlink", 1)])
def test_a_run_killed_while_it_merges_or_tidies_up_loses_nothing_and_doubles_nothing(
    path: Path, place: str, steps: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(path), place, str(steps)]
    died = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert died.returncode == -signal.SIGKILL
    rows_then = path.read_bytes()
    assert len(rows_then.splitlines()) == (steps if place == "merge" else len(WORKLOADS))
    devices = [SimulatedDevice("a"), SimulatedDevice("b")]
    summary = filled(path, *devices)
    assert summary.open == ()
    assert [device.bursts.total() for device in devices] == [0, 0]  # All was in the shards, or in the table.
    assert path.read_bytes().startswith(rows_then)
    assert_complete(path)
