"""Commands of another machine, by ssh: the user's keys, agent, known hosts and configuration; never a password."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from typing import final

from devices.catalog import Connection
from devices.errors import ConnectionLost
from devices.transports.event_loop import EventLoopThread
from devices.transports.ssh_login import Login, NoSuchName, log_in, require_asyncssh
from devices.transports.ssh_session import SshChannel, SshSession
from devices.transports.transport import Channel, Transport

_PATIENCE_TO_START_S = 20.0


@final
class SshTransport(Transport):
    """Starts commands on a device through one connection, which is made when it is needed and again when it is gone.

    What ``connection`` leaves open is as ssh's configuration says (``~/.ssh/config``). The host key is always checked.

    Args:
        connection: how the device is reached.

    Raises:
        NotAvailable: asyncssh is not installed.
    """

    def __init__(self, connection: Connection) -> None:
        require_asyncssh()
        self._connection = connection
        self._loop: EventLoopThread | None = None
        self._login: Login | None = None
        self._was_there = False

    def describe(self) -> str:
        """Where it leads."""
        return self._connection.describe()

    def start(self, command: Sequence[str]) -> Channel:
        """Start a command. Its words are quoted for a POSIX shell, which the device's user has to have."""
        self._loop = self._loop or EventLoopThread(f"ssh {self.describe()}")
        session = self._loop.run(self._start(f"exec {shlex.join(command)}"))
        return SshChannel(session, self._loop, self.describe())

    def close(self) -> None:
        """End the connection; the inputs of its commands end with it."""
        if self._loop is None:
            return
        try:
            self._loop.run(self._leave())
        finally:
            self._loop.stop()
            self._loop = None

    async def _start(self, line: str) -> SshSession:
        if self._login is not None and self._login.is_open:
            try:
                return await self._open(self._login, line)
            except ConnectionLost:
                if self._login.is_open:
                    raise  # It refuses the command, not us.
        await self._leave()
        self._login = await self._arrive()
        return await self._open(self._login, line)

    async def _arrive(self) -> Login:
        try:
            login = await log_in(self._connection)
        except NoSuchName as error:
            if self._was_there:
                raise ConnectionLost(str(error)) from error  # The name of a device may be gone while it boots.
            raise
        self._was_there = True
        return login

    async def _open(self, login: Login, line: str) -> SshSession:
        import asyncssh

        session = SshSession()
        opening = login.connection.create_session(
            lambda: session, line, encoding=None, request_pty=False, x11_forwarding=False
        )
        try:
            await asyncio.wait_for(opening, _PATIENCE_TO_START_S)
        except TimeoutError as error:
            await login.abort()
            words = f"{self.describe()} does not answer: it started nothing within {_PATIENCE_TO_START_S:g} s."
            raise ConnectionLost(words) from error
        except (OSError, asyncssh.Error) as error:
            raise ConnectionLost(f"{self.describe()} starts nothing: {error}.") from error
        return session

    async def _leave(self) -> None:
        login, self._login = self._login, None
        if login is not None:
            await (login.close() if login.is_open else login.abort())
