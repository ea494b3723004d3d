"""A table that is filled from afar is the one that the device would fill itself, whatever happens on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.runtimes.gpu_sensors import ROOT_VARIABLE
from agent.timed_device import read_timed_device
from devices import Device
from latency import ExportedModels, Measurement, RemoteDevice, RemoteSettings, open_profiler
from lut import FillSummary, Progress, Table, appending, fill, in_this_process
from lut.rows import read_lines
from tests.agent.boards import AGX_XAVIER, build
from tests.agent.living_processes import ends, kill_all
from tests.agent.old_pythons import OLD_VERSIONS, find_python
from tests.agent.running_agent import FakeDevice, waits_until
from tests.contracts.examples import BLOCKS, QUICK, idle
from tests.latency.remote.breaking_transport import BreakingTransport
from tests.stand_ins import trtexec

TWO = replace(QUICK, precision=1e-9, least_bursts=2, most_bursts=2)
"""A plan of two bursts each."""

NOISE = 0.05
"""Several times what the stand-in for trtexec adds to a time."""


@pytest.fixture(scope="module")
def models() -> Iterator[ExportedModels]:
    """Exported once for all tests of this file."""
    models = ExportedModels()
    yield models
    models.close()


@pytest.fixture(params=OLD_VERSIONS)
def xavier(request: pytest.FixtureRequest, tmp_path: Path) -> FakeDevice:
    """A Xavier, made of files, with a stand-in for its trtexec."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} in pyenv's folder or on the PATH")
    program = trtexec.install(str(tmp_path), 8502, python=str(python))
    root = build(tmp_path / "root", AGX_XAVIER)
    return FakeDevice(tmp_path / "device", python, {"TRTEXEC": program, ROOT_VARIABLE: root})


@contextmanager
def far_away(
    device: FakeDevice, transport: BreakingTransport, models: ExportedModels, runtime: str
) -> Iterator[RemoteDevice]:
    settings = RemoteSettings(runtime, python=device.python, base=str(device.base), first_wait_s=0.01, quiet_s=60.0)
    with RemoteDevice(transport, settings, models=models) as remote:
        yield remote


def test_a_xavier_that_is_measured_from_afar_gives_the_table_that_it_would_fill_itself(
    xavier: FakeDevice,
    transport: BreakingTransport,
    models: ExportedModels,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TRTEXEC", ROOT_VARIABLE):
        monkeypatch.setenv(name, xavier.variables[name])
    itself = Device.from_json(read_timed_device("cuda", xavier.variables[ROOT_VARIABLE]))
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    with appending(here) as writer:
        fill(writer, in_this_process(open_profiler("trtexec", itself, idle)), BLOCKS, QUICK)
    with far_away(xavier, transport, models, "trtexec") as remote:
        with appending(there) as writer:
            assert fill(writer, remote.round, BLOCKS, QUICK).measured == len(BLOCKS)
        with appending(here) as writer:
            assert fill(writer, remote.round, BLOCKS, QUICK).skipped == len(BLOCKS)
    first, second = Table.read(here), Table.read(there)
    assert first.keys() == second.keys()
    for key, outcome in first.items():
        other = second[key]
        assert isinstance(outcome, Measurement)
        assert isinstance(other, Measurement)
        assert other.time_s == pytest.approx(outcome.time_s, rel=NOISE)
        assert other.bursts[0].before.power_mode is not None
    assert waits_until(xavier.is_clean)


def filled(
    device: FakeDevice,
    transport: BreakingTransport,
    models: ExportedModels,
    path: Path,
    happens: Callable[[int], None],
) -> FillSummary:
    """Fill a table, and have something happen after each burst, of which it is told the number."""

    def tell(progress: Progress) -> None:
        happens(progress.done)

    with far_away(device, transport, models, "dummy") as remote, appending(path) as writer:
        return fill(writer, remote.round, BLOCKS, TWO, tell=tell)


def assert_complete(path: Path, summary: FillSummary) -> None:
    """Two bursts of each, one row for each burst, and no failure."""
    rows, bad = read_lines(path)
    assert not bad
    assert not summary.failures
    assert not summary.setbacks
    bursts: Counter[str] = Counter()
    for row in rows:
        assert isinstance(row.content, Measurement)
        bursts[row.content.workload.digest] += len(row.content.bursts)
    assert bursts == {block.digest: 2 for block in BLOCKS}


def kill(pids: list[int]) -> None:
    kill_all(pids)
    assert all(map(ends, pids))  # One that is asked while it dies has a burst to fail.


FAULTS: dict[str, Callable[[FakeDevice, BreakingTransport], None]] = {
    "the agent is killed": lambda device, _: kill(device.agents()),
    "the worker is killed": lambda device, _: kill(device.processes("agent.worker")),
    "the agent and its janitor are killed": lambda device, _: kill(device.agents() + device.janitors()),
    "everything is killed": lambda device, _: kill(device.processes()),
    "the connection is cut": lambda _, transport: transport.cut(3),
    "a request is cut": lambda _, transport: transport.cut(after_writes=1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fill_survives(
    device: FakeDevice, transport: BreakingTransport, models: ExportedModels, tmp_path: Path, fault: str
) -> None:
    faults = 0

    def happens(done: int) -> None:
        nonlocal faults
        if done in {1, 3, 4, 6}:  # Four of a round, twice: within each and between them.
            faults += 1
            FAULTS[fault](device, transport)

    path = tmp_path / "table.jsonl"
    assert_complete(path, filled(device, transport, models, path, happens))
    assert faults == 4
    assert waits_until(device.is_clean)
