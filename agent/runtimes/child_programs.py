"""Programs that are run to their end, or ended with all that they started."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

_PROCESSES = "/proc"


class Ended(NamedTuple):
    """How a program ended.

    Attributes:
        status: exit status; the negative number of the signal that ended it.
        output: what it wrote to standard output and standard error.
    """

    status: int
    output: str


class TookTooLong(Exception):
    """A program did not end in time, and was killed."""


def run_program(argv: Sequence[str], limit_s: float) -> Ended:
    """Run a program and wait for its end. It stays in the process group of this process, and so dies with it.

    Args:
        argv: program and arguments.
        limit_s: when it has not ended after so many seconds, it is killed, and so is all that it started.

    Raises:
        TookTooLong: it was killed.
        OSError: it could not be started.
    """
    popen = subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=-1
    )
    try:
        output, _ = popen.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise TookTooLong(f"it did not end within {limit_s:g} s") from error
    finally:
        if popen.returncode is None:  # After any error: Ctrl-C must not leave it behind either.
            kill_family(popen.pid)
            popen.communicate()
    return Ended(popen.returncode, output.decode("utf-8", "replace"))


def kill_family(pid: int) -> None:
    """Kill a process and all that descends from it.

    Each is stopped before its children are looked up, so that none is born meanwhile; where the kernel does not tell
    whose children processes are, the process alone is killed.
    """
    family, looked_up = [pid], 0
    while looked_up < len(family):
        for member in family[looked_up:]:
            _send(member, signal.SIGSTOP)
        looked_up, children = len(family), _children()
        family += [child for member in family for child in children.get(member, ()) if child not in family]
    for member in family:
        _send(member, signal.SIGKILL)


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, what)


def _children() -> Dict[int, List[int]]:
    """Numbers of the running processes, by that of their parent."""
    found: Dict[int, List[int]] = {}
    for file in Path(_PROCESSES).glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # It has ended meanwhile.
            # The name, in brackets, may hold anything; the parent is the second field behind it.
            parent = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            found.setdefault(int(parent), []).append(int(file.parent.name))
    return found
