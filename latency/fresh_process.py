"""Measuring in a process of its own: memory is laid out anew, and a crash or a hang takes one workload with it.

Ten processes that timed one network differed by up to 25 %, while each alone repeated itself within some percent:
what a process inherits from its start is part of the uncertainty, and only other processes show it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, final

from agent.loop import utc_now
from agent.worker_process import DiedError, HungError, WorkerProcess
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
        self._process = _worker(settings.models)
        with ExitStack() as unless_opened:
            unless_opened.callback(self._process.kill)
            self.environment = self._introduce()
            unless_opened.pop_all()

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """One burst of samples, or a failure."""
        try:
            if not self._process.is_ready():
                self._process.kill()
                self._process = _worker(self._settings.models)
                self._introduce()
            patience_s = self._profiler_patience_s if self._patience_s is None else self._patience_s
            answer = self._process.ask({"workload": workload.to_json(), "plan": plan.to_json()}, patience_s)
        except (HungError, DiedError) as error:
            self._process.kill()
            return Failure(workload, self.environment, "run", str(error), utc_now())
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
        except (HungError, DiedError) as error:
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


def _worker(models: Path | None) -> WorkerProcess:
    """A running ``latency.worker``."""
    folder = str(Path(__file__).resolve().parent.parent)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), FOLDER_VARIABLE: str(models or "")}
    # -P: a file in the current folder must not stand in for a module of that name.
    return WorkerProcess([sys.executable, "-P", "-m", "latency.worker"], env=environment)
