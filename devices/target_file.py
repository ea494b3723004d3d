"""Files of targets: the catalog that ships, and the user's own. Each table of the TOML file is a target.

::

    [xavier]                    # the name of a target that ships: the rest is as there
    host = "nvidia@10.0.0.5"

    [bench]
    like = "xavier"             # another name for a device of that kind
    host = "bench.local"
    power_mode = "MODE_15W"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from devices.errors import WrongUse, unknown_name
from devices.target import Connection, Peaks, Target

CONNECTION_FIELDS = tuple(field.name for field in fields(Connection))
"""Fields of a target in a file that say how it is reached."""

LIKE = "like"

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "port": int,
    "peaks": dict,
    "operations_per_s": dict,
    "is_here": bool,
    "bandwidth_bytes_per_s": (int, float),
    "launch_s": (int, float),
}
"""Of the fields that are no text."""

_OWN_FIELDS = tuple(field.name for field in fields(Target) if field.name not in ("name", "connection"))
_NEEDED = tuple(
    field.name for field in fields(Target) if field.name != "name" and field.default is field.default_factory is MISSING
)


def read_targets(path: Path, kinds: Mapping[str, Target]) -> dict[str, Target]:
    """Read a file of targets.

    Args:
        path: the file.
        kinds: targets that those of the file may be like, or add to.

    Returns:
        The file's targets by name.

    Raises:
        WrongUse: the file is missing or damaged, with its name, the entry, and what is wrong with it.
    """
    try:
        return parse_targets(path.read_text(encoding="utf-8"), kinds)
    except (OSError, ValueError, WrongUse) as error:
        raise WrongUse(f"{path} is no list of targets: {error} `paceline targets add` writes such a file.") from error


def parse_targets(text: str, kinds: Mapping[str, Target]) -> dict[str, Target]:
    """Read the text of such a file.

    Args:
        text: TOML.
        kinds: targets that those of the file may be like, or add to.

    Returns:
        The file's targets by name.

    Raises:
        WrongUse: an entry cannot be understood.
        tomllib.TOMLDecodeError: the text is no TOML.
    """
    entries = tomllib.loads(text)
    found = dict[str, Target]()
    for name, entry in entries.items():
        try:
            found[name] = _target(name, entry, kinds)
        except WrongUse as error:
            raise WrongUse(f"[{name}]: {error}") from error
    return found


def _target(name: str, entry: Any, kinds: Mapping[str, Target]) -> Target:
    if not isinstance(entry, dict):
        raise WrongUse(f"a target is a table with the fields {', '.join(_NEEDED)}; got {entry!r}.")
    _check_fields(entry, (*_OWN_FIELDS, *CONNECTION_FIELDS, LIKE))
    kind = _kind(name, entry.get(LIKE), kinds)
    given = {field: entry[field] for field in _OWN_FIELDS if field in entry}
    if "peaks" in given:
        given["peaks"] = _peaks(given["peaks"])
    known = given if kind is None else {**_fields_of(kind), **given}
    if missing := [field for field in _NEEDED if field not in known]:
        raise WrongUse(f'it lacks {", ".join(missing)}. Add them, or say which target it is like: {LIKE} = "ssh".')
    target = Target(name=name, **known)
    return _connected(target, {field: entry[field] for field in CONNECTION_FIELDS if field in entry})


def _kind(name: str, like: str | None, kinds: Mapping[str, Target]) -> Target | None:
    if like is None:
        return kinds.get(name)
    if like not in kinds:
        raise unknown_name("kind of device", like, kinds)
    return kinds[like]


def _fields_of(kind: Target) -> dict[str, Any]:
    """What a target has from its kind: all but the way to the device."""
    return {field: getattr(kind, field) for field in _OWN_FIELDS}


def _connected(target: Target, given: Mapping[str, Any]) -> Target:
    if not given:
        return target
    if "host" not in given:
        raise WrongUse(
            f'{", ".join(given)} say how a host is reached, but no host is named. Add host = "USER@ADDRESS".'
        )
    if target.is_here:
        raise WrongUse(f'{target.name} is this machine and has no host. Choose another name, and {LIKE} = "ssh".')
    more = {field: value for field, value in given.items() if field != "host"}
    return replace(target, connection=Connection.parse(given["host"], **more))


def _peaks(entry: Mapping[str, Any]) -> Peaks:
    names = [field.name for field in fields(Peaks)]
    _check_fields(entry, names)
    if missing := [name for name in names if name not in entry]:
        raise WrongUse(f"its peaks lack {', '.join(missing)}.")
    operations = entry["operations_per_s"]
    if wrong := [
        value for value in operations.values() if isinstance(value, bool) or not isinstance(value, int | float)
    ]:
        raise WrongUse(f"operations_per_s are numbers, by precision; got {wrong[0]!r}.")
    return Peaks(
        {name: float(value) for name, value in operations.items()},
        float(entry["bandwidth_bytes_per_s"]),
        entry["source"],
        float(entry["launch_s"]),
    )


def _check_fields(entry: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> None:
    for field, value in entry.items():
        if "password" in field or "passphrase" in field:
            raise WrongUse(f"{field!r}: a password is never kept or used. Log in with a key (`ssh-copy-id`).")
        if field not in known:
            raise unknown_name("field", field, known)
        wanted = _TYPES.get(field, str)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise WrongUse(f"{field} cannot be {value!r}.")
