"""Where a time comes from: a device and the software that ran there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from devices import Device


@dataclass(frozen=True)
class Runtime:
    """The software that ran the workload.

    Attributes:
        name: name of the profiler (``onnxruntime-cpu``).
        versions: version of each package that shapes the time.
        threads: threads the runtime was given; None where nobody knows.
        options: whatever else was set, as text.
    """

    name: str
    versions: Mapping[str, str]
    threads: int | None
    options: Mapping[str, str]

    def describe(self) -> str:
        """One line for the screen."""
        versions = ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))
        threads = "threads unknown" if self.threads is None else f"{self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.name}, {threads} ({versions or 'version unknown'})"


@dataclass(frozen=True)
class Environment:
    """Where times come from. Times of different environments are never mixed."""

    device: Device
    runtime: Runtime

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest, equal for environments whose times may stand side by side."""
        text = json.dumps([self.device.fingerprint, asdict(self.runtime)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """One line for the screen."""
        return f"{self.device.describe()}, {self.runtime.describe()}"

    def differences(self, other: Environment) -> str:
        """What sets the other environment apart, in words; empty when nothing does."""
        mine, theirs = _flat(self), _flat(other)
        pairs = ((name, mine.get(name), theirs.get(name)) for name in sorted({*mine, *theirs}))
        return "; ".join(f"{name}: {ours} there, {now} here" for name, ours, now in pairs if ours != now)

    def to_json(self) -> dict[str, Any]:
        """The environment as plain values."""
        return {"device": self.device.to_json(), "runtime": asdict(self.runtime)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Environment:
        """Rebuild what ``to_json`` gave."""
        return Environment(Device.from_json(values["device"]), Runtime(**values["runtime"]))


def _flat(environment: Environment) -> dict[str, Any]:
    runtime = environment.runtime
    return {
        **environment.device.to_json(),
        "runtime": runtime.name,
        "threads": runtime.threads,
        **runtime.versions,
        **runtime.options,
    }
