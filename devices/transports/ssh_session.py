"""A command behind an ssh connection: what asyncssh tells in its thread, and who waits for it in another."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any, final

from devices.errors import ConnectionLost
from devices.transports.event_loop import EventLoopThread
from devices.transports.lines import Lines, Tail, ending
from devices.transports.transport import Channel

_PIECE_BYTES = 1 << 18

_MOST_UNREAD_BYTES = 1 << 23
"""Of output that nobody reads; then the device has to wait."""

_STALLED_S = 120.0
"""A command that takes none of its input for so long will not take any."""

_PATIENCE_TO_END_S = 2.0
"""How long is waited for a command's status when its output ended, and for the rest of its output when it did."""

_UNKNOWN_SIGNAL = 255


@final
class SshSession:
    """What asyncssh calls, in the thread of the event loop, as things happen to one channel."""

    def __init__(self) -> None:
        self.news = threading.Condition()
        self.lines, self.tail = Lines(), Tail()
        self.status: int | None = None
        self.has_output = True
        self.is_over = False
        self.cut: str | None = None
        self.chan: Any = None
        self.is_paused = False
        self.is_writing = False
        self._drained = asyncio.Event()
        self._drained.set()

    def connection_made(self, chan: Any) -> None:
        """The channel is open."""
        self.chan = chan

    def session_started(self) -> None:
        """The command runs."""

    def data_received(self, data: bytes, kind: int | None) -> None:
        """Output came; that of standard error has a kind."""
        with self.news:
            if kind is not None:
                self.tail.add(data)
                return
            self.lines.add(data)
            if self.lines and self.lines.waiting_bytes > _MOST_UNREAD_BYTES and not self.is_writing:
                self.is_paused = True
                self.chan.pause_reading()
            self.news.notify_all()

    def eof_received(self) -> bool:
        """The output ended; the input stays open."""
        with self.news:
            self._no_more()
        return True

    def exit_status_received(self, status: int) -> None:
        """The command ended."""
        with self.news:
            self.status = status
            self.news.notify_all()

    def exit_signal_received(self, name: str, core_dumped: bool, words: str, language: str) -> None:
        """The command was killed."""
        self.exit_status_received(-getattr(signal, f"SIG{name}", _UNKNOWN_SIGNAL))

    def connection_lost(self, error: Exception | None) -> None:
        """The channel is closed, or its connection gone."""
        with self.news:
            self.is_over = True
            if error is not None:
                self.cut = str(error)
            self._no_more()
        self._drained.set()

    def pause_writing(self) -> None:
        """Enough is on its way."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """More can be written."""
        self._drained.set()

    def resume_reading(self) -> None:
        """More output can be taken."""
        with self.news:
            if self.is_paused and not self.is_over:
                self.is_paused = False
                self.chan.resume_reading()

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; meanwhile any amount of output is taken, so that neither side waits for the other."""
        self.is_writing = True
        self.resume_reading()
        try:
            for begin in range(0, len(data), _PIECE_BYTES):
                if self.is_over:
                    raise BrokenPipeError
                self.chan.write(data[begin : begin + _PIECE_BYTES])
                await asyncio.wait_for(self._drained.wait(), _STALLED_S)
        finally:
            self.is_writing = False

    async def close(self) -> None:
        """End the input and forget the command."""
        if not self.is_over:
            self.chan.write_eof()
            self.chan.close()

    def _no_more(self) -> None:
        self.lines.finish()
        self.has_output = False
        self.news.notify_all()


@final
class SshChannel(Channel):
    """The side of the threads that wait.

    Args:
        session: what happens to the channel.
        loop: where it happens.
        where: where the command runs, for the screen.
    """

    def __init__(self, session: SshSession, loop: EventLoopThread, where: str) -> None:
        self._session = session
        self._loop = loop
        self._where = where
        self._is_closed = False

    def write(self, data: bytes) -> None:
        """Write all of ``data``, as fast as the device takes it."""
        if self._is_closed or self._session.is_over:
            raise ConnectionLost(f"The command on {self._where} reads no more: {self.last_words()}.")
        try:
            self._loop.run(self._session.write(data))
        except BrokenPipeError as error:
            raise ConnectionLost(f"The command on {self._where} reads no more: {self.last_words()}.") from error
        except TimeoutError as error:
            raise ConnectionLost(
                f"The command on {self._where} took none of its input for {_STALLED_S:g} s."
            ) from error

    def read_line(self, timeout_s: float) -> bytes:
        """The next line of the output."""
        session = self._session
        with session.news:
            session.news.wait_for(
                lambda: session.lines or not session.has_output or session.status is not None, timeout_s
            )
            if not session.lines and session.has_output:
                if session.status is None:
                    raise TimeoutError(f"no line from {self._where} within {timeout_s:g} s")
                # It ended, but something that it started holds its output open.
                session.news.wait_for(lambda: session.lines or not session.has_output, _PATIENCE_TO_END_S)
            line = session.lines.take()
            if session.is_paused and not session.is_over and session.lines.waiting_bytes < _MOST_UNREAD_BYTES // 2:
                self._loop.soon(session.resume_reading)
        if line is None:
            raise ConnectionLost(f"The command on {self._where} says no more: {self.last_words()}.")
        return line

    def last_words(self) -> str:
        """How the command ended and the end of its standard error; of a connection that was cut, that."""
        session = self._session
        with session.news:
            session.news.wait_for(lambda: session.is_over, _PATIENCE_TO_END_S)
            if session.status is not None:
                return f"it {ending(session.status, session.tail)}"
            if session.cut is not None:
                said = session.tail.words()
                return f"the connection was cut ({session.cut})" + (f"; the command had said: {said}" if said else "")
            if self._is_closed or session.is_over:
                return "it was closed"
            return "it runs, but its output has ended"

    def exit_status(self) -> int | None:
        """The command's exit status."""
        return self._session.status

    def close(self) -> None:
        """End the input and forget the command."""
        if not self._is_closed:
            self._is_closed = True
            if not self._session.is_over:
                self._loop.run(self._session.close())
