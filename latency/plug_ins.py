"""What third parties add by entry points: found, checked, and kept from breaking what is shipped.

An entry point names a subclass of the contract of its group, under the name that the class has itself. One that is
broken, or that has the name of something shipped, is left out, and what is wrong with it can be asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata
from typing import Any

from latency.plug_in_files import RAISED_BY_LOADING


def third_parties(group: str, contract: type, shipped: Collection[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What third parties registered in ``group``.

    Args:
        group: name of the group of entry points.
        contract: the class that each must be a subclass of.
        shipped: names that are taken.

    Returns:
        The subclasses of ``contract`` that can be used, and what is wrong with the others, both by name.
    """
    found, broken = dict[str, type](), dict[str, str]()
    for entry_point in metadata.entry_points(group=group):
        try:
            loaded = entry_point.load()
        except RAISED_BY_LOADING as error:
            broken[entry_point.name] = f"its module cannot be imported ({type(error).__name__}: {error})"
            continue
        wrong = _wrong(entry_point, loaded, contract, shipped)
        if wrong is not None:
            broken[entry_point.name] = wrong
        else:
            found[entry_point.name] = loaded
    return found, broken


def _wrong(entry_point: metadata.EntryPoint, loaded: object, contract: type, shipped: Collection[str]) -> str | None:
    """What keeps that from being used; None when nothing does."""
    name, value = entry_point.name, entry_point.value
    if not (isinstance(loaded, type) and issubclass(loaded, contract)):
        return f"{value} must be a subclass of latency.{contract.__name__}; got {loaded!r}"
    if getattr(loaded, "name", None) != name:
        return f"{value} must have the name of its entry point; got {getattr(loaded, 'name', None)!r}"
    if name in shipped:
        return f"{value} must have a name of its own; {name} is shipped with paceline"
    return None
