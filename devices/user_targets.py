"""The user's own file of targets: where it is, and how an entry gets in and out. Comments in it stay."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.errors import WrongUse
from devices.target import Target
from devices.target_file import CONNECTION_FIELDS, LIKE, parse_targets

VARIABLE = "PACELINE_TARGETS"
"""Environment variable that names the file."""


def user_targets_file() -> Path:
    """``$PACELINE_TARGETS``, else ``paceline/targets.toml`` of the user's configuration; it need not exist."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "paceline" / "targets.toml"


def add_target(name: str, entry: Mapping[str, str | int], kinds: Mapping[str, Target]) -> Target:
    """Put a target into the user's file, or change the one that is there.

    How it is reached is replaced as a whole; other fields stay unless they are named.

    Args:
        name: what the user will type.
        entry: its fields, as ``devices.target_file`` describes them.
        kinds: the targets that ship.

    Returns:
        The target as it is from now on.

    Raises:
        WrongUse: the name or a field cannot be used, or the file cannot be read or written.
    """
    import tomlkit

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise WrongUse(f"The name of a target is letters, digits, '-', '_' and '.'; got {name!r}.")
    document = _read()
    if name not in document:
        document[name] = tomlkit.table()
    table = document[name]
    if not isinstance(table, dict):
        raise WrongUse(f"{user_targets_file()} says {name} = {table!r}, which is no target. Remove that line.")
    for field in CONNECTION_FIELDS:
        table.pop(field, None)
    table.update(entry)
    if LIKE not in table and name not in kinds:
        table[LIKE] = "ssh"
    text = tomlkit.dumps(document)
    target = parse_targets(text, kinds)[name]
    _write(text)
    return target


def remove_target(name: str) -> None:
    """Take a target out of the user's file.

    Raises:
        WrongUse: it is not there, or the file cannot be read or written.
    """
    import tomlkit

    document = _read()
    if name not in document:
        own = ", ".join(document) or "nothing"
        raise WrongUse(f"{name!r} is not in {user_targets_file()}, which has {own}. What ships cannot be removed.")
    document.remove(name)
    _write(tomlkit.dumps(document))


def _read() -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = user_targets_file()
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ValueError, TOMLKitError) as error:
        raise WrongUse(f"{path} cannot be read: {error}. Mend it, or move it away.") from error


def _write(text: str) -> None:
    """Replace the file at once, so that nobody ever reads half of it; only its owner may read it."""
    path = user_targets_file()
    path = path.resolve()  # A link to a file that is kept elsewhere stays one.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".targets-", delete=False
        ) as new:
            try:
                new.write(text)
                new.flush()
                os.fsync(new.fileno())
                Path(new.name).replace(path)  # Made with mode 0600.
            except OSError:
                Path(new.name).unlink()
                raise
    except OSError as error:
        raise WrongUse(f"{path} cannot be written ({error.strerror}). Name another file with {VARIABLE}.") from error
