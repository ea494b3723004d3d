"""The README is true: every command in it is run here, in its order, in a fresh clone, as a new user would.

`make demo` is run for real, with the environment that runs the tests in place of a new one, and with the short recipe
of the README in place of its own, which trains for minutes more and in no other way. `make test` is what runs this very
test, so only its recipe is looked at.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_README = (_ROOT / "README.md").read_text()
_BLOCKS = re.findall(r"^```(sh|toml)\n(.*?)^```$", _README, flags=re.MULTILINE | re.DOTALL)
(_RECIPE,) = (text for kind, text in _BLOCKS if kind == "toml")
_RECIPE_FILE = _RECIPE.splitlines()[0].removeprefix("# ")
_COMMANDS = [line for kind, text in _BLOCKS if kind == "sh" for line in text.splitlines() if line.strip()]
_MOST_S = 900


def _copy_of_the_source(folder: Path) -> Path:
    """What git would clone of the working tree: tracked files, and new ones that are not ignored."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=_ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        if (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, folder / name)
    return folder


@pytest.mark.slow
def test_every_command_of_the_readme_runs_in_its_order(tmp_path: Path) -> None:
    clone = _copy_of_the_source(tmp_path / "clone")
    scripts = Path(sys.prefix) / "bin"
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(clone)}
    (clone / _RECIPE_FILE).write_text(_RECIPE)
    for line in _COMMANDS:
        _run(line, clone, environment)
    assert "<svg" in (clone / "runs/demo/report.html").read_text()
    assert (clone / "runs/compare/report.html").exists()


def _run(line: str, folder: Path, environment: dict[str, str]) -> None:
    words = shlex.split(line)
    if words[:2] == ["make", "test"]:
        words = ["make", "--dry-run", "test", f"VENV={sys.prefix}"]
    elif words[0] == "make":
        # Made of the same files, so it is up to date whatever the clone's time stamps say.
        words += [
            f"VENV={sys.prefix}",
            "--assume-old",
            f"{sys.prefix}/.installed",
            "--assume-old",
            f"{sys.prefix}/.installed_checks",
        ]
    if words[:2] == ["make", "demo"]:
        words.append(f"ARGS=--config {_RECIPE_FILE}")
    if "squeezenas-small" in words and "--rounds" in words:
        words += ["--rounds", "1"]  # The last one counts. More rounds take minutes, and are made for the demo.
    ended = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=_MOST_S, check=False
    )
    # Whether times can be trusted, or limits are met, may be answered with no: this machine is busy with tests.
    asks = (["paceline", "doctor"], ["paceline", "table", "check"], ["paceline", "export"])
    good = {0, 1} if any(words[: len(question)] == question for question in asks) else {0}
    assert ended.returncode in good, f"$ {line}\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"


def test_the_readme_names_the_two_commands_first() -> None:
    assert _COMMANDS[:2] == ["make demo", "make test"]


def test_every_figure_of_the_readme_names_a_script_that_is_there() -> None:
    scripts = re.findall(r"`(benchmarks/\w+\.py)`", _README)
    assert scripts
    assert all((_ROOT / script).exists() for script in scripts)


def test_every_link_into_the_repository_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", _README) if "://" not in link]
    assert links
    assert all((_ROOT / link).exists() for link in links)
