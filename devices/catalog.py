"""The targets a user can name: ``devices/catalog.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from devices.errors import WrongUse, unknown_name


@dataclass(frozen=True)
class Target:
    """A name for a kind of device.

    Attributes:
        name: what the user types (``local``).
        family: ``cpu``, ``jetson``, ...
        description: a few words for ``paceline targets``.
        runtime: name of the profiler that measures there unless the user names another.
        precision: number format measured there by default.
    """

    name: str
    family: str
    description: str
    runtime: str
    precision: str


def load_catalog(path: Path | None = None) -> Mapping[str, Target]:
    """Read the targets.

    Args:
        path: a catalog to read in place of the one that ships.

    Returns:
        Targets by name.

    Raises:
        WrongUse: the file is missing or no TOML, or an entry lacks a field or has an unknown one.
    """
    source = path or Path(str(resources.files("devices") / "catalog.toml"))
    try:
        entries = tomllib.loads(source.read_text(encoding="utf-8"))
        return {name: Target(name=name, **fields) for name, fields in entries.items()}
    except (OSError, ValueError, TypeError) as error:
        raise WrongUse(f"{source} is no catalog of targets: {error}. Compare it with devices/catalog.toml.") from error


def find_target(name: str) -> Target:
    """The target of that name.

    Raises:
        WrongUse: there is none; the message lists those there are.
    """
    catalog = load_catalog()
    if name not in catalog:
        raise unknown_name("target", name, catalog)
    return catalog[name]
