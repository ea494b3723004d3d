"""The process that removes a work folder when its agent no longer can: ``python3 -m agent.janitor``.

The agent has the writing end of a pipe. When the agent ends, however it ends, so does the pipe. The janitor leads a
session of its own and has none of the agent's standard streams: a connection that breaks does not end it, and it does
not keep one open. Where the system ends all that a user started as soon as the user is gone (``KillUserProcesses`` of
systemd-logind), the next run of the user removes the folder.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from agent.lock import DeviceLock
from agent.processes import kill_marked
from agent.work_folder import discard, is_last

_DONE = b"done"

_STEP_S = 1.0
"""Time between two looks whether the run is back."""


class Janitor:
    """The janitor of a work folder, from the agent's side.

    Args:
        folder: the work folder.
        handle: what keeps it, see ``agent.work_folder.adopt``.
        grace_s: how long it stays when the agent is gone.
        lock: the file of the device's lock.
        started: mark of the processes that go with the agent.
    """

    def __init__(self, folder: Path, handle: int, grace_s: float, lock: Path, started: str) -> None:
        named = [str(folder), str(handle), str(grace_s), str(lock), started]
        self._process = subprocess.Popen(
            [sys.executable or "/proc/self/exe", "-m", "agent.janitor", *named],
            pass_fds=(handle,),  # At no moment does nobody keep the folder.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def dismiss(self) -> None:
        """Tell it that the folder is gone and nothing is left to do."""
        assert self._process.stdin is not None
        with suppress(OSError):  # Somebody killed it.
            self._process.stdin.write(_DONE)
            self._process.stdin.flush()
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()


def watch(folder: Path, handle: int, grace_s: float, lock: Path, started: str, told: IO[bytes]) -> None:
    """Wait for the end of the agent; remove the folder unless that was done, or the run comes back in time.

    Args:
        folder: the work folder.
        handle: what keeps it.
        grace_s: how long the run may take to come back.
        lock: the file of the device's lock.
        started: mark of the processes that go with the agent; none of a later agent has it.
        told: what the agent says; ends with the agent.
    """
    if told.read() == _DONE:
        return
    kill_marked(started)
    until_s = time.monotonic() + grace_s
    while is_last(handle):
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            break
        time.sleep(min(_STEP_S, left_s))
    if discard(folder, handle):
        DeviceLock(lock).tidy()


def main() -> None:
    """Watch what the command line names."""
    folder, handle, grace_s, lock, started = sys.argv[1:]
    os.chdir("/")  # Not in the folder that goes.
    watch(Path(folder), int(handle), float(grace_s), Path(lock), started, sys.stdin.buffer)


if __name__ == "__main__":
    main()
