"""What can go wrong on the way to a device and on it, each for real, in the middle of filling a table.

Afterwards the table has each burst once, and the device has nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.runtimes.gpu_sensors import ROOT_VARIABLE
from devices import DeviceState, LocalTransport, NotAvailable, SshTransport, read_device, read_state
from latency import (
    Failure,
    Measurement,
    Outcome,
    RemoteDevice,
    RemoteSettings,
    Workload,
    open_profiler,
)
from latency.remote import remote_device
from latency.remote.bundle import AGENT, bundle_of
from lut import FillSummary, Progress, Table, appending, fill, in_this_process
from lut.rows import read_lines
from tests.agent import boards
from tests.agent.living_processes import kill_all, lives
from tests.agent.old_pythons import OLD_VERSIONS, find_python
from tests.agent.running_agent import FakeDevice
from tests.contracts.examples import QUICK, block
from tests.latency.remote.breaking_transport import BreakingTransport
from tests.latency.remote.small_models import SmallModels
from tests.sshd import OpenSshServer, own_ssh_server, wait_until
from tests.stand_ins import trtexec

__all__ = ["own_ssh_server"]

PLAN = replace(QUICK, least_bursts=2, most_bursts=2)

BLOCKS = tuple(block(channels) for channels in range(8, 13))

_SMALL_BYTES = 1_000_000

SOON_S = 0.2
"""How long a work folder waits for a host that is not to come back."""

Tell = Callable[[Progress], None]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


@pytest.fixture
def over_ssh(own_ssh_server: OpenSshServer) -> Iterator[SshTransport]:
    """The way to the device, by a server that a test may kill."""
    with SshTransport(own_ssh_server.connection()) as transport:
        yield transport


def fill_from(remote: RemoteDevice, table: Path, tell: Tell = lambda progress: None) -> FillSummary:
    """Fill a table, or go on with one."""
    with remote, appending(table) as writer:
        return fill(writer, remote.round, BLOCKS, PLAN, tell=tell)


def rows(table: Path) -> list[Outcome]:
    found, bad = read_lines(table)
    assert not bad
    return [row.content for row in found if isinstance(row.content, Measurement | Failure)]


def assert_each_burst_once(table: Path, device: FakeDevice | None = None, *, interrupted: int = 0) -> None:
    """The table has each burst once, and no more were taken than it has and were interrupted."""
    found = rows(table)
    assert all(isinstance(row, Measurement) for row in found)
    assert Counter(row.workload for row in found) == dict.fromkeys(BLOCKS, PLAN.most_bursts)
    if device is not None:
        assert len(device.noted("measure")) == len(found) + interrupted


@contextmanager
def during_a_burst(device: FakeDevice, act: Callable[[], None], after: int = 3) -> Iterator[Tell]:
    """Do something, in a thread, while the burst hangs that comes after so many; yields what a fill tells."""

    def tell(progress: Progress) -> None:
        if progress.done == after:
            device.fault.write_text("hang")

    def wait_and_act() -> None:
        wait_until(lambda: bool(device.noted("hangs")), "a burst that hangs")
        device.fault.unlink()
        act()

    with ThreadPoolExecutor(1) as thread:
        acting = thread.submit(wait_and_act)
        yield tell
        acting.result()


# Connections


def test_a_server_that_is_killed_during_a_burst_and_started_again(
    device: FakeDevice,
    own_ssh_server: OpenSshServer,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    bundle: bytes,
    models: SmallModels,
    table: Path,
) -> None:
    said: list[str] = []

    def act() -> None:
        own_ssh_server.stop()
        wait_until(lambda: bool(said), "the host to notice")
        own_ssh_server.start()

    remote = RemoteDevice(over_ssh, settings, tell=said.append, models=models, bundle=bundle)
    with during_a_burst(device, act) as tell:
        fill_from(remote, table, tell)
    assert_each_burst_once(table, device, interrupted=1)
    assert [("lost" in words, "is back" in words) for words in said] == [(True, False), (False, True)]
    wait_until(device.is_clean, "an empty device")


def test_a_connection_that_goes_silent_during_a_burst(
    device: FakeDevice,
    own_ssh_server: OpenSshServer,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    bundle: bytes,
    models: SmallModels,
    table: Path,
) -> None:
    def act() -> None:
        (serving,) = own_ssh_server.connections()[:1]
        os.kill(serving, signal.SIGSTOP)

    remote = RemoteDevice(over_ssh, replace(settings, quiet_s=6.0), models=models, bundle=bundle)
    with during_a_burst(device, act) as tell:
        fill_from(remote, table, tell)
    assert_each_burst_once(table, device, interrupted=1)
    own_ssh_server.power_off()
    wait_until(device.is_clean, "an empty device")


def test_a_connection_that_is_cut_during_an_upload(
    device: FakeDevice,
    own_ssh_server: OpenSshServer,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    bundle: bytes,
    tmp_path: Path,
    table: Path,
) -> None:
    class Large(SmallModels):
        def of(self, graph: Workload) -> Any:
            path = self._where / f"{graph.digest}.onnx"
            if graph == BLOCKS[2] and not path.exists():
                path.write_bytes(bytes(40_000_000))
            return super().of(graph)

    cut: list[str] = []
    agents: list[int] = []

    def is_alone() -> bool:
        agents[:] = device.agents()  # What it starts looks like it for a moment.
        return len(agents) == 1

    def parts() -> list[Path]:
        found = list[Path]()
        for path in device.base.glob("paceline-*/*/models/*"):
            with suppress(FileNotFoundError):  # It has come, and has another name now.
                if path.suffix != ".onnx" and path.stat().st_size > _SMALL_BYTES:
                    found.append(path)
        return found

    def act() -> None:
        wait_until(is_alone, "the agent")
        (agent,) = agents
        wait_until(lambda: bool(parts()), "a file that is under way")
        os.kill(agent, signal.SIGSTOP)
        cut.extend(path.name for path in parts())
        own_ssh_server.cut()
        os.kill(agent, signal.SIGCONT)

    remote = RemoteDevice(over_ssh, settings, models=Large(tmp_path / "large"), bundle=bundle)
    with ThreadPoolExecutor(1) as thread:
        acting = thread.submit(act)
        fill_from(remote, table)
        acting.result()
    assert len(cut) == 1, "it was not cut in the middle: this says nothing"
    assert_each_burst_once(table, device)
    wait_until(device.is_clean, "an empty device")


# The device


@pytest.mark.parametrize("wiped", [False, True])
def test_a_device_that_restarts_during_a_burst(
    device: FakeDevice,
    own_ssh_server: OpenSshServer,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    bundle: bytes,
    models: SmallModels,
    table: Path,
    wiped: bool,
) -> None:
    def act() -> None:
        own_ssh_server.power_off()
        wait_until(lambda: not device.processes(), "the end of all processes")
        assert list(device.base.iterdir()), "there is nobody left who could have removed it"
        if wiped:
            shutil.rmtree(device.base)
            device.base.mkdir()
        own_ssh_server.start()

    remote = RemoteDevice(over_ssh, settings, models=models, bundle=bundle)
    with during_a_burst(device, act) as tell:
        fill_from(remote, table, tell)
    assert_each_burst_once(table, device, interrupted=1)
    wait_until(device.is_clean, "an empty device")


def test_an_agent_that_is_killed_during_a_burst(
    device: FakeDevice,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    bundle: bytes,
    models: SmallModels,
    table: Path,
) -> None:
    def act() -> None:
        kill_all(device.agents())

    remote = RemoteDevice(over_ssh, settings, models=models, bundle=bundle)
    with during_a_burst(device, act) as tell:
        fill_from(remote, table, tell)
    assert_each_burst_once(table, device, interrupted=1)
    wait_until(device.is_clean, "an empty device")


def test_a_worker_that_is_killed_costs_one_burst_of_one_workload(
    device: FakeDevice,
    transport: BreakingTransport,
    settings: RemoteSettings,
    bundle: bytes,
    models: SmallModels,
    table: Path,
) -> None:
    remote = RemoteDevice(transport, settings, models=models, bundle=bundle)
    in_the_second_round = len(BLOCKS) + 1
    kill = lambda: os.kill(int(device.noted("hangs")[-1]), signal.SIGKILL)  # noqa: E731
    with during_a_burst(device, kill, after=in_the_second_round) as tell:
        summary = fill_from(remote, table, tell)
    assert_each_burst_once(table, device, interrupted=1)
    (setback,) = summary.setbacks
    assert "SIGKILL" in setback.reason
    wait_until(device.is_clean, "an empty device")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 4 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_fills_up_in_the_middle_and_is_freed_again(
    small_disk: Path,
    device: FakeDevice,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    bundle: bytes,
    tmp_path: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_device, "_ROOM_BYTES", 1 << 20)
    film = small_disk / "film"

    class Large(SmallModels):
        def of(self, graph: Workload) -> Any:
            path = self._where / f"{graph.digest}.onnx"
            path.write_bytes(graph.digest.encode() * (1_000_000 // len(graph.digest)))
            return super().of(graph)

    def run(tell: Tell = lambda progress: None) -> None:
        on_disk = replace(settings, base=str(small_disk))
        fill_from(RemoteDevice(over_ssh, on_disk, models=Large(tmp_path / "large"), bundle=bundle), table, tell)

    def tell(progress: Progress) -> None:
        if progress.done == 3:
            for model in small_disk.glob("paceline-*/*/models/*"):
                model.unlink()
            with suppress(OSError), film.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 12))

    with pytest.raises(NotAvailable, match=r"disk full.*the same command goes on"):
        run(tell)
    assert len(rows(table)) == 3
    assert list(small_disk.iterdir()) == [film]
    film.unlink()
    run()
    assert_each_burst_once(table, device)
    assert list(small_disk.iterdir()) == []


JUMPING = """
import itertools, time
real, jumps = time.time, itertools.cycle((0.0, 3e9, -1.7e9, 1e5))
time.time = lambda: real() + next(jumps)
"""


def test_a_clock_that_jumps_changes_no_time(
    device: FakeDevice, transport: BreakingTransport, settings: RemoteSettings, models: SmallModels, tmp_path: Path
) -> None:
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(JUMPING)
    whole = bundle_of(AGENT, [])
    tables = []
    for name, variables in (("steady", {}), ("jumping", {"PYTHONPATH": str(tmp_path / "clock")})):
        device.variables = variables
        device.write_python()
        fill_from(RemoteDevice(transport, settings, models=models, bundle=whole), tmp_path / name)
        assert_each_burst_once(tmp_path / name)
        tables.append(Table.read(tmp_path / name))
    steady, jumping = tables
    assert {key: one.time_s for key, one in measurements(steady).items()} == {
        key: one.time_s for key, one in measurements(jumping).items()
    }
    moments = {burst.measured_at[:4] for one in measurements(jumping).values() for burst in one.bursts}
    assert all(moment >= "2024" for moment in moments)
    wait_until(device.is_clean, "an empty device")


def measurements(table: Table) -> Mapping[Any, Measurement]:
    return {key: one for key, one in table.items() if isinstance(one, Measurement)}


# Runtimes


@pytest.fixture
def xavier(device: FakeDevice, tmp_path: Path) -> FakeDevice:
    """The device as an AGX Xavier made of files, with a stand-in for trtexec of TensorRT 8.5."""
    board = boards.build(tmp_path / "board", boards.AGX_XAVIER)
    play_trtexec(device)
    device.variables |= {ROOT_VARIABLE: board, "TRTEXEC": str(device.folder / "trtexec")}
    device.write_python()
    return device


def play_trtexec(device: FakeDevice, fault: str = "", **more: str) -> None:
    python = str(find_python(OLD_VERSIONS[0]) or sys.executable)
    trtexec.install(str(device.folder), 8502, fault, python=python, slower="100", **more)


LIMIT_S = "15.0"


@pytest.fixture(scope="session")
def impatient_bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The agent, with less patience for trtexec."""
    folder = tmp_path_factory.mktemp("impatient") / "agent"
    shutil.copytree(AGENT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    runtime = folder / "runtimes" / "trtexec.py"
    text = runtime.read_text()
    assert "limit_s: float = 900.0" in text
    runtime.write_text(text.replace("limit_s: float = 900.0", f"limit_s: float = {LIMIT_S}"))
    return bundle_of(folder, [])


@pytest.mark.parametrize(
    ("fault", "stage", "words"),
    [
        ("crash", "run", "SIGABRT|-6|failed"),
        ("crash in build", "build", "SIGABRT|-6|failed"),
        ("hang", "run", "did not end within 15 s"),
        ("negative", "run", "must take 0 ms or more"),
    ],
)
def test_a_trtexec_that_fails_on_one_block_fails_on_no_other(
    xavier: FakeDevice,
    transport: BreakingTransport,
    settings: RemoteSettings,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    table: Path,
    fault: str,
    stage: str,
    words: str,
) -> None:
    models = SmallModels(tmp_path / "models", dict.fromkeys(BLOCKS, "\x08"))
    bad = BLOCKS[2]
    log = tmp_path / "log"
    play_trtexec(xavier, fault, on=models.of(bad).digest[:16], log=str(log))
    bundle = request.getfixturevalue("impatient_bundle") if fault == "hang" else bundle_of(AGENT, [])
    remote = RemoteDevice(transport, replace(settings, runtime="trtexec"), models=models, bundle=bundle)
    summary = fill_from(remote, table)
    (failure,) = summary.failures
    assert (failure.workload, failure.stage) == (bad, stage)
    assert re.search(words, failure.reason)
    good = Counter(row.workload for row in rows(table) if isinstance(row, Measurement))
    assert good == {workload: PLAN.most_bursts for workload in BLOCKS if workload != bad}
    hung = [entry for line in log.read_text().splitlines() if isinstance(entry := json.loads(line), dict)]
    assert len(hung) == (fault == "hang")
    assert not any(lives(pid) for entry in hung for pid in entry.values())
    wait_until(xavier.is_clean, "an empty device")


# Two who want it, and one who is gone


def test_a_second_user_is_told_who_measures_and_gets_the_device_afterwards(
    device: FakeDevice,
    transport: BreakingTransport,
    settings: RemoteSettings,
    bundle: bytes,
    models: SmallModels,
    tmp_path: Path,
) -> None:
    mine, patient, hasty = tmp_path / "mine", tmp_path / "patient", tmp_path / "hasty"
    second = replace(settings, run="run-2", wait_s=0.0)
    others: list[Any] = []
    with ThreadPoolExecutor(1) as thread:

        def act() -> None:
            with LocalTransport() as way:
                hasty_one = RemoteDevice(way, second, models=models, bundle=bundle)
                with pytest.raises(NotAvailable, match=r"has it for \d+ s: run run-1, process \d+"):
                    fill_from(hasty_one, hasty)
            others.append(thread.submit(wait_and_fill))
            wait_until(lambda: len(device.agents()) == 2, "the second user's agent")
            os.kill(int(device.noted("hangs")[-1]), signal.SIGKILL)

        def wait_and_fill() -> None:
            with LocalTransport() as way:
                fill_from(RemoteDevice(way, replace(second, wait_s=60.0), models=models, bundle=bundle), patient)

        with during_a_burst(device, act, after=len(BLOCKS)) as tell:
            fill_from(RemoteDevice(transport, settings, models=models, bundle=bundle), mine, tell)
        others[0].result()
    assert_each_burst_once(mine)
    assert_each_burst_once(patient)
    assert rows(hasty) == []
    assert len(device.noted("measure")) == len(rows(mine)) + len(rows(patient)) + 1
    wait_until(device.is_clean, "an empty device")


HOST = f"""  # Eight blocks, and less patience with a host that is gone.
import agent.protocol
agent.protocol.GRACE_S = {SOON_S}
from search import Space
whole = Space.workloads
Space.workloads = lambda space: whole(space)[:8]
from paceline.command_line import profile_device
profile_device()
"""

COMMAND = ["--target", "mine", "--space", "demo", "--input", "32x64", "--runtime", "dummy", "--rounds", "2"]


@pytest.mark.slow
def test_a_host_that_is_killed_leaves_a_table_to_go_on_with_and_an_empty_device(
    device: FakeDevice, own_ssh_server: OpenSshServer, tmp_path: Path, table: Path
) -> None:
    way = own_ssh_server.connection(work=str(device.base), python=device.python)
    fields = ("host", "port", "user", "identity", "known_hosts", "work", "python")
    entry = '[mine]\nlike = "xavier"\n' + "".join(f"{name} = {json.dumps(getattr(way, name))}\n" for name in fields)
    (tmp_path / "targets.toml").write_text(entry)
    env = dict(os.environ, PACELINE_TARGETS=str(tmp_path / "targets.toml"), PYTHONPATH=str(AGENT.parent))

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOST, *COMMAND, "--out", str(table)]
        return subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    with start() as host:
        wait_until(lambda: table.exists() and len(table.read_text().splitlines()) > 3, "some rows", 300.0)
        host.kill()
    wait_until(device.is_clean, "an empty device")
    known = table.read_bytes()
    with start() as host:
        said, _ = host.communicate()
    assert host.returncode == 0, said
    assert table.read_bytes().startswith(known[: known.rindex(b"\n") + 1])
    bursts = Counter(row.workload for row in rows(table))
    assert set(bursts.values()) == {2}
    wait_until(device.is_clean, "an empty device")


# As if it had been measured there


def test_a_table_filled_over_ssh_is_the_one_that_the_device_would_fill_itself(
    xavier: FakeDevice,
    over_ssh: SshTransport,
    settings: RemoteSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from agent.nvml import forget
    from devices import read_timed_device

    monkeypatch.setitem(sys.modules, "pynvml", None)
    forget()
    for name in (ROOT_VARIABLE, "TRTEXEC"):
        monkeypatch.setenv(name, xavier.variables[name])
    plan = replace(PLAN, most_samples=6, sample_s=1e-9)
    there, here = tmp_path / "there", tmp_path / "here"
    one = replace(settings, runtime="trtexec")
    with RemoteDevice(over_ssh, one, bundle=bundle_of(AGENT, [])) as remote, appending(there) as writer:
        fill(writer, remote.round, BLOCKS[:3], plan)
    board = read_timed_device("cuda", Path(xavier.variables[ROOT_VARIABLE]))
    with appending(here) as writer:
        fill(writer, in_this_process(open_profiler("trtexec", board, DeviceState)), BLOCKS[:3], plan)
    forget()
    far, near = (measurements(Table.read(path)) for path in (there, here))
    assert far.keys() == near.keys()
    assert len(far) == 3
    assert {key: one.time_s for key, one in far.items()} == {key: one.time_s for key, one in near.items()}


def test_a_processor_measured_over_ssh_is_the_one_that_measures_itself(over_ssh: SshTransport, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    blocks = [block(channels, source=32, size=32) for channels in (8, 64)]
    there, here = tmp_path / "there", tmp_path / "here"
    (tmp_path / "work").mkdir()
    settings = RemoteSettings("onnxruntime-cpu", python=sys.executable, base=str(tmp_path / "work"))
    with RemoteDevice(over_ssh, settings) as remote, appending(there) as writer:
        fill(writer, remote.round, blocks, PLAN)
    with appending(here) as writer:
        fill(writer, in_this_process(open_profiler("onnxruntime-cpu", read_device(), read_state)), blocks, PLAN)
    far, near = (measurements(Table.read(path)) for path in (there, here))
    assert far.keys() == near.keys()
    assert len(far) == 2
    assert all(1 / 20 < far[key].time_s / near[key].time_s < 20 for key in far)
