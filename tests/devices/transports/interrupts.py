"""Ctrl-C at a moment that does not depend on how fast the machine is."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType

from devices.transports.event_loop import EventLoopThread
from tests.sshd import wait_until


def interrupting(begun: threading.Event | None = None) -> threading.Thread:
    """A thread that sends Ctrl-C once the main thread waits for work of an event loop, and that work has begun."""

    def strike() -> None:
        if begun is not None:
            begun.wait(60)
        wait_until(_is_waited, "the main thread")
        os.kill(os.getpid(), signal.SIGINT)

    return threading.Thread(target=strike)


def _is_waited() -> bool:
    running = list(_code_of(sys._current_frames()[threading.main_thread().ident or 0]))
    return running[0].co_name == "wait" and EventLoopThread.run.__code__ in running


def _code_of(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back
