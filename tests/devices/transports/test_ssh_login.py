from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.catalog import Connection
from devices.errors import ConnectionLost, NotAvailable
from devices.transports import ssh_login
from devices.transports.ssh import SshTransport
from tests.devices.transports.logins import nowhere, refusal, says, silent, threads
from tests.sshd import OpenSshServer, free_port, make_key


def test_the_configuration_of_ssh_says_how_an_alias_is_reached(ssh_server: OpenSshServer, home: Path) -> None:
    (home / ".ssh" / "config").write_text(ssh_server.client_config("desk"))
    assert says(Connection("desk")) == b"here\n"


def test_what_the_target_says_goes_before_the_configuration(ssh_server: OpenSshServer, home: Path) -> None:
    wrong = f"Host *\n  Port 1\n  User nobody\n  IdentityFile {home}/none\n  UserKnownHostsFile /dev/null\n"
    (home / ".ssh" / "config").write_text(wrong)
    assert says(ssh_server.connection()) == b"here\n"


def test_the_usual_files_are_used_where_nothing_is_said(ssh_server: OpenSshServer, home: Path) -> None:
    shutil.copy(ssh_server.identity, home / ".ssh" / "id_ed25519")
    shutil.copy(ssh_server.known_hosts, home / ".ssh" / "known_hosts")
    assert says(Connection(ssh_server.host, ssh_server.port, ssh_server.user)) == b"here\n"


def test_the_agent_logs_in_without_a_file(ssh_server: OpenSshServer, agent: Callable[[Path], None]) -> None:
    agent(ssh_server.identity)
    assert says(ssh_server.connection(identity=None)) == b"here\n"


def test_a_protected_key_is_used_through_the_agent(
    own_ssh_server: OpenSshServer, agent: Callable[[Path], None]
) -> None:
    agent(own_ssh_server.identity)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(own_ssh_server.identity)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert says(own_ssh_server.connection()) == b"here\n"


def test_a_full_agent_does_not_keep_the_named_key_out(
    ssh_server: OpenSshServer, agent: Callable[[Path], None], tmp_path: Path
) -> None:
    for index in range(8):
        make_key(tmp_path / f"key{index}")
        agent(tmp_path / f"key{index}")
    assert says(ssh_server.connection()) == b"here\n"
    words = refusal(ssh_server.connection(identity=None))
    assert "8 of the ssh agent (key0, " in words


def test_a_jump_host_of_the_target_is_gone_through(
    ssh_server: OpenSshServer, jump_server: OpenSshServer, tmp_path: Path
) -> None:
    both = tmp_path / "known_hosts"
    both.write_text(ssh_server.known_hosts.read_text() + jump_server.known_hosts.read_text())
    with (jump_server.folder / "authorized_keys").open("a") as keys:
        keys.write(Path(f"{ssh_server.identity}.pub").read_text())
    jump = f"{jump_server.user}@{jump_server.host}:{jump_server.port}"
    before = jump_server.log().count("Accepted publickey")
    assert says(ssh_server.connection(jump=jump, known_hosts=str(both))) == b"here\n"
    assert jump_server.log().count("Accepted publickey") == before + 1


def test_a_jump_host_of_the_configuration_is_gone_through(
    ssh_server: OpenSshServer, jump_server: OpenSshServer, home: Path
) -> None:
    configuration = ssh_server.client_config("desk", "ProxyJump gate") + jump_server.client_config("gate")
    (home / ".ssh" / "config").write_text(configuration)
    before = jump_server.log().count("Accepted publickey")
    assert says(Connection("desk")) == b"here\n"
    assert jump_server.log().count("Accepted publickey") == before + 1


def test_jump_hosts_follow_each_other(ssh_server: OpenSshServer, jump_server: OpenSshServer, home: Path) -> None:
    configuration = (
        ssh_server.client_config("desk", "ProxyJump inner")
        + jump_server.client_config("inner", "ProxyJump gate")
        + ssh_server.client_config("gate")
    )
    (home / ".ssh" / "config").write_text(configuration)
    before = threads()
    assert says(Connection("desk")) == b"here\n"
    assert threads() <= before


def test_a_jump_host_that_cannot_be_trusted_is_named(ssh_server: OpenSshServer, jump_server: OpenSshServer) -> None:
    words = refusal(ssh_server.connection(jump=f"{jump_server.host}:{jump_server.port}"))
    assert words.startswith(f"{jump_server.host}:{jump_server.port} is not trusted")


def test_a_device_that_does_not_answer_behind_its_jump_host_may_do_so_later(ssh_server: OpenSshServer) -> None:
    jump = f"{ssh_server.host}:{ssh_server.port}"
    with pytest.raises(ConnectionLost, match="cannot be reached now"):
        says(ssh_server.connection(port=free_port(), jump=jump))


def test_jump_hosts_in_a_circle_come_to_an_end(ssh_server: OpenSshServer, home: Path) -> None:
    (home / ".ssh" / "config").write_text(ssh_server.client_config("desk", "ProxyJump desk"))
    assert "jump hosts" in refusal(Connection("desk"))


@pytest.mark.parametrize("jump", ["", "me@", "gate:x", "a,,b"])
def test_a_jump_host_that_is_none_is_refused(ssh_server: OpenSshServer, jump: str) -> None:
    assert "A jump host is USER@HOST:PORT" in refusal(ssh_server.connection(jump=jump or " "))


def test_a_proxy_command_of_the_configuration_is_run(ssh_server: OpenSshServer, home: Path) -> None:
    relay = (
        "import os, select, socket, sys\n"
        "link = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "ends = {0: link.fileno(), link.fileno(): 1}\n"
        "while True:\n"
        "    for end in select.select(list(ends), [], [])[0]:\n"
        "        data = os.read(end, 65536)\n"
        "        if not data: sys.exit()\n"
        "        while data: data = data[os.write(ends[end], data):]\n"
    )
    script = home / "relay.py"
    script.write_text(relay)
    command = f"ProxyCommand {sys.executable} {script} %h %p"
    (home / ".ssh" / "config").write_text(ssh_server.client_config("desk", command))
    assert says(Connection("desk")) == b"here\n"


def test_a_name_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert "no address belongs to the name 'xavier.invalid'" in refusal(Connection("xavier.invalid"))


def test_a_name_server_that_is_silent_may_speak_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    with pytest.raises(ConnectionLost, match="Temporary failure"):
        says(Connection("xavier.invalid"))


def test_the_name_of_a_device_that_was_there_may_come_back(
    own_ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = tmp_path / "named"
    named.write_text(own_ssh_server.known_hosts.read_text().replace(own_ssh_server.host, "localhost"))

    with SshTransport(own_ssh_server.connection(host="localhost", known_hosts=str(named))) as transport:
        transport.start(["true"]).close()
        own_ssh_server.stop()
        monkeypatch.setattr(socket, "getaddrinfo", nowhere)
        with pytest.raises(ConnectionLost, match="cannot be found"):
            transport.start(["true"])


def test_nobody_at_the_port_may_be_somebody_later(ssh_server: OpenSshServer) -> None:
    with pytest.raises(ConnectionLost, match="cannot be reached now"):
        says(ssh_server.connection(port=free_port()))


def test_somebody_who_says_nothing_is_given_up(ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_login, "_PATIENCE_S", 0.2)
    no_answer = pytest.raises(ConnectionLost, match=r"no answer within 0\.2 s")
    with socket.create_server(("127.0.0.1", 0)) as mute, no_answer:
        says(ssh_server.connection(port=mute.getsockname()[1]))


def test_without_asyncssh_the_way_to_it_is_told(ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(NotAvailable, match=r"pip install 'paceline\[ssh\]'"):
        SshTransport(ssh_server.connection())
