"""Standard input of the agent, read in a thread of its own: that it ends is noticed at once, whatever is being done."""

import json
import os
import queue
import threading
from typing import Any, Callable, Dict, Iterator, Optional, Union

_CHUNK_BYTES = 1 << 16

_MOST_WAITING = 64
"""Chunks of a file that wait to be written; beyond, whoever sends them has to wait."""

_STEP_S = 0.05

Item = Union[Dict[str, Any], bytes, None]


class Requests:
    """Requests, and the bytes that follow them, in the order they come.

    Args:
        handle: what to read.
        interrupt: stops what is being done; called in the thread, as long as ``ends`` says so and nobody has taken
            notice. It must bear to be called when nothing is being done.
    """

    def __init__(self, handle: int, interrupt: Callable[[], None]) -> None:
        self._handle = handle
        self._interrupt = interrupt
        self._buffer = b""
        self._items: queue.Queue[Item] = queue.Queue(_MOST_WAITING)
        self._ends = threading.Event()
        self._noticed = threading.Event()
        threading.Thread(target=self._read_all, daemon=True).start()

    @property
    def ends(self) -> bool:
        """Whether the last request came, or the connection broke: what is being done is wanted no more."""
        return self._ends.is_set()

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        """Requests until there are no more; ``bye`` is the last one."""
        while True:
            item = self._items.get()
            if item is None:
                break
            assert isinstance(item, dict)
            if item["do"] == "bye":
                self._noticed.set()
                yield item
                break
            yield item
        self._noticed.set()

    def payload(self, most_bytes: int) -> bytes:
        """The next bytes of what follows a request: at least one, and at most as many as asked for.

        Raises:
            EOFError: the connection broke.
        """
        item = self._items.get()
        if item is None:
            self._items.put(None)
            raise EOFError("standard input ended within a file")
        assert isinstance(item, bytes)
        assert len(item) <= most_bytes
        return item

    def _read_all(self) -> None:
        line = self._line()
        while line is not None:
            request = json.loads(line.decode())
            if request["do"] == "bye":
                break
            self._items.put(request)
            self._pass_on(request.get("bytes", 0) if request["do"] == "store" else 0)
            line = self._line()
        self._ends.set()
        self._interrupt()
        self._items.put(None if line is None else json.loads(line.decode()))
        # What is being done may start a process at this very moment.
        while not self._noticed.wait(_STEP_S):
            self._interrupt()

    def _line(self) -> Optional[bytes]:
        while b"\n" not in self._buffer:
            part = self._part()
            if not part:
                return None
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _pass_on(self, left_bytes: int) -> None:
        while left_bytes:
            part = self._buffer or self._part()
            if not part:
                return
            self._items.put(part[:left_bytes])
            self._buffer = part[left_bytes:]
            left_bytes -= min(left_bytes, len(part))

    def _part(self) -> bytes:
        try:
            return os.read(self._handle, _CHUNK_BYTES)
        except OSError:
            return b""  # A socket whose other end went away.
