"""The work folder of a run: who may have it, and who removes it."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.work_folder import FolderError, adopt, discard, folder_errors, is_last


@contextmanager
def adopted(base: Path, run: str) -> Iterator[tuple[Path, int]]:
    folder, handle = adopt(base, run)
    try:
        yield folder, handle
    finally:
        os.close(handle)


def test_a_folder_is_made_and_leaves_nothing_when_it_is_removed(tmp_path: Path) -> None:
    with adopted(tmp_path, "a") as (folder, handle):
        assert folder.parent.parent == tmp_path
        (folder / "models").mkdir()
        (folder / "models" / "one").write_text("1")
        assert discard(folder, handle)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_comes_back_finds_what_it_left(tmp_path: Path) -> None:
    with adopted(tmp_path, "a") as (folder, _):
        (folder / "model").write_text("1")
        with adopted(tmp_path, "a") as (again, _):
            assert (again / "model").read_text() == "1"


def test_what_nobody_holds_is_removed_by_the_next_run(tmp_path: Path) -> None:
    with adopted(tmp_path, "held") as (held, _):
        with adopted(tmp_path, "left"):
            pass
        (held.parent / "never finished").mkdir()
        (held.parent / "a file").write_text("")
        with adopted(tmp_path, "next"):
            assert sorted(path.name for path in held.parent.iterdir()) == ["held", "lock", "next"]


def test_a_folder_that_another_one_needs_stays_until_that_one_lets_go(tmp_path: Path) -> None:
    with adopted(tmp_path, "a") as (folder, handle), adopted(tmp_path, "a"):
        assert not is_last(handle)
        assert not discard(folder, handle)
        assert folder.exists()
    with adopted(tmp_path, "a") as (folder, handle):
        assert discard(folder, handle)
    assert list(tmp_path.iterdir()) == []


def test_the_last_one_keeps_it_while_it_asks(tmp_path: Path) -> None:
    with adopted(tmp_path, "a") as (folder, handle):
        assert is_last(handle)
        with adopted(tmp_path, "b"):
            assert folder.exists()


def test_nobody_is_the_last_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    with adopted(tmp_path, "a") as (folder, handle):
        discard(folder)
        assert not is_last(handle)


def test_a_folder_that_is_gone_is_gone_without_a_lock_being_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with adopted(tmp_path, "a") as (folder, handle):
        discard(folder)
        monkeypatch.setattr("agent.work_folder._alone", lambda base: pytest.fail("a lock is made"))
        assert discard(folder, handle)


def test_of_many_that_come_and_go_at_once_each_has_its_folder_and_nothing_is_left(tmp_path: Path) -> None:
    wrong: list[str] = []

    def come_and_go(name: str) -> None:
        for number in range(30):
            with adopted(tmp_path, f"{name}{number}") as (folder, handle):
                if not (folder / "agent").exists():
                    wrong.append(name)
                discard(folder, handle)

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_while_one_waited_for_it_is_not_taken_for_one(tmp_path: Path) -> None:
    with adopted(tmp_path, "a") as (folder, _):
        lock = folder.parent / "lock"
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            done = threading.Event()

            def come() -> None:
                with adopted(tmp_path, "b"):
                    done.set()

            thread = threading.Thread(target=come)
            thread.start()
            assert not done.wait(0.05)
            lock.unlink()
        thread.join()
        assert done.is_set()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, "disk full"), (errno.EDQUOT, "disk full"), (errno.EACCES, "folder")]
)
def test_errors_of_the_system_say_what_kind_they_are(number: int, kind: str) -> None:
    with pytest.raises(FolderError, match="/some/where: ") as raised, folder_errors(Path("/some/where")):
        raise OSError(number, os.strerror(number))
    assert raised.value.kind == kind
