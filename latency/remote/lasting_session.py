"""Asking an agent as often as it takes: connections break, devices restart, agents are killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar, final

from devices import ConnectionLost, NotAvailable, Transport
from latency.remote.agent_session import AgentEnded, AgentSession, SessionSettings

_MOST_ENDS = 3
"""After so many ends of the agent, or restarts of the device, in one and the same work, it is the work that does it."""

_MOST_BREAKS = 100
"""After so many breaks of the connection in one and the same work, it takes longer than the connection ever lasts."""

_MOST_GOOD_BYES = 5
"""How often the end is said over a connection that breaks each time."""

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to try, in seconds.

    Attributes:
        lost_s: a device that does not answer for so long is given up.
        first_wait_s: wait after the first vain attempt; it doubles with each.
        most_wait_s: the longest wait.
    """

    lost_s: float
    first_wait_s: float
    most_wait_s: float


@final
class LastingSession:
    """An agent's session, opened when it is needed, and anew when it broke.

    Args:
        transport: the way to the device.
        settings: how an agent is started there.
        bundle: the agent, zipped.
        patience: how long to try.
        tell: is told, in words, when the connection breaks and when it is back.
    """

    def __init__(
        self,
        transport: Transport,
        settings: SessionSettings,
        bundle: bytes,
        patience: Patience,
        tell: Callable[[str], None],
    ) -> None:
        self._transport, self._settings, self._bundle = transport, settings, bundle
        self._patience, self._tell = patience, tell
        self._session: AgentSession | None = None
        self._boot: str | None = None
        self._restarts = 0

    def run(self, work: Callable[[AgentSession], T]) -> T:
        """Do something with an agent; again from its beginning whenever the agent or the connection goes meanwhile.

        Args:
            work: it, given an agent that has greeted.

        Raises:
            AgentEnded: the agent ended, or the device restarted, each time this was done.
            ConnectionLost: the device was away for too long, or away again and again.
            NotAvailable: it cannot be reached, or refuses.
        """
        ends, breaks, restarts = 0, 0, self._restarts
        while True:
            try:
                return work(self._session or self._connect())
            except AgentEnded as error:
                self._drop()
                ends += 1
                if ends + self._restarts - restarts >= _MOST_ENDS:
                    raise
                self._tell(f"the agent on {self._transport.describe()} ended, starting it again: {error}")
            except ConnectionLost as error:
                self._drop()
                breaks += 1
                if self._boot is None:
                    raise  # It was never there: a wrong address, more likely than a broken cable.
                if breaks == _MOST_BREAKS:
                    raise ConnectionLost(f"{error} This came {breaks} times in one and the same work.") from error
                self._come_back(error)
                if ends + self._restarts - restarts >= _MOST_ENDS:
                    raise AgentEnded("the device restarted while it ran, again and again") from error

    def end(self) -> None:
        """Say good-bye to the agent, where there is one; to the next of its run, where that one did not hear it.

        A device that cannot be reached at once is left to clean up by itself.
        """
        with suppress(NotAvailable, AgentEnded):
            for _ in range(_MOST_GOOD_BYES):
                session, self._session = self._session, None
                if session is None or session.end():
                    break
                self._transport.close()
                self._connect()

    def _drop(self) -> None:
        if self._session is not None:
            self._session.abandon()
            self._session = None

    def _connect(self) -> AgentSession:
        session = AgentSession(self._transport, self._settings, self._bundle)
        self._restarts += self._boot not in {None, session.boot}
        self._boot = session.boot
        self._session = session
        return session

    def _come_back(self, error: ConnectionLost) -> None:
        """Connect again, however often it takes, until patience ends."""
        where, patience = self._transport.describe(), self._patience
        until_s, wait_s = time.monotonic() + patience.lost_s, patience.first_wait_s
        self._tell(f"connection to {where} lost, trying again for {patience.lost_s:g} s: {error}")
        while self._session is None:
            # What is silent may be half of a connection, over which no other agent could be started.
            self._transport.close()
            try:
                self._connect()
            except (ConnectionLost, AgentEnded) as again:
                if time.monotonic() + wait_s > until_s:
                    raise ConnectionLost(_given_up(where, patience.lost_s, again)) from again
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, patience.most_wait_s)
        self._tell(f"{where} is back")


def _given_up(where: str, patience_s: float, error: Exception) -> str:
    return (
        f"{where} did not come back within {patience_s:g} s: {error} What was measured is in the table, and the same "
        "command goes on with the rest when the device answers again."
    )
