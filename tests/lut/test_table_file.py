"""The file of a table: whatever happens to it, no row is lost and none is written twice."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices import WrongUse
from lut import Table, appending, key_of, repair
from tests.contracts.examples import (
    BLOCKS,
    failure,
    measurement,
)
from tests.lut.written_tables import DAMAGES, counts, damaged, three_rows, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def test_the_writers_own_table_holds_the_same_as_the_file(path: Path) -> None:
    write(path, measurement(BLOCKS[0]))
    with appending(path) as writer:
        writer.append(failure(BLOCKS[1]))
        assert dict(writer.table) == dict(Table.read(path))
        assert len(writer.table) == 2


def test_a_row_is_in_the_file_before_the_next_is_begun(path: Path) -> None:
    with appending(path) as writer:
        for count, workload in enumerate(BLOCKS, 1):
            writer.append(measurement(workload))
            assert len(Table.read(path)) == count


def test_appending_makes_file_and_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "table.jsonl"
    write(path, measurement())
    assert len(Table.read(path)) == 1


def test_earlier_rows_keep_their_bytes(path: Path) -> None:
    before = write(path, measurement(BLOCKS[0]), failure(BLOCKS[1]))
    assert write(path, measurement(BLOCKS[2])).startswith(before)


def test_a_line_torn_at_any_byte_is_left_out_when_read_and_cut_off_when_appended_to(path: Path) -> None:
    first, second, last = three_rows(path)
    for length in range(1, len(last) - 1):
        path.write_bytes(first + second + last[:length])
        assert len(Table.read(path)) == 2
        assert path.stat().st_size == len(first + second) + length  # reading changes nothing
        with appending(path) as writer:
            assert len(writer.table) == 2
        assert path.read_bytes() == first + second


def test_a_row_follows_a_torn_one_on_a_line_of_its_own(path: Path) -> None:
    first, second, last = three_rows(path)
    for length in (1, len(last) // 2, len(last) - 2):
        path.write_bytes(first + second + last[:length])
        assert write(path, measurement(BLOCKS[2])) == first + second + last


def test_a_whole_last_line_that_lacks_its_end_is_kept(path: Path) -> None:
    first, second, last = three_rows(path)
    path.write_bytes(first + second + last[:-1])
    assert len(Table.read(path)) == 3
    assert write(path, measurement(BLOCKS[3])).startswith(first + second + last)
    assert len(Table.read(path)) == 4


def test_a_file_of_one_torn_line_is_an_empty_table(path: Path) -> None:
    first = three_rows(path)[0]
    path.write_bytes(first[:20])
    assert len(Table.read(path)) == 0
    assert write(path, measurement(BLOCKS[0])) == first


@pytest.mark.parametrize("line", DAMAGES.values(), ids=DAMAGES)
def test_repair_keeps_good_rows_to_the_byte_and_moves_the_others(path: Path, line: bytes) -> None:
    first, second, last = three_rows(path)
    older = damaged(first, schema=0)
    path.write_bytes(first + line + second + older + last)
    path.chmod(0o640)
    assert repair(path) == (3, 2)
    assert path.read_bytes() == first + second + last
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.with_name("table.jsonl.rejected").read_bytes() == line + older
    assert sorted(file.name for file in path.parent.iterdir()) == ["table.jsonl", "table.jsonl.rejected"]


@pytest.mark.parametrize("end", [b"\n", b""], ids=["whole", "last and without an end"])
def test_a_row_of_a_newer_schema_is_neither_moved_nor_cut_off(path: Path, end: bytes) -> None:
    first, second, _ = three_rows(path)
    path.write_bytes(first + second + damaged(first, schema=5).rstrip() + end)
    before = path.read_bytes()
    for act in (Table.read, repair, lambda path: write(path, measurement(BLOCKS[3]))):
        with pytest.raises(WrongUse, match="line 3 was written by a newer paceline"):
            act(path)
        assert path.read_bytes() == before


def test_repairing_twice_changes_nothing_more(path: Path) -> None:
    first, second, last = three_rows(path)
    path.write_bytes(first + b"x\n" + second + last)
    repair(path)
    files = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert repair(path) == (3, 0)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == files


def test_a_good_table_is_left_alone_by_repair(path: Path) -> None:
    rows = three_rows(path)
    assert repair(path) == (3, 0)
    assert path.read_bytes() == b"".join(rows)
    assert list(path.parent.iterdir()) == [path]


def test_what_later_repairs_reject_is_added(path: Path) -> None:
    first, second, _ = three_rows(path)
    for line in (b"x\n", b"y\n"):
        path.write_bytes(first + line + second)
        repair(path)
    assert path.with_name("table.jsonl.rejected").read_bytes() == b"x\ny\n"


def test_a_repaired_table_can_be_appended_to(path: Path) -> None:
    first, second, last = three_rows(path)
    path.write_bytes(first + b"x\n" + second + last[:9])
    assert repair(path) == (2, 1)
    assert write(path, measurement(BLOCKS[2])) == first + second + last


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    code = "import sys, lut; from pathlib import Path\nwith lut.appending(Path(sys.argv[1])): print(1); input()"
    command = [sys.executable, "-u", "-c", code, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"1\n"
            yield
        finally:
            other.kill()


def test_a_second_writer_is_refused_until_the_first_is_gone(path: Path) -> None:
    before = write(path, measurement(BLOCKS[0]))
    with locked_by_another_process(path):
        with pytest.raises(WrongUse, match="Another process is writing"), appending(path):
            pass
        with pytest.raises(WrongUse, match="Another process is writing"):
            repair(path)
        assert len(Table.read(path)) == 1  # reading is free
        assert path.read_bytes() == before
    assert write(path, measurement(BLOCKS[1])).startswith(before)


def test_the_lock_is_released_after_an_error(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), appending(path):
        raise ZeroDivisionError
    write(path, measurement())


def test_a_file_that_is_replaced_while_it_is_opened_is_not_appended_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_rows(path)
    lock = fcntl.flock

    def repaired_meanwhile(descriptor: int, operation: int) -> None:
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").replace(path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", repaired_meanwhile)
    with pytest.raises(WrongUse, match="replaced while it was being opened"), appending(path):
        pass


def test_a_file_that_cannot_be_made_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "table.jsonl", tmp_path):
        with pytest.raises(WrongUse, match=r"cannot be written .* Choose another file with --out"), appending(path):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WrongUse, match="Permission denied"), appending(tmp_path / "table.jsonl"):
        pass


FULL_DISK = """
import resource, sys
from pathlib import Path
from lut import appending
from tests.contracts.examples import BLOCKS, measurement
path, room = Path(sys.argv[1]), int(sys.argv[2])
with appending(path) as writer:
    writer.append(measurement(BLOCKS[0]))
    before = path.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, hard))
    try:
        writer.append(measurement(BLOCKS[1]))
    except OSError as error:
        print(error)
    assert path.read_bytes() == before
    assert len(writer.table) == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    writer.append(measurement(BLOCKS[2]))
"""


@pytest.mark.parametrize(("room", "words"), [(0, "File too large"), (50, "the disk is full")])
def test_a_row_that_finds_no_room_leaves_the_file_as_it_was(path: Path, room: int, words: str) -> None:
    # A limit on the size of files ends a write early, as a full disk does.
    command = [sys.executable, "-c", FULL_DISK, str(path), str(room)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
    assert set(Table.read(path)) == {key_of(measurement(workload)) for workload in (BLOCKS[0], BLOCKS[2])}


def test_a_disk_that_fails_to_sync_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write(path, measurement(BLOCKS[0]))

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with appending(path) as writer:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output error"):
            writer.append(measurement(BLOCKS[1]))
        assert list(writer.table) == [key_of(measurement(BLOCKS[0]))]
    assert path.read_bytes() == before


ADDS_WITHOUT_END = """
import sys
from itertools import count
from pathlib import Path
from lut import appending
from tests.contracts.examples import BLOCKS, measurement
with appending(Path(sys.argv[1])) as writer:
    for number in count():
        writer.append(measurement(BLOCKS[number % 4]), adds=True)
        print(number, flush=True)
"""


def test_a_writer_that_is_killed_loses_no_burst_that_it_said_was_written(path: Path) -> None:
    said = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", ADDS_WITHOUT_END, path], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            heard = [writer.stdout.readline() for _ in range(5)]
            writer.kill()
            said += len([*heard, *writer.stdout.readlines()])
        written = sum(counts(path).values())
        assert said <= written
        said = written  # One may have been written that was not said.
    write(path, measurement(BLOCKS[0]))
    assert all(json.loads(line)["schema"] == 4 for line in path.read_bytes().splitlines())
