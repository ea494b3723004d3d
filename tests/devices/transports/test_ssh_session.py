from __future__ import annotations

import tracemalloc

import pytest

from devices.transports.ssh import SshTransport
from tests.contracts.transport_contract import PATIENCE_S, python, rest_of
from tests.devices.transports.interrupts import interrupting
from tests.sshd import OpenSshServer, wait_until


def test_fifty_megabytes_are_written_in_bounded_memory(ssh_server: OpenSshServer) -> None:
    data = bytes(50_000_000)
    with SshTransport(ssh_server.connection()) as transport:
        with transport.start(["sh", "-c", "wc -c"]) as warm_up:
            warm_up.write(b"x")
        count = transport.start(["sh", "-c", "head -c 50000000 | wc -c"])
        tracemalloc.start()
        try:
            count.write(data)
            assert int(count.read_line(PATIENCE_S)) == len(data)
            assert tracemalloc.get_traced_memory()[1] < 12_000_000
        finally:
            tracemalloc.stop()


def test_a_flood_that_nobody_reads_waits_on_the_device(
    ssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.transports.ssh_session._MOST_UNREAD_BYTES", 1 << 20)
    monkeypatch.setattr("devices.transports.ssh_session._PATIENCE_TO_END_S", 60.0)
    line = "z" * 9_999
    flood = f"import sys\nfor _ in range(2000): print('{line}')\nprint('end', file=sys.stderr)"
    with SshTransport(ssh_server.connection()) as transport:
        channel = transport.start(python(flood))
        wait_until(lambda: channel._session.is_paused, "a full buffer")  # type: ignore[attr-defined]
        assert channel._session.lines.waiting_bytes < 4 << 20  # type: ignore[attr-defined]
        assert len(rest_of(channel)) == 2000
        assert channel.last_words().endswith("end")


def test_ctrl_c_ends_a_write_that_waits(ssh_server: OpenSshServer) -> None:
    with SshTransport(ssh_server.connection()) as transport:
        channel = transport.start(["sleep", "20"])
        killer = interrupting()
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            channel.write(b"x" * 50_000_000)
        killer.join()
