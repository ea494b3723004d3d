"""Where the times of somebody else's file come from: what is known of it, who says so, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from devices import Device
from latency import Environment, Runtime

UNKNOWN = "unknown"

_NEVER_IN_A_FILE = ("clocks", "power mode")
"""What no such file says, and what changes every time."""


@dataclass(frozen=True)
class Statement:
    """What the user says of a file; it goes before what the file and its publication say. None: nothing.

    Attributes:
        device: name of the device.
        runtime: name of the software that ran there.
        precision: number format.
        threads: threads the runtime was given.
    """

    device: str | None = None
    runtime: str | None = None
    precision: str | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Origin:
    """What is known of where times come from. None where it is not.

    Attributes:
        file: name of the file; times of two files from unknown devices must not stand side by side.
        device: the device, as far as it is known.
        runtime: name of the software that ran there, in its maker's spelling. No profiler of ours is called so.
        versions: version of each package.
        threads: threads the runtime was given.
        options: what else is known to have been set.
        precision: number format, where keys do not tell it.
        evidence: who says so.
    """

    file: str
    device: Device | None = None
    runtime: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None
    evidence: str = ""

    def stated(self, statement: Statement) -> Origin:
        """The origin with what the user says. Of another device or runtime, what was known of the first is dropped."""
        told = self
        if statement.device is not None:
            told = replace(told, device=Device(UNKNOWN, statement.device, UNKNOWN), evidence="")
        if statement.runtime is not None:
            told = replace(told, runtime=statement.runtime, versions={}, options={}, threads=None)
        return replace(told, precision=statement.precision or told.precision, threads=statement.threads or told.threads)

    def environment(self) -> Environment:
        """The environment that rows of this origin belong to; what is not known of it is None or ``unknown``."""
        device = self.device or Device(UNKNOWN, f"{UNKNOWN} ({self.file})", UNKNOWN)
        return Environment(device, Runtime(self.runtime or UNKNOWN, self.versions, self.threads, self.options))

    def unknown(self) -> tuple[str, ...]:
        """What is not known, in words."""
        doubts = {
            "device": self.device is None,
            "runtime": self.runtime in (None, UNKNOWN),
            "runtime version": not self.versions,
            "number of threads": self.threads is None,
            "precision (taken as fp32)": self.precision is None,
        }
        return (*(name for name, is_unknown in doubts.items() if is_unknown), *_NEVER_IN_A_FILE)
