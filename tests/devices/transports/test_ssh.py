from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from devices.errors import ConnectionLost
from devices.transports import ssh_login
from devices.transports.ssh import SshTransport
from devices.transports.transport import Channel, Transport
from tests.contracts.transport_contract import PATIENCE_S, TransportContract, rest_of
from tests.devices.transports.logins import threads
from tests.sshd import OpenSshServer, wait_until


class TestSshTransport(TransportContract):
    @pytest.fixture
    def transport(self, ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
        # Nothing here ignores the end of its input; what ends late must not be killed before it has said so.
        monkeypatch.setattr("devices.transports.ssh_session._PATIENCE_TO_END_S", 60.0)
        with SshTransport(ssh_server.connection()) as transport:
            yield transport


def test_a_cut_connection_is_told_and_made_anew(own_ssh_server: OpenSshServer) -> None:
    with SshTransport(own_ssh_server.connection()) as transport:
        channel = transport.start(["sh", "-c", "echo begun; echo complaint >&2; exec cat"])
        channel.read_line(PATIENCE_S)
        wait_until(lambda: bool(channel._session.tail.words()), "the complaint")  # type: ignore[attr-defined]
        own_ssh_server.cut()
        with pytest.raises(ConnectionLost, match="the connection was cut"):
            channel.read_line(PATIENCE_S)
        assert channel.exit_status() is None
        assert "complaint" in channel.last_words()
        with pytest.raises(ConnectionLost):
            channel.write(b"x\n")
        with transport.start(["echo", "again"]) as other:
            assert other.read_line(PATIENCE_S) == b"again\n"


def test_a_server_that_comes_back_is_found_again(own_ssh_server: OpenSshServer) -> None:
    with SshTransport(own_ssh_server.connection()) as transport:
        channel = transport.start(["cat"])
        own_ssh_server.power_off()
        assert rest_of(channel) == []
        with pytest.raises(ConnectionLost, match="cannot be reached now"):
            transport.start(["cat"])
        own_ssh_server.start()
        with transport.start(["echo", "again"]) as other:
            assert other.read_line(PATIENCE_S) == b"again\n"


def started(transport: Transport, command: list[str]) -> Channel:
    """A command; who is so impatient gives up a server that is slow for a moment, too."""
    for _ in range(50):
        with suppress(ConnectionLost):
            return transport.start(command)
    raise AssertionError("the server never answered in time")


def test_a_link_that_is_dead_without_a_word_is_noticed(
    own_ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_login, "_KEEPALIVE_S", 0.1)
    with SshTransport(own_ssh_server.connection()) as transport:
        channel = started(transport, ["cat"])
        own_ssh_server.suspend()
        with pytest.raises(ConnectionLost, match="the connection was cut"):
            channel.read_line(PATIENCE_S)


def test_closing_does_not_wait_for_a_dead_link(own_ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_login, "_PATIENCE_TO_LEAVE_S", 0.1)
    before = threads()
    transport = SshTransport(own_ssh_server.connection())
    channel = transport.start(["cat"])
    own_ssh_server.suspend()
    channel.write(b"x" * 60_000)
    channel.close()
    transport.close()
    assert threads() <= before


def test_a_dead_link_in_the_midst_of_writing_is_noticed(
    own_ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_login, "_KEEPALIVE_S", 0.1)
    with SshTransport(own_ssh_server.connection()) as transport:
        channel = started(transport, ["sleep", "20"])
        own_ssh_server.suspend()
        with pytest.raises(ConnectionLost, match="reads no more"):
            channel.write(b"x" * 50_000_000)


def test_a_start_that_is_not_answered_is_given_up(
    own_ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SshTransport(own_ssh_server.connection()) as transport:
        transport.start(["true"]).close()
        monkeypatch.setattr("devices.transports.ssh._PATIENCE_TO_START_S", 0.2)
        own_ssh_server.suspend()
        monkeypatch.setattr(ssh_login, "_PATIENCE_S", 0.2)
        with pytest.raises(ConnectionLost):
            transport.start(["true"])


def test_a_connection_that_is_closed_by_another_thread_frees_who_waits(ssh_server: OpenSshServer) -> None:
    transport = SshTransport(ssh_server.connection())
    channel = transport.start(["cat"])
    closing = threading.Timer(0.1, transport.close)
    closing.start()
    with pytest.raises(ConnectionLost):
        channel.read_line(PATIENCE_S)
    closing.join()
