from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.errors import ConnectionLost
from devices.transports.local import LocalTransport
from devices.transports.transport import Transport
from tests.agent.living_processes import lives
from tests.contracts.transport_contract import PATIENCE_S, TransportContract, python, rest_of
from tests.sshd import wait_until


class TestLocalTransport(TransportContract):
    @pytest.fixture
    def transport(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
        # Nothing here ignores the end of its input; what ends late must not be killed before it has said so.
        monkeypatch.setattr("devices.transports.local._PATIENCE_TO_END_S", 60.0)
        with LocalTransport() as transport:
            yield transport


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalTransport]:
    """One that is impatient with what does not end."""
    monkeypatch.setattr("devices.transports.local._PATIENCE_TO_END_S", 0.1)
    with LocalTransport() as transport:
        yield transport


def test_it_is_called_by_what_it_is() -> None:
    assert LocalTransport().describe() == "this machine"


def test_closing_ends_what_the_command_started_and_what_ignores_the_end_of_its_input(transport: LocalTransport) -> None:
    channel = transport.start(["sh", "-c", "sleep 1000 & echo $!; exec sleep 1001"])
    child = int(channel.read_line(PATIENCE_S))
    assert lives(child)
    channel.close()
    assert channel.exit_status() == -9
    wait_until(lambda: not lives(child), "the end of the child")


def test_a_command_that_ended_is_noticed_though_its_child_holds_the_output(transport: LocalTransport) -> None:
    channel = transport.start(["sh", "-c", "sleep 1000 & printf last; exit 4"])
    assert rest_of(channel) == [b"last"]
    assert channel.exit_status() == 4


def test_a_command_that_closed_its_output_and_runs_on_is_told_apart(transport: LocalTransport) -> None:
    channel = transport.start(["sh", "-c", "exec >&-; exec sleep 1000"])
    with pytest.raises(ConnectionLost, match="it runs, but its output has ended"):
        channel.read_line(PATIENCE_S)
    assert channel.exit_status() is None


def test_a_command_that_takes_nothing_is_given_up(transport: LocalTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.transports.local._STALLED_S", 0.2)
    with transport.start(["sleep", "1000"]) as channel, pytest.raises(ConnectionLost, match="took none of its input"):
        channel.write(b"x" * 1_000_000)


def test_a_flood_that_nobody_reads_is_not_kept(transport: LocalTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.transports.local._MOST_UNREAD_BYTES", 1_000_000)
    monkeypatch.setattr("devices.transports.local._STALLED_S", 0.3)
    tracemalloc.start()
    try:
        with transport.start(["yes"]) as channel, pytest.raises(ConnectionLost):
            channel.write(b"x" * 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 400_000_000  # A short line costs some dozen bytes more than it has.
    finally:
        tracemalloc.stop()


def test_no_descriptor_stays_open() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with LocalTransport() as transport:
        transport.start(["cat"])
        transport.start(python("pass"))
    assert set(Path("/proc/self/fd").iterdir()) <= before
