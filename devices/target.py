"""What a target is: a name for a device or a kind of device, the way there, and what such a device can do at most."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from devices.errors import WrongUse

_PLACE = re.compile(
    r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d+))?|(?P<bare>[^\[\]]*:[^\[\]]*:[^\[\]]*)"
)
"""A name or address with a port, or an IPv6 address without one."""


@dataclass(frozen=True)
class Connection:
    """How a device is reached by ssh. What is None is left to ssh's own configuration (``~/.ssh/config``).

    No password is ever part of it: keys, and the ssh agent.

    Attributes:
        host: name or address, or an alias of ssh's configuration.
        port: of the ssh server.
        user: to log in as.
        jump: hosts to go through, ``user@host:port``, separated by commas.
        identity: file of the private key; holds for the jump hosts, too.
        known_hosts: file of the host keys that are trusted; holds for the jump hosts, too.
        python: Python of the device, 3.6 or later; a name on its PATH, or a path.
        work: folder of the device for temporary files; its own when None.
    """

    host: str
    port: int | None = None
    user: str | None = None
    jump: str | None = None
    identity: str | None = None
    known_hosts: str | None = None
    python: str = "python3"
    work: str | None = None

    def __post_init__(self) -> None:
        if not self.host or self.host.startswith("-") or re.search(r"[\s@/]", self.host):
            raise WrongUse(f"A host is a name, an address, or an alias of ssh's configuration; got {self.host!r}.")
        if self.user is not None and not re.fullmatch(r"[^\s:/-][^\s:/]*", self.user):
            # Not shown: what stands behind a colon there is a password.
            raise WrongUse("A user is a plain name. Passwords are never taken: log in with a key (ssh-copy-id).")
        if self.port is not None and not 0 < self.port < 1 << 16:
            raise WrongUse(f"A port is a number from 1 to 65535; got {self.port}.")

    @classmethod
    def parse(cls, place: str, **more: Any) -> Self:
        """Read ``user@host:port``, where user and port may be missing; an IPv6 address with a port is in brackets.

        Args:
            place: the text.
            more: other fields; a user or port named here goes before that of the text.

        Raises:
            WrongUse: the text is not of that form.
        """
        user, _, rest = place.rpartition("@")
        match = _PLACE.fullmatch(rest)
        if match is None:
            raise WrongUse(f"A host is USER@HOST, or USER@HOST:PORT; got {place!r}.")
        read = {"user": user or None, "port": int(match["port"]) if match["port"] else None}
        return cls(match["bracketed"] or match["name"] or match["bare"] or "", **{**read, **more})

    def describe(self) -> str:
        """Where it leads, for the screen: ``nvidia@10.0.0.5:2222``."""
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host and self.port is not None else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{user}{host}{port}"


@dataclass(frozen=True)
class Peaks:
    """What a device can do at most, by its maker's figures: the prior of a time that nobody measured.

    Attributes:
        operations_per_s: multiplications and additions a second, two to a multiply-accumulate, by precision.
        bandwidth_bytes_per_s: of the memory.
        source: where the figures are published.
        launch_s: least time that a layer takes, however small it is.
    """

    operations_per_s: Mapping[str, float]
    bandwidth_bytes_per_s: float
    source: str
    launch_s: float

    def __post_init__(self) -> None:
        figures = [*self.operations_per_s.values(), self.bandwidth_bytes_per_s, self.launch_s]
        if not self.operations_per_s or min(figures) <= 0:
            raise WrongUse(f"Peaks are figures above 0, for one precision at least; got {self}.")


@dataclass(frozen=True)
class Target:
    """A name for a kind of device, or for one that a user has.

    Attributes:
        name: what the user types (``xavier``).
        family: ``cpu``, ``jetson``, ``gpu``, ``raspberry-pi``, ...
        description: a few words for ``paceline targets``.
        runtime: name of the profiler that measures there unless the user names another.
        precision: number format measured there by default.
        power_mode: the mode that a device of this kind should be in when it is measured; None where it has none.
        peaks: its maker's figures; None where they are not known.
        connection: how it is reached; None for this machine, and for a kind of device of which the user has named none.
        is_here: whether it is this machine.
    """

    name: str
    family: str
    description: str
    runtime: str
    precision: str
    power_mode: str | None = None
    peaks: Peaks | None = None
    connection: Connection | None = None
    is_here: bool = False

    @property
    def can_be_reached(self) -> bool:
        """Whether it is a device, and not only a kind of device."""
        return self.is_here or self.connection is not None
