"""Whether processes live, for tests that end them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MOST_WAIT_S = 120.0
"""After which a process that should have ended is said to live on; it takes milliseconds."""


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for yet does not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
    # Of one with threads the first may have ended, while another one still holds its files.
    return "\nState:\tZ" not in status or "\nThreads:\t1\n" not in status


def kill_all(pids: Iterable[int]) -> None:
    """Kill processes; one that has ended by itself meanwhile is not missed."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def ends(pid: int) -> bool:
    """Whether a process ends, now or soon."""
    until_s = time.monotonic() + MOST_WAIT_S
    while lives(pid) and time.monotonic() < until_s:
        time.sleep(0.01)
    return not lives(pid)
