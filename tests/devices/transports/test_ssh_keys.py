from __future__ import annotations

from pathlib import Path

import pytest

from devices.catalog import Connection
from devices.transports import ssh_login
from tests.devices.transports.logins import refusal, says
from tests.sshd import OpenSshServer, make_key

WORDS = "open sesame"


def test_a_refused_key_is_named_with_what_lets_it_in(ssh_server: OpenSshServer, tmp_path: Path) -> None:
    make_key(tmp_path / "mine")
    words = refusal(ssh_server.connection(identity=str(tmp_path / "mine")))
    assert f"the keys it was offered were refused: {tmp_path}/mine." in words
    assert f"`ssh-copy-id -i {tmp_path}/mine.pub -p {ssh_server.port} {ssh_server.user}@127.0.0.1`" in words
    assert "A password is never asked for" in words


def test_without_any_key_one_is_made(ssh_server: OpenSshServer) -> None:
    words = refusal(ssh_server.connection(identity=None))
    assert "there is no key to log in with" in words
    assert "`ssh-keygen -t ed25519`" in words


def test_a_protected_key_without_an_agent_asks_for_one(own_ssh_server: OpenSshServer) -> None:
    own_ssh_server.identity.unlink()
    make_key(own_ssh_server.identity, passphrase=WORDS)
    words = refusal(own_ssh_server.connection())
    assert f'`eval "$(ssh-agent)"; ssh-add {own_ssh_server.identity}`' in words
    assert WORDS not in words


@pytest.mark.usefixtures("agent")
def test_a_protected_key_that_the_agent_lacks_is_to_be_added(own_ssh_server: OpenSshServer) -> None:
    own_ssh_server.identity.unlink()
    make_key(own_ssh_server.identity, passphrase=WORDS)
    assert f"`ssh-add {own_ssh_server.identity}`" in refusal(own_ssh_server.connection())


def test_an_agent_that_is_gone_is_no_agent(ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent/agent")
    assert says(ssh_server.connection()) == b"here\n"
    assert "there is no key" in refusal(ssh_server.connection(identity=None))


@pytest.mark.parametrize("text", [None, "no key at all\n"], ids=["missing", "no key"])
def test_a_named_key_that_cannot_be_used_is_refused(
    ssh_server: OpenSshServer, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "mine").write_text(text)
    assert "cannot be logged in to" in refusal(ssh_server.connection(identity=str(tmp_path / "mine")))


def test_keys_of_the_configuration_that_are_missing_are_passed_over(ssh_server: OpenSshServer, home: Path) -> None:
    (home / ".ssh" / "config").write_text(ssh_server.client_config("desk", f"IdentityFile {home}/gone"))
    assert says(Connection("desk")) == b"here\n"


def test_a_configuration_that_cannot_be_read_is_refused_with_its_line(ssh_server: OpenSshServer, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Port many\n")
    assert "line 1" in refusal(ssh_server.connection())


def test_no_password_is_sent_where_one_would_do(ssh_server: OpenSshServer) -> None:
    settings = ssh_login._Settings.read(ssh_server.connection())
    options = settings.options(client=None)
    assert (options["password"], options["password_auth"], options["kbdint_auth"]) == (None, False, False)
