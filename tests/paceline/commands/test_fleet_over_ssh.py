"""``profile-device --hosts`` as a user types it: real ssh servers on loopback play Xaviers.

Each has the files of a board, a stand-in for trtexec of TensorRT 8.5 that takes as long as it is told, and an agent
that is run by the oldest Python that is found.
"""

from __future__ import annotations

import functools
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from latency import Measurement, RemoteSettings
from lut import Table
from paceline import place
from search import Space
from tests.agent import boards
from tests.agent.old_pythons import find_python
from tests.paceline.conftest import Command
from tests.sshd import OpenSshServer, sshd_path, wait_until
from tests.stand_ins import trtexec

pytestmark = pytest.mark.slow

ROUNDS = 3
COMMON = 12
FEW = 4

_USUAL = 100
"""How much slower than usual the stand-in plays: what writes fewer iterations to its files is done sooner."""

Xaviers = Callable[..., dict[str, OpenSshServer]]


@pytest.fixture
def xaviers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Xaviers]:
    """``xaviers(a=1.0, b=1.05)`` starts two devices that are targets of those names, the second 5 % slower."""
    sshd_path()
    servers = dict[str, OpenSshServer]()
    targets = tmp_path / "targets.toml"
    monkeypatch.setenv("PACELINE_TARGETS", str(targets))
    board = boards.build(tmp_path / "board", boards.AGX_XAVIER)

    def start(**slower: float) -> dict[str, OpenSshServer]:
        for name, factor in slower.items():
            servers[name] = _xavier(tmp_path / name, board, factor)
        targets.write_text("\n".join(_entry(name, server) for name, server in servers.items()))
        return servers

    yield start
    for server in servers.values():
        server.power_off()


def _xavier(folder: Path, board: str, slower: float) -> OpenSshServer:
    programs = folder / "bin"
    programs.mkdir(parents=True)
    python = find_python("3.6") or find_python("3.8") or Path(sys.executable)
    (programs / "python3").symlink_to(python)
    trtexec.install(str(programs), 8502, python=str(python), slower=str(_USUAL * slower))
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "PACELINE_ROOT": board, "TMPDIR": str(folder)}
    server = OpenSshServer(folder / "sshd", environment)
    server.start()
    return server


def _entry(name: str, server: OpenSshServer) -> str:
    way = server.connection(work=str(server.folder.parent))
    fields = ("host", "port", "user", "identity", "known_hosts", "work")
    return f'[{name}]\nlike = "xavier"\n' + "".join(
        f"{field} = {json.dumps(getattr(way, field))}\n" for field in fields
    )


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``blocks(6)`` leaves so many blocks of the space."""
    all_of = Space.workloads
    return lambda count: monkeypatch.setattr(Space, "workloads", lambda space: all_of(space)[:count])


def words(hosts: str, table: Path) -> tuple[object, ...]:
    size = ("--space", "demo", "--input", "32x64", "--rounds", ROUNDS)
    return ("profile-device", "--target", "xavier", "--hosts", hosts, *size, "--out", table, "--json")


def bursts(table: Path) -> list[int]:
    return [len(row.bursts) for row in Table.read(table).values() if isinstance(row, Measurement)]


def taken(table: Path, host: str) -> int:
    """Bursts that a device has taken in a run that is not over."""
    path = table.with_name(f"{table.name}.d") / f"{host}.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@contextmanager
def meanwhile(condition: Callable[[], bool], what: Callable[[], None]) -> Iterator[None]:
    """Do something in the course of a command, as soon as a condition holds."""

    def wait() -> None:
        wait_until(condition, "the moment to interfere", patience_s=120)
        what()

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(wait)
        yield
        done.result()


def test_two_that_agree_fill_one_table_and_go_on_after_ctrl_c(
    command: Command, xaviers: Xaviers, blocks: Callable[[int], None], tmp_path: Path
) -> None:
    blocks(FEW)
    xaviers(a=1.0, b=1.0)
    table = tmp_path / "t.jsonl"
    main = threading.main_thread().ident
    assert main is not None
    with meanwhile(lambda: taken(table, "a") >= 2, lambda: signal.pthread_kill(main, signal.SIGINT)):
        ended = command(*words("a,b", table))
    assert ended.status == 130
    had = {host: taken(table, host) for host in "ab"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("fleet", "ssh"))]
    ended = command(*words("a,b", table))
    assert ended.status == 0, ended.err
    assert bursts(table) == [ROUNDS] * FEW
    assert sorted(device["verdict"] for device in ended.json["devices"]) == ["agrees", "reference"]
    assert all(0 < count < FEW * ROUNDS for count in had.values())
    left = list(tmp_path.glob("*/paceline-*/*"))
    assert (left, table.with_name("t.jsonl.d").exists()) == ([], False)


def test_of_two_that_differ_both_are_told_and_a_third_tells_which_is_off(
    command: Command, xaviers: Xaviers, blocks: Callable[[int], None], tmp_path: Path
) -> None:
    blocks(FEW)
    xaviers(a=1.0, b=1.05, c=1.0)
    table = tmp_path / "t.jsonl"
    ended = command(*words("a,b", table))
    assert ended.status == 1, ended.err
    assert [device["verdict"] for device in ended.json["devices"]] == ["differs", "differs"]
    assert ended.json["devices"][1]["factor"] == pytest.approx(1.05, abs=0.005)
    assert len(ended.json["open"]) == FEW
    assert len(Table.read(table)) == 0

    ended = command(*words("a,b,c", table))
    assert ended.status == 1, ended.err
    told = {device["device"]: device for device in ended.json["devices"]}
    assert {name: device["measured"] for name, device in told.items()} == {"a": 0, "b": 0, "c": FEW}
    assert told["b"]["verdict"] == "disagrees"
    assert {told[name]["verdict"] for name in "ac"} == {"agrees", "reference"}
    assert ended.json["open"] == []
    assert bursts(table) == [ROUNDS] * FEW


def test_the_share_of_a_device_that_dies_in_the_run_is_taken_over(
    command: Command,
    xaviers: Xaviers,
    blocks: Callable[[int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(place, "RemoteSettings", functools.partial(RemoteSettings, patience_s=0.5))
    blocks(COMMON + 2)
    servers = xaviers(a=1.0, b=1.0)
    table = tmp_path / "t.jsonl"
    with meanwhile(lambda: taken(table, "b") > COMMON, servers["b"].power_off):
        ended = command(*words("a,b", table))
    assert ended.status == 0, ended.err
    lost = {device["device"]: device["lost"] for device in ended.json["devices"]}
    assert lost["a"] is None
    assert "did not come back within 0.5 s" in lost["b"]
    assert bursts(table) == [ROUNDS] * (COMMON + 2)
