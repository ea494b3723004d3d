"""OpenSSH servers for the transports, and a user who has nothing that the tests did not give."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.sshd import OpenSshServer, log_in_patiently, own_ssh_server, ssh_server, wait_until

__all__ = ["own_ssh_server", "ssh_server"]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an empty ~/.ssh and no ssh agent, who is patient."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    log_in_patiently(monkeypatch)
    return home


@pytest.fixture
def agent(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], None]]:
    """A running ssh agent; a call gives it a key."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent on this machine: apt install openssh-client")
    path = tmp_path_factory.mktemp("agent") / "socket"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as link:
            link.connect(str(path))
            return True
        return False

    wait_until(answers, "the ssh agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield lambda key: subprocess.run(["ssh-add", "-q", str(key)], check=True) and None
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def jump_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    server = OpenSshServer(tmp_path_factory.mktemp("jump"))
    server.start()
    yield server
    server.stop()
