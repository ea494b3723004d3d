"""Commands of this machine: the transport of the target ``local``, and of tests that need no network."""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, final

from devices.errors import ConnectionLost
from devices.transports.lines import Lines, Tail, ending
from devices.transports.transport import Channel, Transport

_PIECE_BYTES = 1 << 20

_STALLED_S = 120.0
"""A command that takes none of its input for so long will not take any."""

_PATIENCE_TO_END_S = 2.0
"""How long a command may take to end once its input, or its output, has ended; then its process group is killed."""

_LOOK_S = 0.5
"""How often is looked whether a command ended whose output another process holds open."""

_MOST_UNREAD_BYTES = 1 << 26
"""Of output that is kept while the input is being written."""


@final
class LocalTransport(Transport):
    """Starts commands on this machine, each in a process group of its own that ends with its channel."""

    def __init__(self) -> None:
        self._channels: list[_Process] = []

    def describe(self) -> str:
        """Where it leads."""
        return "this machine"

    def start(self, command: Sequence[str]) -> Channel:
        """Start a command. One that does not exist ends with status 127, as it does behind a shell elsewhere."""
        channel = _Process(command)
        self._channels = [known for known in self._channels if not known.is_closed]
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        """End every command that was started through it."""
        while self._channels:
            self._channels.pop().close()


@final
class _Process(Channel):
    """A process and its three pipes, none of which ever blocks this one."""

    def __init__(self, command: Sequence[str]) -> None:
        self._popen = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$@"', "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for whoever started it; and all that it starts can be ended with it.
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._input, self._output, self._errors = self._popen.stdin, self._popen.stdout, self._popen.stderr
        for pipe in (self._input, self._output, self._errors):
            os.set_blocking(pipe.fileno(), False)
        self._open: set[IO[bytes]] = {self._output, self._errors}
        self._lines, self._tail = Lines(), Tail()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._input.closed

    def write(self, data: bytes) -> None:
        """Write all of ``data``; output that comes meanwhile is kept, so that neither side waits for the other."""
        if self.is_closed:
            raise ConnectionLost("The command was closed.")
        rest = memoryview(data)
        until_s = time.monotonic() + _STALLED_S
        while rest:
            if self._input not in self._look(until_s - time.monotonic(), [self._input]):
                if time.monotonic() < until_s:
                    continue
                raise ConnectionLost(f"The command took none of its input for {_STALLED_S:g} s.")
            try:
                rest = rest[os.write(self._input.fileno(), rest[:_PIECE_BYTES]) :]
            except BrokenPipeError as error:
                raise ConnectionLost(f"The command reads no more: {self.last_words()}.") from error
            until_s = time.monotonic() + _STALLED_S

    def read_line(self, timeout_s: float) -> bytes:
        """The next line of the output."""
        until_s = time.monotonic() + timeout_s
        mute_s = math.inf  # From then on nothing is expected of a command that ended.
        while not self._lines and self._output in self._open:
            now_s = time.monotonic()
            if self._popen.poll() is not None:
                mute_s = min(mute_s, now_s + _PATIENCE_TO_END_S)
            if now_s >= mute_s:
                self._lines.finish()
                break
            if not self._look(min(until_s - now_s, _LOOK_S)) and now_s >= until_s:
                raise TimeoutError(f"no line within {timeout_s:g} s")
        line = self._lines.take()
        if line is None:
            raise ConnectionLost(f"The command says no more: {self.last_words()}.")
        return line

    def last_words(self) -> str:
        """How the command ended and the end of its standard error."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_PATIENCE_TO_END_S)
        while self._errors in self._look(0):
            continue
        status = self.exit_status()
        return "it runs, but its output has ended" if status is None else f"it {ending(status, self._tail)}"

    def exit_status(self) -> int | None:
        """The command's exit status."""
        return self._popen.poll()

    def close(self) -> None:
        """End its input; what has not ended soon after, it and all that it started, is killed."""
        if self.is_closed:
            return
        with suppress(BrokenPipeError):
            self._input.close()
        until_s = time.monotonic() + _PATIENCE_TO_END_S
        while self._open and time.monotonic() < until_s:
            self._look(until_s - time.monotonic())
            self._lines = Lines()  # It may wait for somebody who reads, but nobody is interested any more.
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        for pipe in (self._output, self._errors):
            pipe.close()
        self._open.clear()

    def _look(self, wait_s: float, writers: Sequence[IO[bytes]] = ()) -> set[IO[bytes]]:
        """Wait until a pipe is ready, and take what it has; pipes that were ready."""
        full = bool(writers) and self._lines.waiting_bytes > _MOST_UNREAD_BYTES
        with selectors.DefaultSelector() as selector:
            for pipe in self._open - ({self._output} if full else set()):
                selector.register(pipe, selectors.EVENT_READ)
            for pipe in writers:
                selector.register(pipe, selectors.EVENT_WRITE)
            ready = {key.fileobj for key, _ in selector.select(max(0.0, wait_s))}
        for pipe in self._open & ready:
            self._take(pipe)
        return ready  # type: ignore[return-value]  # selectors does not know that pipes were registered

    def _take(self, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _PIECE_BYTES)
        if not data:
            self._open.discard(pipe)
        if pipe is self._errors:
            self._tail.add(data)
        elif data:
            self._lines.add(data)
        else:
            self._lines.finish()
