"""The table: what is written is read again, whatever happened to the file in between."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import Device, DeviceState, WrongUse
from latency import Burst, Calibration, Environment, LeaveOneOut, Measurement, Outcome, SamplingPlan, Workload
from lut import Key, Table, appending, key_of, repair
from tests.contracts.examples import (
    BLOCKS,
    DEVICE,
    ENVIRONMENT,
    OTHER_DEVICE,
    RUNTIME,
    block,
    burst,
    failure,
    measurement,
    network,
)

ROOT = Path(__file__).resolve().parents[2]
OTHER = Environment(OTHER_DEVICE, RUNTIME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def write(path: Path, *outcomes: Outcome) -> bytes:
    with appending(path) as writer:
        for outcome in outcomes:
            writer.append(outcome)
    return path.read_bytes()


def three_rows(path: Path) -> list[bytes]:
    write(path, measurement(BLOCKS[0]), failure(BLOCKS[1]), measurement(BLOCKS[2]))
    return path.read_bytes().splitlines(keepends=True)


def damaged(row: bytes, **changes: Any) -> bytes:
    values = json.loads(row) | changes
    return json.dumps({name: value for name, value in values.items() if value is not None}).encode() + b"\n"


def test_rows_are_read_as_they_were_appended(path: Path) -> None:
    outcomes: list[Outcome] = [measurement(BLOCKS[0], 1e-3), failure(BLOCKS[1]), measurement(BLOCKS[2], 0.1 + 0.2)]
    write(path, *outcomes)
    assert dict(Table.read(path)) == {key_of(outcome): outcome for outcome in outcomes}


def test_the_writers_own_table_holds_the_same_as_the_file(path: Path) -> None:
    write(path, measurement(BLOCKS[0]))
    with appending(path) as writer:
        writer.append(failure(BLOCKS[1]))
        assert dict(writer.table) == dict(Table.read(path))
        assert len(writer.table) == 2


def test_a_row_is_one_line_with_schema_and_kind(path: Path) -> None:
    rows = [json.loads(line) for line in write(path, measurement(), failure(BLOCKS[1])).splitlines()]
    assert [(row["schema"], row["kind"]) for row in rows] == [(2, "measurement"), (2, "failure")]


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


def test_a_later_row_of_the_same_key_wins(path: Path) -> None:
    write(path, failure(block()), measurement(block(), 1e-3), measurement(BLOCKS[1]), measurement(block(), 2e-3))
    table = Table.read(path)
    assert len(table) == 2
    assert table[key_of(measurement(block()))] == measurement(block(), 2e-3)
    assert len(path.read_bytes().splitlines()) == 4


def test_an_outcome_is_found_by_workload_and_environment() -> None:
    table = Table([measurement(block()), measurement(block(), 5e-3, OTHER)])
    assert table.outcome(block(), ENVIRONMENT) == measurement(block())
    assert table.outcome(block(), OTHER) == measurement(block(), 5e-3, OTHER)
    assert table.outcome(BLOCKS[1], ENVIRONMENT) is None
    assert table.outcome(block(), Environment(DEVICE, replace(RUNTIME, threads=2))) is None


def test_a_key_holds_the_digests_of_workload_and_environment() -> None:
    assert key_of(failure(block())) == Key(block().digest, ENVIRONMENT.digest)
    assert list(Table([failure(block())])) == [key_of(failure(block()))]


def test_an_outcome_can_be_taken_into_memory_alone(path: Path) -> None:
    write(path, failure(block()))
    table = Table.read(path)
    assert table.add(measurement(block())) == key_of(failure(block()))
    assert dict(table) == {key_of(failure(block())): measurement(block())}
    table.add(measurement(BLOCKS[1], environment=OTHER))
    assert table.environments() == (ENVIRONMENT, OTHER)
    assert dict(Table.read(path)) == {key_of(failure(block())): failure(block())}


def test_a_table_is_of_one_environment() -> None:
    table = Table([measurement(BLOCKS[0]), failure(BLOCKS[1])])
    assert table.environments() == (ENVIRONMENT,)
    assert table.environment() == ENVIRONMENT


def test_a_table_of_two_environments_names_both() -> None:
    table = Table([measurement(), measurement(environment=OTHER)])
    with pytest.raises(WrongUse, match="this one has 2:") as caught:
        table.environment()
    assert "Example 3000" in str(caught.value)
    assert "Example 4000" in str(caught.value)
    assert "profile-device --out" in str(caught.value)


def test_an_empty_table_has_no_environment() -> None:
    with pytest.raises(WrongUse, match="this one has 0"):
        Table().environment()


def test_text_of_every_script_survives(path: Path) -> None:
    device = Device("cpu", "µ-Prozessor 三 \U0001f600 \u2028 \r\n\\", "riscv64")
    workload = Workload("conv", ((1, 1, 1),), {"Größe": "\u2028 \x85 \n"})
    outcome = replace(failure(workload, Environment(device, RUNTIME)), reason="kein »Kern«\r\n")
    write(path, outcome, measurement())
    assert next(iter(Table.read(path).values())) == outcome
    assert len(path.read_bytes().splitlines()) == 2


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


DAMAGES = {
    "no JSON": b"{nonsense}\n",
    "a blank line": b"\n",
    "bytes that are no text": b"\xff\xfe\x00\n",
    "half a row": b'{"schema":1,"kind":"measu\n',
    "no object": b"[1, 2]\n",
    "null": b"null\n",
    "no schema": b'{"kind":"measurement"}\n',
    "a carriage return inside": b"half a row\r" + b'{"schema":\n',
}


@pytest.mark.parametrize("line", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_line_is_refused_with_its_number_and_the_command_that_mends_it(path: Path, line: bytes) -> None:
    first, second, last = three_rows(path)
    path.write_bytes(first + line + second + last)
    with pytest.raises(WrongUse, match="line 2 is no row of a table") as caught:
        Table.read(path)
    assert f"`paceline table repair {path}`" in str(caught.value)
    assert "keeps the 3 good rows" in str(caught.value)
    with pytest.raises(WrongUse, match="line 2"), appending(path):
        pass
    assert path.read_bytes() == first + line + second + last


def test_damage_is_counted(path: Path) -> None:
    first, second, _ = three_rows(path)
    path.write_bytes(first + b"x\n" + second + b"y\n")
    with pytest.raises(WrongUse, match=r"line 2 .*; 2 such line\(s\) in all"):
        Table.read(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 0}, "schema 0, this paceline reads 1"),
        ({"schema": "1"}, "schema 1, this paceline reads 1"),
        ({"kind": "guess"}, "KeyError: 'guess'"),
        ({"kind": None}, "KeyError: 'kind'"),
        ({"bursts": None}, "KeyError: 'bursts'"),
        ({"workload": {"operator": "conv"}}, "KeyError: 'inputs'"),
        ({"plan": {"precision": 7}}, "precision must be between 0 and 1"),
        ({"bursts": []}, "at least one burst"),
        ({"bursts": [7]}, "TypeError"),
        ({"bursts": [burst().to_json() | {"samples_s": []}]}, "got 0 samples"),
        ({"bursts": [burst().to_json() | {"samples_s": [-1.0, 1.0]}]}, "above 0 s"),
        ({"bursts": [burst().to_json() | {"samples_s": ["a"]}]}, "could not convert"),
        ({"bursts": [burst().to_json() | {"calls_per_sample": 0}]}, "at least 1 call"),
        ({"bursts": [burst().to_json() | {"sentinel_s": -1.0}]}, "sentinel -1.0"),
        ({"bursts": [burst().to_json() | {"costs": {"karma": 1.0}}]}, "karma"),
    ],
    ids=str,
)
def test_a_row_this_version_cannot_read_is_refused(path: Path, changes: dict[str, Any], reason: str) -> None:
    first, second, last = three_rows(path)
    path.write_bytes(damaged(first, **changes) + second + last)
    with pytest.raises(WrongUse, match="line 1 is no row") as caught:
        Table.read(path)
    assert reason in str(caught.value)


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
    path.write_bytes(first + second + damaged(first, schema=3).rstrip() + end)
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


def test_a_missing_table_is_refused_with_the_command_that_fills_it(path: Path) -> None:
    with pytest.raises(WrongUse, match=r"cannot be read \(No such file or directory\)") as caught:
        Table.read(path)
    assert f"`profile-device --out {path}`" in str(caught.value)
    with pytest.raises(WrongUse, match="No such file"):
        repair(path)


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


def test_a_number_that_json_does_not_have_is_not_written(path: Path) -> None:
    nan = DeviceState(load_1min=float("nan"))
    broken: Measurement = replace(measurement(), bursts=(burst(before=nan),))
    with appending(path) as writer, pytest.raises(ValueError, match="not JSON compliant"):
        writer.append(broken)
    assert path.read_bytes() == b""


def counts(path: Path) -> dict[Workload, int]:
    """How many bursts each measurement of the file has."""
    return {row.workload: len(row.bursts) for row in Table.read(path).values() if isinstance(row, Measurement)}


def test_rows_that_add_put_their_bursts_on_top_in_memory_and_in_the_file(path: Path) -> None:
    bursts = [
        replace(measurement(), bursts=(burst(time_s),), stopped=name) for time_s, name in ((1.0, "a"), (2.0, "b"))
    ]
    with appending(path) as writer:
        for one in bursts:
            writer.append(one, adds=True)
        inside = dict(writer.table)
    assert inside == dict(Table.read(path))
    (outcome,) = inside.values()
    assert isinstance(outcome, Measurement)
    assert outcome.bursts == (burst(1.0), burst(2.0))
    assert outcome.stopped == "b"
    assert [json.loads(line).get("adds") for line in path.read_bytes().splitlines()] == [True, True]


def test_rows_that_add_do_so_to_their_own_workload_and_environment_alone(path: Path) -> None:
    with appending(path) as writer:
        for one in (measurement(BLOCKS[0]), measurement(BLOCKS[1]), measurement(BLOCKS[0], environment=OTHER)):
            writer.append(one, adds=True)
            writer.append(one, adds=True)
    assert [len(row.bursts) for row in Table.read(path).values() if isinstance(row, Measurement)] == [2, 2, 2]


def test_a_row_that_does_not_add_takes_the_place_of_all_that_did(path: Path) -> None:
    with appending(path) as writer:
        for adds in (True, True, False, True):
            writer.append(measurement(), adds=adds)
    assert counts(path) == {block(): 2}


def test_a_burst_that_adds_to_a_failure_takes_its_place_and_a_failure_that_of_bursts(path: Path) -> None:
    with appending(path) as writer:
        writer.append(failure())
        writer.append(measurement(), adds=True)
        assert counts(path) == {block(): 1}
        writer.append(measurement(), adds=True)
        writer.append(failure(), adds=True)
        assert dict(Table.read(path)) == {key_of(failure()): failure()}
        writer.append(measurement(), adds=True)
    assert counts(path) == {block(): 1}


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
    assert all(json.loads(line)["schema"] == 2 for line in path.read_bytes().splitlines())


def watched(
    *looks: tuple[float, bool], workload: Workload = BLOCKS[0], environment: Environment = ENVIRONMENT
) -> Outcome:
    """A measurement of one burst for each look of the sentinel, disturbed or not."""
    bursts = tuple(burst(1.0, sentinel_s=look_s, disturbed=disturbed) for look_s, disturbed in looks)
    return replace(measurement(workload, environment=environment), bursts=bursts)


def test_the_level_is_the_lower_quartile_of_the_sentinel_beside_all_undisturbed_bursts() -> None:
    table = Table(
        [
            watched((3.0, False), (0.5, True), (9.0, False)),
            watched((1.0, False), (2.0, False), (9.0, False), workload=BLOCKS[1]),
            failure(BLOCKS[2]),
            measurement(BLOCKS[3]),
        ]
    )
    assert table.level_s(ENVIRONMENT.digest, "fp32") == 2.0


def test_the_level_does_not_mind_that_most_processes_knew_no_quiet_moment() -> None:
    unaware = [watched((1.2, False), (1.21, False), workload=workload) for workload in BLOCKS[:3]]
    table = Table([*unaware, watched((1.0, False), (1.0, False), (1.01, False), workload=BLOCKS[3])])
    assert table.level_s(ENVIRONMENT.digest, "fp32") == pytest.approx(1.0, rel=0.02)


def test_the_level_is_the_fastest_look_where_every_burst_was_disturbed() -> None:
    assert Table([watched((3.0, True), (2.0, True))]).level_s(ENVIRONMENT.digest, "fp32") == 2.0


def test_there_is_no_level_where_no_sentinel_ran() -> None:
    assert Table([measurement()]).level_s(ENVIRONMENT.digest, "fp32") is None


def test_each_precision_and_each_environment_has_a_level_of_its_own() -> None:
    half = replace(block(), precision="fp16")
    table = Table(
        [watched((1.0, False)), watched((2.0, False), workload=half), watched((3.0, False), environment=OTHER)]
    )
    levels = [table.level_s(ENVIRONMENT.digest, "fp32"), table.level_s(ENVIRONMENT.digest, "fp16")]
    assert levels == [1.0, 2.0]
    assert table.level_s(OTHER.digest, "fp32") == 3.0
    assert [getattr(row, "level_s", None) for row in table.values()] == [1.0, 2.0, 3.0]


def test_measurements_are_brought_to_the_level_that_later_rows_change() -> None:
    table = Table([watched((3.0, False))])
    key = key_of(watched((3.0, False)))
    before = table[key]
    table.add(watched(*[(1.0, False)] * 9, workload=BLOCKS[1]))
    after = table[key]
    assert isinstance(before, Measurement)
    assert isinstance(after, Measurement)
    assert after.time_s == pytest.approx(before.time_s / 3)


def test_bursts_that_knew_no_better_are_left_out_once_others_saw_a_faster_machine() -> None:
    table = Table([watched((1.3, False), *[(1.01, False)] * 4)])
    key = key_of(watched((1.3, False)))
    row = table[key]
    assert isinstance(row, Measurement)
    assert [taken.sentinel_s for taken in row.usable_bursts] == [1.01] * 4


OLD_PLAN = {
    "warm_up_s": 1.5,
    "sample_s": 0.001,
    "least_samples": 6,
    "least_s": 0.1,
    "most_samples": 1000,
    "precision": 0.01,
    "limit_s": 0.5,
}
OLD_WORKLOAD = {
    "operator": "inverted_residual",
    "inputs": [[8, 8, 8]],
    "attributes": {"channels": 8, "kernel": 3, "stride": 1, "expansion": 3, "groups": 1, "dilation": 1},
    "precision": "fp32",
    "batch": 1,
}
OLD_ENVIRONMENT = {
    "device": {
        "kind": "cpu",
        "name": "Example 3000",
        "architecture": "x86_64",
        "family": None,
        "features": None,
        "cores": 4,
        "memory_bytes": 8589934592,
        "l3_cache_bytes": None,
        "system": None,
    },
    "runtime": {"name": "example", "versions": {"examplert": "1.2"}, "threads": 1, "options": {"mode": "fast"}},
}


def old_row(**changes: Any) -> bytes:
    """A measurement as the first schema had it, to the letter; ``changes`` replace fields."""
    row = {
        "schema": 1,
        "kind": "measurement",
        "workload": OLD_WORKLOAD,
        "environment": OLD_ENVIRONMENT,
        "plan": OLD_PLAN,
        "samples_s": [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007],
        "calls_per_sample": 3,
        "stopped": "precise",
        "before": {"load_1min": 0.5},
        "after": {"load_1min": 0.75, "throttle_count": 0},
        "measured_at": "2024-01-02T03:04:05+00:00",
        "bursts": [],
    }
    return json.dumps(row | changes).encode() + b"\n"


OLD_FAILURE = json.dumps(
    {
        "schema": 1,
        "kind": "failure",
        "workload": OLD_WORKLOAD,
        "environment": OLD_ENVIRONMENT,
        "stage": "load",
        "reason": "not implemented",
        "measured_at": "2024-01-02T03:04:05+00:00",
    }
).encode()


def only_measurement(path: Path) -> Measurement:
    (outcome,) = Table.read(path).values()
    assert isinstance(outcome, Measurement)
    return outcome


def test_a_measurement_of_the_first_schema_is_one_burst(path: Path) -> None:
    path.write_bytes(old_row())
    outcome = only_measurement(path)
    assert key_of(outcome) == key_of(measurement())
    assert outcome.bursts == (
        Burst(
            samples_s=(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007),
            calls_per_sample=3,
            stopped="precise",
            before=DeviceState(load_1min=0.5),
            after=DeviceState(load_1min=0.75, throttle_count=0),
            measured_at="2024-01-02T03:04:05+00:00",
        ),
    )
    assert (outcome.stopped, outcome.discarded, outcome.time_s) == ("precise", 0, 0.0025)


def test_bursts_of_the_first_schema_are_taken_apart_by_their_sizes(path: Path) -> None:
    path.write_bytes(old_row(bursts=[2, 1, 4]))
    outcome = only_measurement(path)
    assert [taken.samples_s for taken in outcome.bursts] == [
        (0.001, 0.002),
        (0.003,),
        (0.004, 0.005, 0.006, 0.007),
    ]
    assert outcome.burst_times_s == pytest.approx((0.00125, 0.003, 0.00475))


def test_a_plan_of_the_first_schema_is_what_was_planned_then(path: Path) -> None:
    path.write_bytes(old_row(bursts=[3, 4]))
    plan = SamplingPlan(**OLD_PLAN, most_warm_up_s=1.5, least_bursts=2, most_bursts=2)  # type: ignore[arg-type]
    assert only_measurement(path).plan == plan  # A warm-up of 1.5 s is longer than one may be by default today.


def test_a_failure_of_the_first_schema_is_read(path: Path) -> None:
    path.write_bytes(OLD_FAILURE + b"\n")
    assert list(Table.read(path).values()) == [failure()]


@pytest.mark.parametrize("sizes", [[1], [99], [0, 7], [3, 3], [8, -1]], ids=str)
def test_bursts_of_the_first_schema_that_do_not_add_up_are_refused(path: Path, sizes: list[int]) -> None:
    path.write_bytes(old_row(bursts=sizes))
    with pytest.raises(WrongUse, match="line 1 is no row"):
        Table.read(path)


def test_a_table_of_the_first_schema_is_added_to_and_keeps_its_bytes(path: Path) -> None:
    path.write_bytes(old_row())
    with appending(path) as writer:
        writer.append(measurement(), adds=True)
    assert path.read_bytes().startswith(old_row())
    assert counts(path) == {block(): 2}


def test_a_row_of_the_first_schema_that_only_lacks_its_end_is_kept(path: Path) -> None:
    path.write_bytes(old_row()[:-1])
    assert write(path, measurement(BLOCKS[1])).startswith(old_row())
    assert len(Table.read(path)) == 2


def learned(misfit: float, *workloads: Workload) -> Calibration:
    """A calibration of these entries."""
    return Calibration(
        entries=tuple(workload.digest for workload in workloads),
        mean_s=(0.001,) * len(workloads),
        factor=tuple((1e-5,) * (row + 1) for row in range(len(workloads))),
        misfit=misfit,
        networks=9,
        hyperparameters={"entry": 0.1},
        leave_one_out=LeaveOneOut(0.01, 0.9, 0.9),
    )


def test_calibrations_are_read_again_beside_outcomes_and_are_none(path: Path) -> None:
    with appending(path) as writer:
        writer.append(measurement())
        writer.append_calibration(ENVIRONMENT, learned(0.1, *BLOCKS))
        inside = writer.table.calibration(ENVIRONMENT, BLOCKS)
    table = Table.read(path)
    assert list(table) == [key_of(measurement())]
    assert table.calibration(ENVIRONMENT, BLOCKS) == inside == learned(0.1, *BLOCKS)
    assert table.calibration(OTHER, BLOCKS) is None


def test_the_newest_calibration_that_knows_all_that_is_asked_for_is_taken(path: Path) -> None:
    with appending(path) as writer:
        for calibration in (learned(0.1, *BLOCKS), learned(0.2, *BLOCKS), learned(0.3, BLOCKS[0])):
            writer.append_calibration(ENVIRONMENT, calibration)
    table = Table.read(path)
    found = [table.calibration(ENVIRONMENT, workloads) for workloads in (BLOCKS, BLOCKS[:1], [block(99)])]
    assert [calibration and calibration.misfit for calibration in found] == [0.2, 0.3, None]


def test_a_calibration_is_forgotten_when_a_block_of_it_is_measured_again_and_only_then(path: Path) -> None:
    with appending(path) as writer:
        for workload in (*BLOCKS, network()):
            writer.append(measurement(workload))
        writer.append_calibration(ENVIRONMENT, learned(0.1, *BLOCKS[:2]))
        writer.append_calibration(ENVIRONMENT, learned(0.2, *BLOCKS[:1]))
        writer.append(measurement(network(), 2e-3))
        writer.append(measurement(BLOCKS[2], 2e-3))
        writer.append(replace(measurement(BLOCKS[0]), stopped="failures"))  # The same bursts.
        writer.append(measurement(BLOCKS[0], 2e-3), adds=True)
        assert writer.table.calibration(ENVIRONMENT, BLOCKS[:2]) == learned(0.1, *BLOCKS[:2])
        writer.append(measurement(BLOCKS[1], 2e-3))
    table = Table.read(path)
    assert table.calibration(ENVIRONMENT, BLOCKS[:2]) is None
    assert table.calibration(ENVIRONMENT, BLOCKS[:1]) == learned(0.2, *BLOCKS[:1])
