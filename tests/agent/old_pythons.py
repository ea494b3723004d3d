"""Pythons as devices have them: where this machine keeps 3.6 and 3.8, and how to run them with the agent alone.

Tests elsewhere that need one import this file; those of this folder use the fixtures of conftest.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

AGENT = Path(__file__).resolve().parents[2] / "agent"

OLD_VERSIONS = ("3.6", "3.8")
"""The oldest that the agent is written for (JetPack 4), and the one of a Xavier (JetPack 5)."""


@cache
def find_python(version: str) -> Path | None:
    """An interpreter of that version (``3.6``): one of pyenv's, or of the PATH; None where there is none."""
    return next((path for path in _candidates(version) if _version_of(path) == version), None)


def _candidates(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    # What lies on the PATH may be pyenv's stand-in for a version that is not chosen: it is there, and does not run.
    yield from map(Path, filter(None, [shutil.which(f"python{version}")]))


def _version_of(python: Path) -> str:
    code = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout


def copy_agent(folder: Path) -> Path:
    """Copy the agent into a folder, which is all that a device gets; returns the folder."""
    shutil.copytree(AGENT, folder / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run_alone(python: Path, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an empty environment, with the standard library and what lies in ``folder``, and no more.

    A warning is an error there, too.
    """
    command = [
        python,
        "-I",
        "-S",
        "-B",
        "-W",
        "error",
        "-c",
        f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}",
    ]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
