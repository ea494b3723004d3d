"""Where the agent measures: a process with the runtime, of which a workload that crashes or hangs takes only one."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Optional

from agent.processes import MARK
from agent.worker_process import DiedError, HungError, WorkerProcess

PYTHON = sys.executable or "/proc/self/exe"

_PATIENCE_TO_OPEN_S = 300.0
"""How long a runtime may take until it is ready for workloads."""


class Bench:
    """Keeps a process that measures, and a fresh one after each crash.

    Args:
        scratch: folder for what runtimes write; it is emptied for each process.
        mark: mark of what is started, see ``agent.processes``.
    """

    def __init__(self, scratch: Path, mark: str) -> None:
        self._scratch = scratch
        self._mark = mark
        self._asked: Dict[str, Any] = {}
        self._patience_s = _PATIENCE_TO_OPEN_S
        self._worker: Optional[WorkerProcess] = None

    def open(self, runtime: str, threads: int, options: Dict[str, str]) -> Dict[str, Any]:
        """Start a fresh process; what it says of itself, or why there is none, as ``agent.protocol`` has it."""
        self._asked = {"runtime": runtime, "threads": threads, "options": options}
        return self._start()

    def measure(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Take one burst.

        Args:
            request: what ``agent.worker`` is asked.

        Returns:
            A burst, a failure, or why there is no process that could take one.
        """
        if self._worker is None or not self._worker.is_ready():
            answer = self._start()
            if "opened" not in answer:
                return answer
        assert self._worker is not None
        try:
            answer = self._worker.ask(request, self._patience_s)
        except (HungError, DiedError) as error:
            self.close()
            return {"failure": {"stage": "run", "reason": str(error)}}
        if answer.pop("ends"):
            self.close()
        return answer

    def close(self) -> None:
        """End the process and everything that it started."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _start(self) -> Dict[str, Any]:
        self.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        with suppress(OSError):  # Where there is no folder, the runtime says so in its own words.
            self._scratch.mkdir()
        env = dict(os.environ, TMPDIR=str(self._scratch), **{MARK: self._mark})
        try:
            self._worker = WorkerProcess([PYTHON, "-m", "agent.worker"], env=env)
            answer = self._worker.ask(self._asked, _PATIENCE_TO_OPEN_S)
        except (OSError, HungError, DiedError) as error:
            self.close()
            remedy = "Run the same command again; if it says this again, run the runtime on the device by hand."
            return {"missing": {"reason": f"it could not be opened: {error}", "remedy": remedy}}
        if "opened" in answer:
            self._patience_s = float(answer["opened"]["patience_s"])
        else:
            self.close()
        return answer
