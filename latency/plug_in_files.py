"""Python files of the user that register operators, loaded here and in every process that measures.

Such a file calls ``OPERATORS.add`` for each operator of its own. A process that measures loads the files that the one
which started it has loaded, so that both know the same operators without anything being installed.
"""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from devices import WrongUse

_LOADED: dict[Path, ModuleType] = {}
"""The one list of this process, in the order in which files were loaded."""

RAISED_BY_CODE = (
    ImportError,
    AttributeError,
    RuntimeError,
    OSError,
    TypeError,
    ValueError,
    NameError,
    LookupError,
    ArithmeticError,
    AssertionError,
)
"""What a user's code raises while it runs when something is wrong with it."""

RAISED_BY_LOADING = (*RAISED_BY_CODE, SyntaxError)
"""What a module of a user or third party raises while it is loaded when something is wrong with it."""


def load_plug_in(path: Path) -> ModuleType:
    """Run a Python file, once in this process however often it is asked for.

    It can import what is installed; the folder that it lies in is not searched for modules.

    Args:
        path: the file.

    Returns:
        The module that it makes.

    Raises:
        WrongUse: there is no such file, it raises an error, or it registers an operator whose name is taken.
    """
    file = path.resolve()
    if file not in _LOADED:
        if not file.is_file():
            raise WrongUse(f"There is no file {path}. Give the path of a Python file, from the current folder.")
        _LOADED[file] = _run(path, file)
    return _LOADED[file]


def loaded_plug_ins() -> tuple[Path, ...]:
    """The files that were loaded in this process, as absolute paths, in order."""
    return tuple(_LOADED)


def _run(path: Path, file: Path) -> ModuleType:
    name = f"plug_in_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise WrongUse(f"{path} is no Python file. Its name must end with .py.")
    module = module_from_spec(spec)
    sys.modules[name] = module  # Where dataclasses and the like look up the module that they are defined in.
    try:
        spec.loader.exec_module(module)
    except RAISED_BY_LOADING as error:
        del sys.modules[name]
        raise WrongUse(
            f"{path} cannot be loaded: {type(error).__name__}: {error}. Mend it; run it to see where."
        ) from error
    return module
