from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.devices.transports.logins import refusal, says
from tests.sshd import OpenSshServer, make_key


def commands_in(words: str) -> list[str]:
    """The commands that a message names."""
    return re.findall("`([^`]+)`", words)


def shell(command: str) -> None:
    subprocess.run(["/bin/sh", "-c", command], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_an_unknown_host_key_is_refused_and_the_named_command_leads_in(own_ssh_server: OpenSshServer) -> None:
    own_ssh_server.known_hosts.unlink()
    words = refusal(own_ssh_server.connection())
    assert "its host key is not known" in words
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(own_ssh_server.folder / "host_key.pub")], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] in words
    shell(commands_in(words)[-1])
    assert says(own_ssh_server.connection()) == b"here\n"


def test_a_changed_host_key_is_refused_and_the_named_commands_lead_in(own_ssh_server: OpenSshServer) -> None:
    entry = own_ssh_server.known_hosts.read_text()
    own_ssh_server.known_hosts.write_text(f"# mine\nother ssh-ed25519 not-a-key\n{entry}")
    own_ssh_server.stop()
    own_ssh_server.change_host_key()
    own_ssh_server.start()
    words = refusal(own_ssh_server.connection())
    assert f"its host key has changed: line 3 of {own_ssh_server.known_hosts} has ssh-ed25519 SHA256:" in words
    for command in commands_in(words):
        shell(f"{command} >/dev/null" if ">>" not in command else command)
    assert says(own_ssh_server.connection()) == b"here\n"


def test_a_host_key_of_another_kind_than_the_known_one_has_changed_too(own_ssh_server: OpenSshServer) -> None:
    name = f"[{own_ssh_server.host}]:{own_ssh_server.port}"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(own_ssh_server.folder / "other")], check=True
    )
    other = (own_ssh_server.folder / "other.pub").read_text()
    own_ssh_server.known_hosts.write_text(f"{name} {other}")
    words = refusal(own_ssh_server.connection())
    assert "has changed" in words
    assert "ecdsa-sha2-nistp256" in words
    assert "it offers ssh-ed25519 SHA256:" in words


def test_a_hashed_entry_is_understood(own_ssh_server: OpenSshServer) -> None:
    subprocess.run(["ssh-keygen", "-H", "-f", str(own_ssh_server.known_hosts)], check=True, capture_output=True)
    assert own_ssh_server.known_hosts.read_text().startswith("|1|")
    assert says(own_ssh_server.connection()) == b"here\n"
    own_ssh_server.stop()
    own_ssh_server.change_host_key()
    own_ssh_server.start()
    assert "line 1 of" in refusal(own_ssh_server.connection())


def test_the_key_of_another_port_does_not_make_one_a_changed_key(own_ssh_server: OpenSshServer) -> None:
    make_key(own_ssh_server.folder / "other")
    other = (own_ssh_server.folder / "other.pub").read_text()
    own_ssh_server.known_hosts.write_text(f"{own_ssh_server.host} {other}")
    assert "is not known" in refusal(own_ssh_server.connection())


def test_a_revoked_key_is_refused(own_ssh_server: OpenSshServer) -> None:
    entry = own_ssh_server.known_hosts.read_text()
    own_ssh_server.known_hosts.write_text(f"{entry}@revoked {entry}")
    assert "revoked" in refusal(own_ssh_server.connection())


@pytest.mark.parametrize(
    "line", ["UserKnownHostsFile none", "UserKnownHostsFile /dev/null", "StrictHostKeyChecking no"]
)
def test_no_configuration_makes_an_unknown_host_trusted(ssh_server: OpenSshServer, home: Path, line: str) -> None:
    (home / ".ssh" / "config").write_text(f"Host *\n  {line}\n")
    assert "its host key is not known" in refusal(ssh_server.connection(known_hosts=None))
