"""A way to this machine that breaks when it is told to, as that to a device does by itself."""

from __future__ import annotations

from collections.abc import Sequence

from devices import Channel, ConnectionLost, LocalTransport, Transport


class BreakingTransport(Transport):
    """Starts commands on this machine, as long as it is not broken.

    Attributes:
        starts: commands that were started through it.
        refusals: so many attempts to connect will fail from now on.
    """

    def __init__(self) -> None:
        self._local = LocalTransport()
        self._channels: list[_BreakingChannel] = []
        self.starts = 0
        self.refusals = 0

    def describe(self) -> str:
        """Where it leads."""
        return "the device"

    def start(self, command: Sequence[str]) -> Channel:
        """Start a command unless the device refuses."""
        if self.refusals:
            self.refusals -= 1
            raise ConnectionLost("The device did not answer.")
        self.starts += 1
        self._channels.append(_BreakingChannel(self._local.start(command)))
        return self._channels[-1]

    def cut(self, refusals: int = 0, *, after_writes: int = 0) -> None:
        """Cut all connections; the commands see the end of their input.

        Args:
            refusals: so many attempts to connect will fail then.
            after_writes: not now, but as soon as so many more pieces were written.
        """
        self.refusals = refusals
        for channel in self._channels:
            channel.writes_left = after_writes

    def close(self) -> None:
        """End every command."""
        self._local.close()


class _BreakingChannel(Channel):
    """A channel that can be cut; from then on there is neither a status nor an answer."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.writes_left: int | None = None

    def _looked(self) -> None:
        if self.writes_left == 0:
            self._channel.close()
            raise ConnectionLost("The connection was cut.")

    def write(self, data: bytes) -> None:
        """Write unless it was cut."""
        self._looked()
        self._channel.write(data)
        if self.writes_left is not None:
            self.writes_left -= 1

    def read_line(self, timeout_s: float) -> bytes:
        """Read unless it was cut."""
        self._looked()
        return self._channel.read_line(timeout_s)

    def last_words(self) -> str:
        """How it ended."""
        return "the connection was cut" if self.writes_left == 0 else self._channel.last_words()

    def exit_status(self) -> int | None:
        """Of the command, if that ended first."""
        return None if self.writes_left == 0 else self._channel.exit_status()

    def close(self) -> None:
        """Forget it."""
        self._channel.close()
