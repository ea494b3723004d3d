"""Processes by their marks and their names."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.processes import MARK, ProcessName, kill, kill_marked, mark, process_name
from tests.agent.living_processes import ends, lives
from tests.sshd import wait_until

EXIT = {"x86_64": 60, "aarch64": 93}
"""The system call that ends the thread that makes it, and not its process."""

FOLDER = Path("/somewhere/run-1")
FIRST, SECOND = ProcessName(12, 34), ProcessName(12, 345)


@contextmanager
def sleeping(marked: str) -> Iterator[int]:
    """A shell and its child in a session of its own, with a mark; the number of the shell."""
    line = "setsid sleep 1000 & echo; wait"
    with subprocess.Popen(["sh", "-c", line], env={**os.environ, MARK: marked}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            kill_marked(marked)


def test_all_that_have_the_mark_are_killed_in_whatever_session_they_are() -> None:
    marked = mark(Path(f"/somewhere/{os.getpid()}"))
    with sleeping(marked) as pid:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == 1
        kill_marked(marked)
        assert ends(pid)
        assert ends(int(children[0]))


def test_those_of_another_agent_or_folder_live_on() -> None:
    own = Path(f"/somewhere/{os.getpid()}")
    with sleeping(mark(own, SECOND)) as pid:
        kill_marked(mark(own, FIRST))
        kill_marked(mark(Path(f"{own}1")))
        kill_marked(mark(own.parent))
        assert lives(pid)
        kill_marked(mark(own))
        assert ends(pid)


def test_marks_of_agents_are_not_beginnings_of_each_other() -> None:
    assert not mark(FOLDER, SECOND).startswith(mark(FOLDER, FIRST))
    assert mark(FOLDER, SECOND).startswith(mark(FOLDER))


def test_a_process_has_one_name_for_life() -> None:
    own = process_name(os.getpid())
    assert own is not None
    assert own == process_name(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        other = process_name(child.pid)
        assert other is not None
        assert other.started >= own.started
        assert child.stdin is not None
        child.stdin.close()
    assert process_name(child.pid) is None


def test_a_name_survives_any_program_name(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "1000"]) as process:
        name = process_name(process.pid)
        assert name is not None
        assert name.started > 1000
        kill(name)


def test_one_that_ended_unnoticed_has_no_name() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_name(process.pid) is None


@pytest.mark.skipif(platform.machine() not in EXIT, reason="the number of the call that ends one thread is not known")
def test_one_whose_first_thread_has_ended_lives_until_all_have() -> None:
    end = f"ctypes.CDLL(None).syscall({EXIT.get(platform.machine())}, 0)"
    code = f"import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); {end}"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            wait_until(lambda: ") Z" in Path(f"/proc/{process.pid}/stat").read_text(), "the end of its first thread")
            name = process_name(process.pid)
            assert name is not None
            assert lives(process.pid)
            kill(name)
            assert ends(process.pid)
            assert process_name(process.pid) is None
        finally:
            process.kill()


def test_another_process_of_the_same_number_is_not_killed() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        name = process_name(process.pid)
        assert name is not None
        kill(name._replace(started=name.started - 1))
        assert lives(process.pid)
        kill(name)
        assert ends(process.pid)
