"""What a command says: its standard output by lines, and the end of its standard error."""

from __future__ import annotations

import signal
from collections import deque
from typing import final

_MOST_TAIL_BYTES = 8192
_MOST_WORDS = 500


@final
class Lines:
    """Output that comes in pieces and is taken by lines. Each byte is looked at once, however long a line is."""

    def __init__(self) -> None:
        self._whole = deque[bytes]()
        self._begun = bytearray()
        self.waiting_bytes = 0

    def add(self, data: bytes) -> None:
        """A piece of output."""
        self.waiting_bytes += len(data)
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._begun += end + b"\n"
            self._whole.append(bytes(self._begun))
            self._begun.clear()
        self._begun += rest

    def finish(self) -> None:
        """There is no more: what was begun counts as a line, without an end."""
        if self._begun:
            self._whole.append(bytes(self._begun))
            self._begun.clear()

    def take(self) -> bytes | None:
        """The next whole line, with its end; None when there is none."""
        if not self._whole:
            return None
        line = self._whole.popleft()
        self.waiting_bytes -= len(line)
        return line

    def __bool__(self) -> bool:
        """Whether a whole line waits."""
        return bool(self._whole)


@final
class Tail:
    """The end of what was said, whatever the length of the speech."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        """A piece of output."""
        self._bytes += data
        del self._bytes[:-_MOST_TAIL_BYTES]

    def words(self) -> str:
        """The last of it on one line."""
        return " ".join(self._bytes.decode(errors="replace").split())[-_MOST_WORDS:]


def ending(status: int, tail: Tail) -> str:
    """How a command ended, in words.

    Args:
        status: its exit status; negative for a signal.
        tail: its standard error.
    """
    how = f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
    said = tail.words()
    return f"{how}: {said}" if said else f"{how} without a word"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
