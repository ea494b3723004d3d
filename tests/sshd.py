"""A real OpenSSH server on loopback, as the user that runs the tests: it plays the device that is not this machine.

A test folder that wants one imports the fixture in its conftest: ``from tests.sshd import ssh_server``.
"""

from __future__ import annotations

import functools
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from devices.catalog import Connection
from tests.agent.living_processes import kill_all

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
PrintMotd no
UseDNS no
MaxSessions 100
MaxStartups 100
Subsystem sftp internal-sftp
"""

_NEWER = "PerSourcePenalties no\n"
"""From OpenSSH 9.8 on a server shuts out who was refused some times; older ones do not know the word."""

_PATIENCE_S = 120.0


class OpenSshServer:
    """An sshd with keys of its own that can be killed, cut off and started again on the same port.

    Attributes:
        host: address it listens at.
        port: port it listens at, the same after a restart.
        user: who logs in: the user of this process.
        identity: private key that it lets in.
        known_hosts: file with its host key.
        folder: all its files.

    Args:
        folder: where they are put.
        environment: variables that commands started through it have, whoever logs in.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, environment: Mapping[str, str] = {}) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.user = getpass.getuser()
        self.identity = folder / "id_ed25519"
        self.known_hosts = folder / "known_hosts"
        make_key(self.identity)
        shutil.copy(f"{self.identity}.pub", folder / "authorized_keys")
        self.change_host_key()
        self.write_known_hosts()
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "sshd_config"
        self._environment = environment
        self._write_config()

    def connection(self, **changes: object) -> Connection:
        """How it is reached, by its own key and known hosts; nothing is left to the user's configuration."""
        usual = Connection(
            self.host,
            port=self.port,
            user=self.user,
            identity=str(self.identity),
            known_hosts=str(self.known_hosts),
        )
        return replace(usual, **changes)  # type: ignore[arg-type]

    def client_config(self, alias: str, *more: str) -> str:
        """Lines of an ssh configuration that make ``alias`` lead here."""
        lines = [
            f"Host {alias}",
            f"HostName {self.host}",
            f"Port {self.port}",
            f"User {self.user}",
            f"IdentityFile {self.identity}",
            f"UserKnownHostsFile {self.known_hosts}",
            *more,
        ]
        return "\n  ".join(lines) + "\n"

    def change_host_key(self) -> None:
        """Give it another host key, as a device has that was installed anew; it takes effect with the next start."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink(missing_ok=True)
        make_key(self.folder / "host_key")

    def write_known_hosts(self) -> None:
        """Trust the host key that it has now."""
        kind, key, *_ = (self.folder / "host_key.pub").read_text().split()
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {kind} {key}\n")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._process is None, "it runs already"
        with (self.folder / "log").open("ab") as log:
            # A session of its own: what the tests' terminal sends is not for it.
            self._process = subprocess.Popen(
                [sshd_path(), "-D", "-e", "-f", str(self._config)],
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, "an answer of sshd")
        except AssertionError:
            self.stop()
            raise AssertionError(f"sshd did not start: {self.log()}") from None

    def stop(self) -> None:
        """End the server and its connections, at once; what was started through them lives on. Harmless twice."""
        if self._process is None:
            return
        os.kill(self._process.pid, signal.SIGSTOP)  # No new connection between looking and killing.
        self.cut()
        self._process.kill()
        self._process.wait()
        self._process = None

    def power_off(self) -> None:
        """End the server, its connections and everything that was started through them, as a power cut does."""
        if self._process is None:
            return
        os.kill(self._process.pid, signal.SIGSTOP)
        kill_all(descendants(self._process.pid))
        self.stop()

    def cut(self) -> None:
        """Cut all connections: their processes end, the server goes on to listen, started commands see end of input."""
        kill_all(self.connections())

    def connections(self) -> list[int]:
        """The processes of the server that serve a connection."""
        assert self._process is not None
        return [pid for pid in descendants(self._process.pid) if _name(pid).startswith("sshd")]

    def suspend(self) -> None:
        """Let no connection say anything any more, as behind a cable that was pulled; ``resume`` ends that."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the connections speak again."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """What it wrote to its log."""
        return (self.folder / "log").read_text(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *self.connections()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _write_config(self) -> None:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        plain = _CONFIG.format(port=self.port, folder=self.folder)
        if self._environment:
            plain += "SetEnv " + " ".join(f'"{name}={value}"' for name, value in self._environment.items()) + "\n"
        self._config.write_text(plain + _NEWER)
        check = subprocess.run([sshd_path(), "-t", "-f", str(self._config)], capture_output=True, check=False)
        if check.returncode:
            self._config.write_text(plain)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "sshd ended"
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout=10) as link:
            return link.recv(4) == b"SSH-"
        return False


def log_in_patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whoever logs in not give up a server that stands still for a moment."""
    monkeypatch.setattr("devices.transports.ssh_login._PATIENCE_S", 120.0)
    monkeypatch.setattr("devices.transports.ssh_login._KEEPALIVE_S", 60.0)
    monkeypatch.setattr("devices.transports.ssh._PATIENCE_TO_START_S", 120.0)


def make_key(path: Path, passphrase: str = "") -> None:
    """Make a key pair at ``path``."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def free_port() -> int:
    """A port of loopback that nobody listens at, below those that the system gives to whoever connects."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S) -> None:
    """Wait for something that happens soon; an AssertionError when it does not."""
    until_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until_s, f"waited {patience_s:g} s in vain for {what}"
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """The processes that ``pid`` started, and those that they did."""
    parents = {child: _parent(child) for child in (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())}
    found = [pid]
    for above in found:
        found += [child for child, parent in parents.items() if parent == above]
    return found[1:]


@functools.cache
def sshd_path() -> str:
    """The program sshd; the test is skipped where there is none."""
    path = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server on this machine: apt install openssh-server")
    if not Path("/proc/self/stat").exists():
        pytest.skip("the processes of an OpenSSH server are found through /proc, which this machine does not have")
    return path


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """A server for all tests that leave it as it is."""
    sshd_path()
    server = OpenSshServer(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_ssh_server(tmp_path: Path) -> Iterator[OpenSshServer]:
    """A server for a test that cuts, kills or changes it."""
    sshd_path()
    server = OpenSshServer(tmp_path / "sshd")
    server.start()
    yield server
    server.power_off()


def _parent(pid: int) -> int | None:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
