"""Processes of this machine, by what /proc says of them: whether one still lives, and what a run started."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

MARK = "PACELINE_WORK"
"""Environment variable of everything that measures: its ``mark``."""

_PASSES = 50
"""How often those that were started meanwhile are looked for."""

_PATIENCE_S = 5.0
"""A process that was killed may still have to leave a driver."""

_STEP_S = 0.01


class ProcessName(NamedTuple):
    """What tells a process from all others since boot; numbers alone are used again.

    Attributes:
        pid: its number.
        started: clock ticks from boot to its start.
    """

    pid: int
    started: int


def process_name(pid: int) -> Optional[ProcessName]:
    """The name of the process of that number; None when there is none, or it has ended and nobody took notice."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    # Fields 3, 20 and 22 of proc_pid_stat(5); the name in parentheses before them may hold anything. Where the first of
    # several threads has ended, the others may still hold its files and locks.
    has_ended = fields[0] == b"X" or (fields[0] == b"Z" and int(fields[17]) <= 1)
    return None if has_ended else ProcessName(pid, int(fields[19]))


def kill(name: ProcessName) -> None:
    """Kill a process if it still lives, and wait some seconds for its end."""
    until_s = time.monotonic() + _PATIENCE_S
    while process_name(name.pid) == name and time.monotonic() < until_s:
        with suppress(OSError):
            os.kill(name.pid, signal.SIGKILL)
        time.sleep(_STEP_S)


def mark(folder: Path, agent: Optional[ProcessName] = None) -> str:
    """What tells the processes that measure for a work folder from all others.

    Args:
        folder: the work folder.
        agent: the agent that started them; all agents that the folder ever had when None.
    """
    return f"{folder}:" if agent is None else f"{folder}:{agent.pid}:{agent.started}:"


def kill_marked(mark_begins: str) -> None:
    """Kill all processes whose mark begins so, in whatever group or session they are."""
    for _ in range(_PASSES):
        found = list(_marked(mark_begins))
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(_STEP_S)


def _marked(mark_begins: str) -> Iterator[int]:
    begins = os.fsencode(f"{MARK}={mark_begins}")
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # It has ended, or is another user's.
            if any(variable.startswith(begins) for variable in environment):
                yield int(process.name)
