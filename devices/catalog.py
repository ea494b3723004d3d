"""The targets a user can name: ``devices/catalog.toml``, and what the user's own file adds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from devices.errors import unknown_name
from devices.target import Connection, Peaks, Target
from devices.target_file import read_targets
from devices.user_targets import user_targets_file

__all__ = ["Connection", "Peaks", "Target", "find_target", "load_catalog", "shipped_targets"]


@cache
def shipped_targets() -> Mapping[str, Target]:
    """The targets that paceline ships with, by name."""
    return read_targets(Path(str(resources.files("devices") / "catalog.toml")), {})


def load_catalog(path: Path | None = None) -> Mapping[str, Target]:
    """Read the targets.

    Args:
        path: a catalog to read in place of the one that ships and the user's own.

    Returns:
        Targets by name; those of the user's file last, or in the place of those they add to.

    Raises:
        WrongUse: a file is missing or no TOML, or an entry lacks a field or has an unknown one.
    """
    if path is not None:
        return read_targets(path, {})
    shipped, own = shipped_targets(), user_targets_file()
    return {**shipped, **(read_targets(own, shipped) if own.exists() else {})}


def find_target(name: str) -> Target:
    """The target of that name.

    Raises:
        WrongUse: there is none; the message lists those there are.
    """
    catalog = load_catalog()
    if name not in catalog:
        raise unknown_name("target", name, catalog)
    return catalog[name]
