"""What goes to a device before it is asked anything."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from latency.remote import bundle as bundle_module
from latency.remote.bundle import AGENT, agent_bundle, bootstrap_line, bundle_of
from tests.agent.old_pythons import run_alone


def names(bundle: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return set(archive.namelist())


def test_all_of_the_agent_goes_and_nothing_else() -> None:
    wanted = {f"agent/{path.relative_to(AGENT).as_posix()}" for path in AGENT.rglob("*.py")}
    assert names(agent_bundle()) - {"pynvml.py"} == wanted
    assert "agent/runtimes/trtexec.py" in wanted


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.cpython-311.pyc").write_bytes(b"compiled")
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("VALUE = 1\n")
    first = bundle_of(tmp_path, [])
    (tmp_path / "one.py").touch()
    assert bundle_of(tmp_path, []) == first
    assert names(first) == {"agent/one.py", "agent/two.py"}


@pytest.mark.parametrize(("file", "goes"), [("pynvml.py", True), ("pynvml/__init__.py", False)])
def test_bindings_of_the_driver_go_along_where_they_are_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, goes: bool
) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("VERSION = 1\n")
    monkeypatch.setattr(bundle_module, "find_spec", lambda name: SimpleNamespace(origin=str(path)))
    assert ("pynvml.py" in names(agent_bundle.__wrapped__())) is goes


def test_a_machine_without_bindings_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "find_spec", lambda name: None)
    assert "pynvml.py" not in names(agent_bundle.__wrapped__())


def test_a_bundle_runs_where_there_is_nothing_else(tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(agent_bundle())).extractall(tmp_path)
    done = run_alone(Path(sys.executable), tmp_path, "import agent.server, agent.worker, agent.inventory")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_bootstrap_is_a_literal_of_one_line_that_says_no_to_python_2_first() -> None:
    program = ast.literal_eval(bootstrap_line().decode())
    assert program.index("(3, 6)") < program.index("exec(")
    assert bootstrap_line().endswith(b"\n")
    ast.parse(program)


def test_the_bootstrap_takes_no_module_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "zipfile.py").write_text("raise SystemExit('not this one')\n")
    line = "import io; exec(eval(io.FileIO(0, closefd=False).readline()))"
    done = subprocess.run(
        [sys.executable, "-c", line], input=bootstrap_line(), cwd=tmp_path, capture_output=True, check=False
    )
    assert b"not this one" not in done.stderr
