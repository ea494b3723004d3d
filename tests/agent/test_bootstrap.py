"""What runs first on a device: any Python, any shell, any state of the folder for temporary files."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agent.protocol import COMMAND
from latency.remote.bundle import bootstrap_line
from tests.agent.old_pythons import find_python
from tests.agent.running_agent import FakeDevice, RunningAgent, waits_until

OTHER_USER = 65534

SHELLS = ["sh", "bash", "zsh", "fish", "tcsh"]


def test_the_command_line_has_nothing_that_a_shell_could_spoil() -> None:
    assert not set(COMMAND) & set("'\"\\$`!\n\t*?[]{}<>|&#~")


def test_the_program_is_one_line_of_ascii() -> None:
    assert bootstrap_line().isascii()
    assert bootstrap_line().count(b"\n") == 1


def test_an_old_python_becomes_the_agent(device: FakeDevice, bundle: bytes, old_python: Path) -> None:
    device.interpreter = old_python
    device.write_python()
    with RunningAgent(device, bundle) as agent:
        hello = agent.greet()
        assert hello["pid"] == agent.pid
        assert old_python.name == f"python{hello['python'].rpartition('.')[0]}"
        assert hello["folder"] == str(device.base / f"paceline-{os.getuid()}" / "run-1")
        assert agent.ask("bye") == {"bye": True}
        assert agent.wait() == 0
        assert agent.last_words() == ""
    assert device.is_clean()


@pytest.mark.parametrize("shell", SHELLS)
def test_it_starts_through_a_shell(device: FakeDevice, bundle: bytes, shell: str) -> None:
    if subprocess.run(["which", shell], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {shell} here")
    line = shlex.join([device.python, "-c", COMMAND])
    with RunningAgent(device, bundle, command=[shell, "-c", f"{line} # "]) as agent:
        agent.greet()
        assert agent.ask("bye") == {"bye": True}


def test_python_2_is_refused_in_words(device: FakeDevice, bundle: bytes) -> None:
    python = find_python("2.7")
    if python is None:
        pytest.skip("there is no Python 2.7 in pyenv's folder or on the PATH")
    device.interpreter = python
    device.write_python()
    with RunningAgent(device, bundle) as agent:
        refused = agent.next_line()["refused"]
    assert refused["kind"] == "python"
    assert "3.6 or later, and this one is 2.7" in refused["words"]
    assert device.is_clean()


def test_modules_in_the_current_folder_do_not_stand_in_for_those_of_python(device: FakeDevice, bundle: bytes) -> None:
    for name in ("json", "zipfile", "select", "subprocess"):
        (device.folder / f"{name}.py").write_text("raise SystemExit('this is not the module')\n")
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert agent.ask("bye") == {"bye": True}


def test_it_works_where_python_takes_no_module_from_the_current_folder(device: FakeDevice, bundle: bytes) -> None:
    device.interpreter = Path(sys.executable)
    device.variables = {"PYTHONSAFEPATH": "1"}
    device.write_python()
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert "opened" in agent.open()
        agent.ask("bye")


def test_a_folder_may_have_any_letters(device: FakeDevice, bundle: bytes) -> None:
    base = device.base / "größe 漢字 'quoted'"
    base.mkdir()
    with RunningAgent(device, bundle, base=str(base)) as agent:
        agent.greet()
        assert "opened" in agent.open()
        assert agent.ask("bye") == {"bye": True}
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("run", ["", "..", "a/b", ".hidden", "x" * 65, "a\n"])
def test_a_run_that_is_no_name_is_refused(device: FakeDevice, bundle: bytes, run: str) -> None:
    with RunningAgent(device, bundle, run) as agent:
        assert agent.next_line()["refused"]["kind"] == "folder"
    assert device.is_clean()


def test_a_folder_that_is_not_there_is_refused(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, base=str(device.base / "nowhere")) as agent:
        refused = agent.next_line()["refused"]
    assert refused["kind"] == "folder"
    assert "nowhere" in refused["words"]


def test_a_link_in_place_of_the_work_folder_is_refused(device: FakeDevice, bundle: bytes, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (device.base / f"paceline-{os.getuid()}").symlink_to(target)
    with RunningAgent(device, bundle) as agent:
        assert "is a link" in agent.next_line()["refused"]["words"]
    assert list(target.iterdir()) == []


def test_another_users_folder_in_place_of_the_work_folder_is_refused(device: FakeDevice, bundle: bytes) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make another user's folder")
    folder = device.base / f"paceline-{os.getuid()}"
    folder.mkdir()
    os.chown(folder, OTHER_USER, OTHER_USER)
    with RunningAgent(device, bundle) as agent:
        assert "belongs to another user" in agent.next_line()["refused"]["words"]


def test_nobody_else_can_look_into_the_work_folder(device: FakeDevice, bundle: bytes) -> None:
    above = device.base / f"paceline-{os.getuid()}"
    above.mkdir(mode=0o777)
    above.chmod(0o777)
    with RunningAgent(device, bundle) as agent:
        folder = Path(agent.greet()["folder"])
        assert [path.stat().st_mode & 0o777 for path in (above, folder)] == [0o700, 0o700]
        agent.ask("bye")


@pytest.mark.parametrize("most_bytes", [0, 3000, 20000])
def test_a_connection_that_is_cut_before_it_begins_leaves_nothing(
    device: FakeDevice, bundle: bytes, most_bytes: int
) -> None:
    header = {"protocol": 1, "run": "run-1", "bundle": len(bundle), "base": str(device.base), "grace_s": 60}
    told = bootstrap_line() + json.dumps(header | {"wait_s": 0}).encode() + b"\n" + bundle
    with subprocess.Popen(
        [device.python, "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.communicate(told[:most_bytes])
    assert waits_until(device.is_clean)


def test_the_bundle_is_not_unpacked_twice(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        folder = Path(agent.greet()["folder"])
        (unpacked,) = folder.glob("code-*")
        written = (unpacked / "agent" / "server.py").stat()
        agent.kill()
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert [path.name for path in folder.glob("code-*")] == [unpacked.name]
        assert (unpacked / "agent" / "server.py").stat().st_ino == written.st_ino
        agent.ask("bye")
    assert waits_until(device.is_clean)
