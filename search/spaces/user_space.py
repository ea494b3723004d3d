"""Spaces of the user: a Python file that makes one, or a TOML file that declares one.

``my_space.py:space`` is a ``Space``, or a function of ``input_size``, ``classes`` and ``precision`` that gives one;
defaults are the function's own. ``my_space.toml`` is read as ``declared_space`` says. A file may register operators of
its own; processes that measure load it, too (``latency.load_plug_in``).
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from devices import WrongUse
from latency import load_plug_in
from search.spaces.consistency import refuse_inconsistent
from search.spaces.declared_space import declared_space
from search.spaces.space import Space

_DEFAULT_NAME = "space"
"""What is taken of a Python file when nothing is named."""

_DEFAULT_PRECISION = "fp32"

_OPTIONS = {"input_size": "--input", "classes": "--classes", "precision": "--precision"}
"""What a function may take, and the option that sets it."""


def is_user_space(name: str) -> bool:
    """Whether ``name`` is that of a file, and not of a space that ships."""
    return name.endswith(".toml") or _split(name) is not None


def open_user_space(
    name: str,
    input_size: tuple[int, int] | None = None,
    classes: int | None = None,
    precision: str = _DEFAULT_PRECISION,
) -> Space:
    """The space that a file of the user makes or declares. It is called what ``name`` says.

    Args:
        name: ``my_space.py:space``, ``my_space.py`` for the one called ``space``, or ``my_space.toml``.
        input_size: height and width of the input; the space's own default when None.
        classes: number of classes; the space's own default when None.
        precision: number format of all workloads.

    Raises:
        WrongUse: the file is missing or broken, has no such space, or one that does not fit together.
    """
    python = _split(name)
    if python is None:
        space = _declared(name, input_size, classes, precision)
    else:
        space = _made(name, *python, input_size, classes, precision)
    try:
        refuse_inconsistent(space)
    except WrongUse as error:
        raise WrongUse(f"{name} does not fit together: {error}") from error
    return replace(space, name=name)


def _split(name: str) -> tuple[Path, str] | None:
    """File and attribute of a space in Python; None where ``name`` is none."""
    if name.endswith(".py"):
        return Path(name), _DEFAULT_NAME
    file, colon, attribute = name.rpartition(":")
    return (Path(file), attribute) if colon and file.endswith(".py") else None


def _declared(name: str, input_size: tuple[int, int] | None, classes: int | None, precision: str) -> Space:
    try:
        values = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongUse(f"{name} cannot be read ({error.strerror}). Give the path of a TOML file.") from error
    except ValueError as error:
        raise WrongUse(f"{name} is no TOML file: {error}.") from error
    plug_ins = values.get("plug_ins", [])
    if not isinstance(plug_ins, list) or not all(isinstance(file, str) for file in plug_ins):
        raise WrongUse(f"{name}: plug_ins is a list of Python files beside it; got {plug_ins!r}.")
    for file in plug_ins:
        load_plug_in(Path(name).parent / file)
    return declared_space(name, values, input_size, classes, precision)


def _made(
    name: str, file: Path, attribute: str, input_size: tuple[int, int] | None, classes: int | None, precision: str
) -> Space:
    found: Any = getattr(load_plug_in(file), attribute, None)
    if isinstance(found, Space):
        return _unchanged(name, found, input_size, classes, precision)
    if not callable(found):
        raise WrongUse(
            f"{file} has no space {attribute!r}. Define a function {attribute}(input_size, classes, precision) that "
            f"returns a Space there, or name another one: {file}:NAME."
        )
    asked: dict[str, Any] = {"input_size": input_size, "classes": classes}
    given = {key: value for key, value in asked.items() if value is not None} | {"precision": precision}
    made = _called(name, found, given)
    if not isinstance(made, Space):
        raise WrongUse(f"{name} must return a Space; got {type(made).__name__}.")
    takes = inspect.signature(found).parameters
    for key, value in asked.items():
        # A result file asks for what its space has: that is no wish for another.
        if value is not None and key not in takes and getattr(made, key) != value:
            raise WrongUse(f"{name} has no {key} to set; leave out {_OPTIONS[key]}, or let it take {key}.")
    return made


def _unchanged(
    name: str, space: Space, input_size: tuple[int, int] | None, classes: int | None, precision: str
) -> Space:
    """A space that is there already, which has one size."""
    own = (space.input_size, space.classes, space.workloads()[0].precision)
    asked = (input_size or own[0], own[1] if classes is None else classes, precision)
    if asked != own:
        raise WrongUse(
            f"{name} is made for an input of {own[0][0]}x{own[0][1]}, {own[1]} classes and {own[2]}; got {asked}. "
            "Make it a function of input_size, classes and precision to open it for others."
        )
    return space


def _called(name: str, function: Callable[..., Any], given: dict[str, Any]) -> Any:
    takes = inspect.signature(function).parameters
    needed = {key for key, value in takes.items() if value.default is value.empty}
    if set(takes) - set(_OPTIONS) or (given["precision"] != _DEFAULT_PRECISION and "precision" not in takes):
        raise WrongUse(f"{name} must take input_size, classes and precision; it takes {', '.join(takes) or 'nothing'}.")
    for key in needed:
        if key not in given:
            raise WrongUse(f"{name} has no default for {key}; give {_OPTIONS[key]}.")
    return function(**{key: value for key, value in given.items() if key in takes})
