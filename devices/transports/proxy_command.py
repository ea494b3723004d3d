"""The program that ssh's configuration puts between here and a device (``ProxyCommand``)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import final


@final
class ProxyCommand:
    """A running program whose standard input and output lead to a device. It complains on this one's standard error.

    Args:
        command: its words.

    Attributes:
        link: the end of it to speak to; whoever speaks closes it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.link, far_end = socket.socketpair()
        with far_end:
            try:
                self._popen = subprocess.Popen(
                    command, stdin=far_end.fileno(), stdout=far_end.fileno(), start_new_session=True
                )
            except OSError:
                self.link.close()
                raise

    def end(self) -> None:
        """End it, and what it started. Nothing happens the second time."""
        if self._popen.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
