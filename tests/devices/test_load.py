"""Who else computes, from two looks at the kernel's counters."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from devices import Load, read_load
from tests.devices.machines import Machine

Ticks = Mapping[int, tuple[str, int]]


def counters(busy: int, idle: int, steal: int, processes: Ticks) -> dict[str, str]:
    """Files of a machine of two processors, with the ticks that each process has computed."""
    stat = f"cpu  {busy} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0 0 0\nintr 5\n"
    files = {"proc/stat": stat}
    for pid, (name, ticks) in processes.items():
        files[f"proc/{pid}/stat"] = f"{pid} ({name}) S 1 1 1 0 -1 4194560 1 2 3 4 {ticks} 0 0 0 20 0 1 0 9 9 9"
        files[f"proc/{pid}/comm"] = f"{name}\n"
    return files


def seen(machine: Machine, before: dict[str, str], after: dict[str, str]) -> Load:
    def wait() -> None:
        machine(after)

    return read_load(machine(before), wait)


def test_others_are_named_the_busiest_first(machine: Machine) -> None:
    before = counters(0, 0, 0, {7: ("idle one", 5), 8: ("a) S 9", 10), 9: ("make", 0)})
    after = counters(75, 25, 0, {7: ("idle one", 5), 8: ("a) S 9", 35), 9: ("make", 50)})
    load = seen(machine, before, after)
    assert [(p.pid, p.name, p.cores) for p in load.processes] == [(9, "make", 1.0), (8, "a) S 9", 0.5)]
    assert load.busy_cores == pytest.approx(1.5)
    assert load.processors == 2


def test_this_process_is_not_among_the_others(machine: Machine) -> None:
    own = os.getpid()
    load = seen(machine, counters(0, 0, 0, {own: ("self", 0)}), counters(50, 50, 0, {own: ("self", 50)}))
    assert load == Load(processors=2, busy_cores=0, steal=0)


def test_work_that_no_process_here_does_is_seen_all_the_same(machine: Machine) -> None:
    load = seen(machine, counters(0, 0, 0, {}), counters(100, 0, 0, {}))
    assert load.busy_cores == pytest.approx(2)
    assert load.processes == ()


def test_steal_is_a_share_of_the_time_of_all_processors(machine: Machine) -> None:
    assert seen(machine, counters(0, 0, 10, {}), counters(0, 90, 20, {})).steal == pytest.approx(0.1)


def test_a_process_that_began_meanwhile_does_not_count(machine: Machine) -> None:
    assert seen(machine, counters(0, 0, 0, {}), counters(9, 91, 0, {4: ("new", 9)})).processes == ()


def test_a_machine_that_tells_nothing_is_unknown(tmp_path: Path) -> None:
    assert read_load(tmp_path, lambda: None) == Load()


def test_counters_that_stand_still_are_unknown(machine: Machine) -> None:
    assert seen(machine, counters(5, 5, 0, {}), counters(5, 5, 0, {})) == Load()


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_a_process_that_computes_on_this_machine_is_found() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert busy.stdout is not None
        busy.stdout.readline()
        # It may not get the processor in the half second that is looked at.
        assert any(busy.pid in {process.pid for process in read_load().processes} for _ in range(60))
    finally:
        busy.kill()
        busy.communicate()
