"""The way to a target."""

from __future__ import annotations

from devices.errors import NotAvailable
from devices.target import Target
from devices.transports.local import LocalTransport
from devices.transports.ssh import SshTransport
from devices.transports.transport import Transport


def transport_for(target: Target) -> Transport:
    """The way to a target; nothing is connected yet.

    Raises:
        NotAvailable: the target is only a kind of device, or asyncssh is not installed; with the way out.
    """
    if target.connection is not None:
        return SshTransport(target.connection)
    if target.is_here:
        return LocalTransport()
    raise NotAvailable(
        f"{target.name} is a kind of device ({target.description}), and which one is yours is not known: "
        f"paceline targets add {target.name} --host USER@ADDRESS"
    )
