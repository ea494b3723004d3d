"""The first question to a device: whether there is a Python, which one, and how much room."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from devices.errors import ConnectionLost, NotAvailable
from devices.transports.transport import Transport

_PATIENCE_S = 30.0

OLDEST_PYTHON = (3, 6)
"""What the agent needs."""

# Understood by Python 2, too: what is there instead of a Python 3 is to be told.
_QUESTION = """\
import json, os, platform, sys, tempfile
folder = sys.argv[1] or tempfile.gettempdir()
try:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
except OSError:
    free = None
print("paceline " + json.dumps({"python": platform.python_version(), "system": platform.platform(), "machine": \
platform.machine(), "folder": folder, "free_bytes": free}))
"""


@dataclass(frozen=True)
class Probe:
    """What a device said.

    Attributes:
        python: version of its Python.
        system: its operating system.
        machine: instruction set.
        folder: where temporary files go.
        free_bytes: room there; None where there is no such folder.
    """

    python: str
    system: str
    machine: str
    folder: str
    free_bytes: int | None

    @property
    def is_new_enough(self) -> bool:
        """Whether the agent runs on its Python."""
        return tuple(int(part) for part in re.findall(r"\d+", self.python)[:2]) >= OLDEST_PYTHON


def probe_device(transport: Transport, python: str = "python3", work: str | None = None) -> Probe:
    """Ask a device the first question. Nothing is left there.

    Args:
        transport: the way there.
        python: its Python; a name on its PATH, or a path.
        work: its folder for temporary files; its own when None.

    Raises:
        NotAvailable: it cannot be reached, or there is no such Python.
    """
    with transport.start([python, "-c", _QUESTION, work or ""]) as channel:
        until_s = time.monotonic() + _PATIENCE_S
        try:
            # Other lines are what a login script of the user says there.
            while not (line := channel.read_line(max(0.0, until_s - time.monotonic()))).startswith(b"paceline {"):
                continue
        except TimeoutError as error:
            raise ConnectionLost(f"{transport.describe()} does not answer for {_PATIENCE_S:g} s.") from error
        except ConnectionLost as error:
            if channel.exit_status() is None:
                raise
            raise NotAvailable(_no_python(transport.describe(), python, channel.last_words())) from error
    said: dict[str, Any] = json.loads(line.split(b" ", 1)[1])
    return Probe(**said)


def _no_python(where: str, python: str, words: str) -> str:
    return (
        f"{where} answers, but `{python}` is no Python there: {words}. Name one that is 3.6 or later with --python, by "
        "its path perhaps."
    )
