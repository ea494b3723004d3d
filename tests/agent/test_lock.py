"""One run at a time on a device, across users, and after any end."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.lock import DeviceLock, lock_file
from agent.work_folder import FolderError
from tests.agent.running_agent import waits_until

HOLDER = {"user": "nvidia", "run": "run-1", "pid": 1234, "from": "10.0.0.7"}
OTHER = {"user": "ubuntu", "run": "run-2", "pid": 4321, "from": "10.0.0.8"}

FIRST_USER, SECOND_USER = 65534, 65533

ROOT = Path(__file__).resolve().parents[2]

TAKE = """
import os, sys
from pathlib import Path
from agent.lock import DeviceLock
if sys.argv[2:]:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))  # Here, because another user may not be allowed to run this very Python.
lock = DeviceLock(Path(sys.argv[1]))
print(lock.take({"user": "other", "run": "r", "pid": 1, "from": "afar"}, 0.0), flush=True)
input()
lock.release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.lock"


@contextmanager
def taken(path: Path, user: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes the lock, of another user where one is named."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, str(path), *([] if user is None else [str(user)])],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.communicate("\n")  # Which does not mind that a test has killed it.


def test_the_first_has_it_and_the_second_is_told_who(path: Path) -> None:
    first, second = DeviceLock(path), DeviceLock(path)
    assert first.take(HOLDER, 0.0) == ""
    words = second.take(OTHER, 0.0)
    assert re.fullmatch(r"nvidia has it for \d+ s: run run-1, process 1234, from 10\.0\.0\.7", words)
    first.release()
    assert second.take(OTHER, 0.0) == ""
    second.release()
    assert not path.exists()


def test_one_that_waits_gets_it(path: Path) -> None:
    first, second = DeviceLock(path), DeviceLock(path)
    first.take(HOLDER, 0.0)
    asked = 0

    def release_meanwhile() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            first.release()
        return False

    assert second.take(OTHER, 60.0, release_meanwhile) == ""
    second.release()


def test_one_that_gives_up_waits_no_longer(path: Path) -> None:
    first = DeviceLock(path)
    first.take(HOLDER, 0.0)
    assert "nvidia" in DeviceLock(path).take(OTHER, 1e9, lambda: True)
    first.release()


def test_it_ends_with_the_process_that_has_it(path: Path) -> None:
    with taken(path) as process:
        assert "other has it" in DeviceLock(path).take(HOLDER, 0.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        lock = DeviceLock(path)
        assert lock.take(HOLDER, 0.0) == ""
        lock.release()


def test_a_file_that_was_left_is_tidied_and_one_that_is_held_is_not(path: Path) -> None:
    DeviceLock(path).tidy()
    with taken(path) as process:
        DeviceLock(path).tidy()
        assert path.exists()
        process.kill()
        process.wait()
        DeviceLock(path).tidy()
        assert not path.exists()


def test_the_file_is_for_all_users_whatever_the_mask_is(path: Path) -> None:
    mask = os.umask(0o077)
    try:
        lock = DeviceLock(path)
        lock.take(HOLDER, 0.0)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        lock.release()
    finally:
        assert os.umask(mask) == 0o077


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_users_share_it_in_a_folder_where_each_removes_only_what_is_their_own() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "device.lock"
        path.parent.chmod(0o1777)
        with taken(path, FIRST_USER) as process:
            assert "other has it" in DeviceLock(path).take(HOLDER, 0.0)
            process.kill()
        assert path.stat().st_uid == FIRST_USER
        # fs.protected_regular refuses even root to open another user's file with O_CREAT here.
        with taken(path, SECOND_USER):
            assert "other has it" in DeviceLock(path).take(HOLDER, 0.0)
        assert path.stat().st_uid == FIRST_USER
        with taken(path, FIRST_USER):
            pass
        assert not path.exists()


def test_a_link_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(FolderError, match=r"device\.lock"):
        DeviceLock(path).take(HOLDER, 0.0)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(path: Path, make: type) -> None:
    make(path)
    with pytest.raises(FolderError, match=r"device\.lock"):
        DeviceLock(path).take(HOLDER, 0.0)
    DeviceLock(path).tidy()


def test_a_file_that_is_removed_while_one_waits_is_not_taken_for_the_lock(path: Path) -> None:
    first, second, third = DeviceLock(path), DeviceLock(path), DeviceLock(path)
    first.take(HOLDER, 0.0)
    first.release()
    second.take(HOLDER, 0.0)
    assert third.take(OTHER, 0.0) != ""
    second.release()
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    ["", "no JSON", "[1]", '"words"', json.dumps({"since_s": "yesterday"}), json.dumps({"since_s": 1e12}), "\x00" * 9],
)
def test_whatever_the_file_says_somebody_has_it(path: Path, content: str) -> None:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        assert DeviceLock(path).take(HOLDER, 0.0) == "unknown has it: run unknown, process unknown, from unknown"


def test_what_others_wrote_cannot_move_the_cursor_or_fill_the_screen(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.lock.time", SimpleNamespace(monotonic=lambda: 1e4, sleep=time.sleep))
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({**HOLDER, "user": "\x1b[2Jmallory\n", "run": "x" * 3000, "since_s": 1e4 - 600}, file)
        file.flush()
        words = DeviceLock(path).take(OTHER, 0.0)
    assert words == f"[2Jmallory has it for 10 min: run {'x' * 80}, process 1234, from 10.0.0.7"


def test_without_a_folder_of_its_own_a_run_looks_where_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/home/user/tmp")
    assert lock_file(None).parent == Path("/tmp")  # noqa: S108 - nothing is written there
    assert lock_file("/data").parent == Path("/data")


def test_two_that_come_at_once_never_both_have_it(path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from agent.lock import DeviceLock\n"
        "for _ in range(100):\n"
        "    lock = DeviceLock(Path(sys.argv[1]))\n"
        "    if not lock.take({}, 0.0):\n"
        "        Path(sys.argv[2]).mkdir(); Path(sys.argv[2]).rmdir(); lock.release()\n"
    )
    command = [sys.executable, "-c", code, str(path), str(path.with_name("inside"))]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert waits_until(lambda: not path.exists())
