"""A profiler of a third party that does all that a runtime can do to the process it is in.

What it does depends on the operator of the workload; every other operator, the sentinel's among them, takes a
millisecond by its own clock. Tests copy this file beside a distribution that registers it, and name both in PYTHONPATH.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import final

from devices import Device, DeviceState
from latency import Environment, Missing, Profiler, ProfilingError, Runtime, TimedRun, Workload


@final
class UnrulyProfiler(Profiler):
    """Crashes, hangs, prints, or is not there at all."""

    name = "unruly"
    patience_s = 50.0
    choices = {"mood": ("fair", "foul", "missing"), "sentinel": ("yes", "no")}
    is_there = True

    def __init__(
        self, device: Device, state: Callable[[], DeviceState], threads: int = 1, options: Mapping[str, str] = {}
    ) -> None:
        self.options = self.chosen(options)
        type(self).is_there = self.options["mood"] != "missing"
        self.refuse_missing()
        if self.options["mood"] == "foul":
            raise RuntimeError("the licence has run out")
        super().__init__(Environment(device, Runtime(self.name, {}, threads, self.options)), state)

    @classmethod
    def missing(cls) -> Missing | None:
        """Whatever was asked for."""
        return None if cls.is_there else Missing("there is no such chip", "Buy one.")

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """Behave as the operator says."""
        if workload.operator == "inverted_residual" and self.options["sentinel"] == "no":
            raise ProfilingError("load", "no sentinel here")
        if workload.operator == "spoil":
            type(self).accelerator = "cuda"  # As if it computed there from now on.
            raise ProfilingError("run", "illegal memory access")
        ACTS.get(workload.operator, lambda: None)()
        yield TimedRun(lambda calls: calls * 1e-3)


def crash() -> None:
    """Read from address 0; no core file is left behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def complain_and_crash() -> None:
    """As runtimes do that check their own state."""
    sys.stderr.write("assertion failed:\n  kernel != nullptr\n")
    sys.stderr.flush()
    crash()


def end() -> None:
    """End the process without an error."""
    os._exit(7)


def leave_a_child() -> None:
    """Start a process that outlives this one, say its number, and end."""
    child = subprocess.Popen(["sleep", "600"])
    sys.stderr.write(f"{child.pid}\n")
    sys.stderr.flush()
    end()


def hang() -> None:
    """For longer than anybody waits."""
    time.sleep(600)


def chatter() -> None:
    """Write to standard output from Python, and past it, as a library in C does."""
    sys.stdout.write('{"kind": "measurement"}\n')
    sys.stdout.flush()
    os.write(1, b"no line end, and no JSON")


ACTS: Mapping[str, Callable[[], None]] = {
    "crash": crash,
    "complain_and_crash": complain_and_crash,
    "end": end,
    "leave_a_child": leave_a_child,
    "hang": hang,
    "chatter": chatter,
}
