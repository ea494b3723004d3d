"""What a device is and in what state it was: identity and state, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Device:
    """Identity of a machine, as found on the machine itself.

    Two machines with equal identity are taken to be equally fast, so a host name is no part of it. What
    cannot be read is None, never 0 and never a guess.

    Attributes:
        kind: ``cpu`` or, later, the kind of accelerator.
        name: model name as the machine gives it.
        architecture: instruction set (``x86_64``, ``aarch64``).
        family: vendor, family, model and stepping, tells apart machines whose model name does not.
        features: instruction sets that change times, in alphabetical order; a missing AVX-512 changes every time.
        cores: logical processors this process may run on.
        memory_bytes: installed memory, rounded down to whole GiB; no part of the fingerprint, because it changes no
            block's time and kernels reserve varying parts of it.
        l3_cache_bytes: size of the last-level cache.
        system: operating system and its release family (``Linux``).
    """

    kind: str
    name: str
    architecture: str
    family: str | None = None
    features: str | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    l3_cache_bytes: int | None = None
    system: str | None = None

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the identity: equal for equal machines.

        What is not known is left out, so that a field that is added later changes no digest of a machine without it.
        """
        known = {name: value for name, value in asdict(self).items() if value is not None and name != "memory_bytes"}
        text = json.dumps(known, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """One line for the screen."""
        cores = "" if self.cores is None else f", {self.cores} cores"
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes // 2**30} GiB"
        return f"{self.name} ({self.architecture}{cores}{memory})"

    def to_json(self) -> dict[str, Any]:
        """The identity as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Device:
        """Rebuild what ``to_json`` gave.

        Raises:
            TypeError: a field is missing or unknown.
        """
        return Device(**values)


@dataclass(frozen=True)
class DeviceState:
    """What a device was doing at one moment. None where it cannot be read.

    Attributes:
        clock_mhz: mean clock of the processors.
        temperature_c: hottest thermal zone.
        power_w: power drawn.
        load_1min: processes that wanted to run, averaged over the last minute.
        governor: frequency governor.
        throttle_count: thermal throttling events since boot.
    """

    clock_mhz: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    load_1min: float | None = None
    governor: str | None = None
    throttle_count: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The known fields as plain values; unknown ones are left out."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> DeviceState:
        """Rebuild what ``to_json`` gave.

        Raises:
            TypeError: a field is unknown.
        """
        return DeviceState(**values)
