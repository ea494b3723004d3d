"""Measuring in a process of its own: memory is laid out anew, and a crash or a hang takes one workload with it.

Ten processes that timed one network differed by up to 25 %, while each alone repeated itself within some percent:
what a process inherits from its start is part of the uncertainty, and only other processes show it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, final

from devices import Device, NotAvailable, PacelineError, WrongUse
from latency.environment import Environment
from latency.measurement import Failure, Measurement, Outcome
from latency.model_files import FOLDER_VARIABLE
from latency.plug_in_files import loaded_plug_ins
from latency.profiler import Profiler
from latency.sampling import SamplingPlan
from latency.workload import Workload

_PATIENCE_TO_OPEN_S = 300.0
"""How long a runtime may take until it is ready for workloads."""

_MOST_WORDS = 300
"""Characters of a dead process' last words that a failure keeps."""

_ERRORS: Mapping[int, type[PacelineError]] = {error.exit_code: error for error in (WrongUse, NotAvailable)}


class Measurer(Protocol):
    """What measures workloads in one environment: a profiler in this process, or another process that has one."""

    @property
    def environment(self) -> Environment:
        """Device and runtime that every measurement carries."""

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """One burst of samples, or a failure. Never raises for a workload that cannot be built or run."""


@dataclass(frozen=True)
class ProfilerSettings:
    """Which profiler to open, and how: what a process needs to be told.

    Attributes:
        name: its name in the registry.
        device: identity of the device it times.
        threads: threads inside an operator.
        options: as the profiler's ``choices`` list them.
        models: folder where processes find each other's ONNX models; without one, each exports its own.
    """

    name: str
    device: Device
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    models: Path | None = None


class _HungError(Exception):
    """A process gave no answer in time."""


class _DiedError(Exception):
    """A process ended without an answer."""


@final
class FreshProcess:
    """A process that measures. A workload that kills or hangs it becomes a failure, and another process takes over.

    Args:
        settings: the profiler it opens.
        usual_s: what the sentinel takes when nothing disturbs the machine, by precision, where it is known.
        patience_s: how long one burst may take, building included; the profiler's own when None.

    Raises:
        NotAvailable: the runtime is missing.
        WrongUse: there is no such profiler or option.
    """

    def __init__(
        self, settings: ProfilerSettings, usual_s: Mapping[str, float] = {}, *, patience_s: float | None = None
    ) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._profiler_patience_s = Profiler.patience_s
        self._usual_s = dict(usual_s)
        self._process = _Process(settings.models)
        with ExitStack() as unless_opened:
            unless_opened.callback(self._process.kill)
            self.environment = self._introduce()
            unless_opened.pop_all()

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """One burst of samples, or a failure."""
        try:
            if not self._process.is_ready():
                self._process.kill()
                self._process = _Process(self._settings.models)
                self._introduce()
            patience_s = self._profiler_patience_s if self._patience_s is None else self._patience_s
            answer = self._process.ask({"workload": workload.to_json(), "plan": plan.to_json()}, patience_s)
        except (_HungError, _DiedError) as error:
            self._process.kill()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return Failure(workload, self.environment, "run", str(error), now)
        if answer["ends"]:
            self._process.kill()  # Before it is asked once more.
        if answer["usual_s"] is not None:
            self._usual_s[workload.precision] = answer["usual_s"]
        kinds: Mapping[str, Callable[[Mapping[str, Any]], Outcome]] = {
            Measurement.kind: Measurement.from_json,
            Failure.kind: Failure.from_json,
        }
        return kinds[answer["kind"]](answer["outcome"])

    def _introduce(self) -> Environment:
        """Tell a new process what to open."""
        settings = self._settings
        request = {
            "profiler": settings.name,
            "device": settings.device.to_json(),
            "threads": settings.threads,
            "options": dict(settings.options),
            "plug_ins": [str(file) for file in loaded_plug_ins()],
            "usual_s": self._usual_s,
        }
        try:
            answer = self._process.ask(request, _PATIENCE_TO_OPEN_S)
        except (_HungError, _DiedError) as error:
            raise NotAvailable(f"{settings.name} could not be opened: {error}.") from error
        if "missing" in answer:
            raise _ERRORS.get(answer["exit_code"], NotAvailable)(answer["missing"])
        self._profiler_patience_s = float(answer["patience_s"])
        return Environment.from_json(answer["environment"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()


@final
class _Process:
    """A running ``latency.worker`` and the two pipes to it."""

    def __init__(self, models: Path | None) -> None:
        folder = str(Path(__file__).resolve().parent.parent)
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`, as the pipes are
        self._popen = subprocess.Popen(
            # -P: a file in the current folder must not stand in for a module of that name.
            [sys.executable, "-P", "-m", "latency.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), FOLDER_VARIABLE: str(models or "")},
            # Ctrl-C is for whoever asked: it ends this process, in its own time.
            start_new_session=True,
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._requests, self._answers = self._popen.stdin, self._popen.stdout
        self._buffer = b""
        self._owes_answer = False

    def is_ready(self) -> bool:
        """Whether it can be asked: it lives, and has answered all that it was asked before."""
        return self._popen.poll() is None and not self._owes_answer

    def ask(self, request: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            _HungError: none came in time.
            _DiedError: the process ended first.
        """
        self._owes_answer = True
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError as error:
            raise _DiedError(self._last_words()) from error
        answer: dict[str, Any] = json.loads(self._line(time.monotonic() + patience_s, patience_s))
        self._owes_answer = False
        return answer

    def _line(self, until_s: float, patience_s: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, until_s - time.monotonic())):
                    raise _HungError(f"no answer within {patience_s:g} s; its process was killed")
                part = os.read(self._answers.fileno(), 1 << 20)
                if not part:
                    raise _DiedError(self._last_words())
                self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _last_words(self) -> str:
        """How the process ended, and the end of what it wrote to standard error."""
        code = self._popen.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self._words.seek(0)
        said = " ".join(self._words.read().decode(errors="replace").split())[-_MOST_WORDS:]
        return f"its process {how}: {said}" if said else f"its process {how} without a word"

    def kill(self) -> None:
        """End it, whatever it is doing, and everything that it started, which may outlive it."""
        if self._requests.closed:
            return  # It was killed before, and its number may be that of another process by now.
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        for pipe in (self._requests, self._answers, self._words):
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # An unsent request of a dead process.
