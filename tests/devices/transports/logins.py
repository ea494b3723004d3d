"""Logging in, and failing to."""

from __future__ import annotations

import socket
import threading

import pytest

from devices.catalog import Connection
from devices.errors import Unreachable
from devices.transports.ssh import SshTransport
from tests.contracts.transport_contract import PATIENCE_S


def nowhere(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def silent(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def says(connection: Connection) -> bytes:
    """What a command says there."""
    with SshTransport(connection) as transport, transport.start(["echo", "here"]) as channel:
        return channel.read_line(PATIENCE_S)


def refusal(connection: Connection) -> str:
    with pytest.raises(Unreachable) as caught:
        says(connection)
    return str(caught.value)


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())
