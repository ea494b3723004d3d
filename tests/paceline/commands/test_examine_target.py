from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import DeviceState, LocalTransport
from latency import Missing, RemoteDevice, RemoteSettings, RemoteState
from paceline.commands import examine_target
from tests.paceline.conftest import Command
from tests.sshd import OpenSshServer, ssh_server

__all__ = ["ssh_server"]


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without targets and without ssh's configuration."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PACELINE_TARGETS", str(tmp_path / "targets.toml"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The device's folder for temporary files."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def device(command: Command, ssh_server: OpenSshServer, work: Path, tmp_path: Path) -> Iterator[str]:
    """The name of a device that was added as a user would."""
    config = tmp_path / "home" / ".ssh" / "config"
    config.parent.mkdir()
    config.write_text(ssh_server.client_config("desk"))
    added = command("targets", "add", "board", "--host", "desk", "--python", sys.executable, "--work", work)
    assert added.status == 0
    yield "board"
    assert os.listdir(work) in ([], [f"paceline-{os.getuid()}"])  # noqa: PTH208 - names


def topics(seen: Any) -> dict[str, str]:
    return {finding["topic"]: finding["severity"] for finding in seen["findings"]}


def test_a_device_that_can_be_measured_on_is_ready(command: Command, device: str, work: Path) -> None:
    ended = command("targets", "test", device, "--json")
    assert ended.status == ended.json["status"]
    assert topics(ended.json).items() >= {"connection": "ok", "python": "ok", "agent": "ok"}.items()
    assert ended.json["python"] == sys.version.split()[0]
    assert ended.json["folder"] == str(work)
    assert ended.json["runtimes"]["onnxruntime-cpu"] is None
    assert ended.json["device"]["architecture"] == os.uname().machine
    assert "connecting to desk" in ended.err


def test_the_screen_shows_what_json_says(command: Command, device: str) -> None:
    shown = " ".join(command("targets", "test", device).out.split())
    assert "desk answers" in shown
    assert "onnxruntime-cpu" in shown
    assert "dummy" not in shown


def test_this_machine_can_be_tested_too(command: Command) -> None:
    seen = command("targets", "test", "local", "--json").json
    assert seen["where"] == "this machine"
    assert topics(seen).items() >= {"connection": "ok", "python": "ok"}.items()


def test_a_kind_of_device_asks_for_a_host(command: Command) -> None:
    ended = command("targets", "test", "orin")
    assert ended.status == 3
    assert "paceline targets add orin --host USER@ADDRESS" in ended.err


def test_a_device_that_does_not_answer_ends_with_status_3(command: Command) -> None:
    with socket.socket() as taken:  # Nobody else gets its port, and nobody listens there.
        taken.bind(("127.0.0.1", 0))
        command("targets", "add", "board", "--host", f"127.0.0.1:{taken.getsockname()[1]}")
        ended = command("targets", "test", "board")
    assert ended.status == 3
    assert "cannot be reached now" in ended.err
    assert "Traceback" not in ended.err


def test_a_device_that_is_not_trusted_ends_with_status_3_and_the_way_out(
    command: Command, ssh_server: OpenSshServer
) -> None:
    command("targets", "add", "board", "--host", f"127.0.0.1:{ssh_server.port}", "--identity", ssh_server.identity)
    ended = command("targets", "test", "board")
    assert ended.status == 3
    assert f"`ssh-keyscan -p {ssh_server.port} -t ed25519 127.0.0.1 >> " in ended.err


def test_a_device_without_that_python_ends_with_status_3(command: Command, device: str) -> None:
    command("targets", "add", device, "--host", "desk", "--python", "python9")
    ended = command("targets", "test", device)
    assert ended.status == 3
    assert "`python9` is no Python there" in ended.err


def test_a_python_that_is_too_old_is_told(command: Command, device: str, tmp_path: Path) -> None:
    old = tmp_path / "python2"
    old.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c \"import platform, sys; platform.python_version = lambda: '2.7.18'; "
        'exec(sys.argv.pop(1))" "$2" "$3"\n'
    )
    old.chmod(0o755)
    command("targets", "add", device, "--host", "desk", "--python", old)
    ended = command("targets", "test", device, "--json")
    assert ended.status == 3
    assert topics(ended.json)["python"] == "problem"
    assert ended.json["verdict"] == "Mend python first."


def test_a_folder_that_is_not_there_is_told(command: Command, device: str, work: Path) -> None:
    command("targets", "add", device, "--host", "desk", "--python", sys.executable, "--work", work / "gone" / "deep")
    ended = command("targets", "test", device, "--json")
    assert ended.status != 0
    assert topics(ended.json)["disk"] == "problem"


def test_who_measures_there_is_told(command: Command, device: str, work: Path) -> None:
    settings = RemoteSettings("dummy", python=sys.executable, base=str(work))
    with LocalTransport() as transport, RemoteDevice(transport, settings) as other:
        other.state()
        ended = command("targets", "test", device, "--json")
    assert ended.status == 3
    (agent,) = (finding for finding in ended.json["findings"] if finding["topic"] == "agent")
    assert agent["severity"] == "problem"
    assert "Somebody else is measuring" in agent["what"]


def stand_in(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Have the agent say something else than it does."""
    asked = examine_target._state

    def state(*arguments: Any) -> tuple[RemoteState | None, str]:
        said, refusal = asked(*arguments)
        assert said is not None, refusal
        return replace(said, **changes), refusal

    monkeypatch.setattr(examine_target, "_state", state)


def test_a_missing_runtime_ends_with_status_3_and_what_else_there_is(
    command: Command, device: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtimes = {"trtexec": Missing("no trtexec", "Install it."), "onnxruntime-cpu": None, "dummy": None}
    stand_in(monkeypatch, runtimes=runtimes, health={}, state=DeviceState())
    command("targets", "add", device, "--like", "nano", "--host", "desk", "--python", sys.executable, "--work", work)
    ended = command("targets", "test", device)
    assert ended.status == 3
    assert "trtexec: Install it." in ended.out
    assert "or measure with what is there: profile-device --target board --runtime onnxruntime-cpu." in ended.out


def test_a_device_in_another_power_mode_is_not_trusted(
    command: Command, device: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(
        monkeypatch,
        runtimes={"trtexec": None},
        health={"power_modes": {"0": "MAXN", "1": "10W"}},
        state=DeviceState(power_mode="10W", clocks_held=True),
    )
    command("targets", "add", device, "--like", "xavier", "--host", "desk", "--python", sys.executable, "--work", work)
    ended = command("targets", "test", device)
    assert ended.status == 1
    assert "sudo nvpmodel -m 0" in ended.out
    assert "Mend power mode first." in ended.out
