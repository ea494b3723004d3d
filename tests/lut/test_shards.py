"""The folder of shards, and the merge of their rows: whatever is done twice is done once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devices import WrongUse
from latency import UNFINISHED, Failure, Measurement
from lut import Table, appending
from lut.doubts import FAILURES
from lut.shards import Shards, bursts_beyond, merge
from tests.contracts.examples import BLOCKS, DEVICE, ENVIRONMENT, burst, failure, measurement
from tests.lut.written_tables import counts, write


def row(*processes: str, stopped: str = "precise") -> Measurement:
    bursts = tuple(burst(1e-3, process=process) for process in processes)
    return replace(measurement(BLOCKS[0], stopped=stopped), bursts=bursts)


def processes(path: Path) -> list[str]:
    (known,) = Table.read(path).values()
    assert isinstance(known, Measurement)
    return [taken.process for taken in known.bursts]


def merged(path: Path, *outcomes: Measurement | Failure, afresh: bool = False) -> list[bool]:
    with appending(path) as writer:
        return [merge(writer, outcome, afresh=afresh) for outcome in outcomes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.jsonl"


def test_a_row_is_merged_once(path: Path) -> None:
    assert merged(path, row("1", "2"), row("1", "2")) == [True, False]
    assert merged(path, row("1", "2")) == [False]
    assert len(path.read_bytes().splitlines()) == 1


def test_later_bursts_come_on_top_and_earlier_ones_are_not_written_again(path: Path) -> None:
    merged(path, row("1", "2", stopped=UNFINISHED))
    size = path.stat().st_size
    assert merged(path, row("1", "2", "3")) == [True]
    assert processes(path) == ["1", "2", "3"]
    assert path.stat().st_size < 2 * size
    (known,) = Table.read(path).values()
    assert isinstance(known, Measurement)
    assert known.stopped == "precise"


def test_bursts_of_another_device_come_on_top(path: Path) -> None:
    assert merged(path, row("1", stopped=UNFINISHED), row("2", "3")) == [True, True]
    assert processes(path) == ["1", "2", "3"]


def test_what_is_measured_afresh_takes_the_place_of_what_was_known_once(path: Path) -> None:
    merged(path, row("1", "2"))
    assert merged(path, row("3"), row("3"), afresh=True) == [True, False]
    assert processes(path) == ["3"]


def test_a_row_that_later_rounds_failed_for_ends_without_another_burst(path: Path) -> None:
    assert merged(path, row("1", stopped=UNFINISHED), row("1", stopped=FAILURES)) == [True, True]
    assert merged(path, row("1", stopped=FAILURES)) == [False]
    assert processes(path) == ["1"]


def test_a_row_that_has_gone_on_elsewhere_is_not_ended_by_what_it_once_was(path: Path) -> None:
    merged(path, row("1", "2", stopped=UNFINISHED))
    assert merged(path, row("1", stopped="most bursts"), row("1", stopped=FAILURES)) == [False, False]
    assert processes(path) == ["1", "2"]


def test_a_failure_counts_where_there_are_no_bursts(path: Path) -> None:
    assert merged(path, failure(BLOCKS[0]), failure(BLOCKS[0])) == [True, False]
    assert merged(path, row("1"), failure(BLOCKS[0])) == [True, False]
    assert processes(path) == ["1"]


def test_another_failure_takes_the_place_of_one_that_was_tried_again(path: Path) -> None:
    other = replace(failure(BLOCKS[0]), reason="out of memory")
    assert merged(path, failure(BLOCKS[0]), other) == [True, False]
    assert merged(path, other, other, afresh=True) == [True, False]


def test_bursts_beyond_are_those_that_the_other_lacks() -> None:
    one, two = row("1"), row("1", "2")
    assert bursts_beyond(one, two) == two.bursts[1:]
    assert bursts_beyond(two, one) == bursts_beyond(two, failure()) == bursts_beyond(two, None) == ()
    assert bursts_beyond(None, two) == bursts_beyond(failure(), two) == two.bursts


def filled_shards(folder: Path, hosts: Sequence[str] = ("a", "b")) -> Shards:
    shards = Shards(folder)
    with shards.opened(hosts) as writers:
        shards.choose(["x", "y"])
        for writer, workload in zip(writers.values(), BLOCKS, strict=False):
            writer.append(measurement(workload))
    return shards


def test_each_device_has_a_table_of_its_own_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    hosts = ["nvidia@10.0.0.5:22", "[fe80::1%eth0]", "../x/y"]
    shards = filled_shards(folder, hosts)
    assert {shards.path(host).parent for host in hosts} == {folder}
    assert [len(Table.read(shards.path(host))) for host in hosts] == [1, 1, 1]
    assert shards.path(hosts[0]).name == "nvidia@10.0.0.5:22.jsonl"


def test_tables_to_which_nothing_came_are_not_left_behind(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "shards")
    with shards.opened(["a", "b"]):
        shards.choose(["x"])
    assert not shards.folder.exists()
    filled_shards(shards.folder, ["a"])
    with shards.opened(["a", "b"]):
        pass
    assert sorted(path.name for path in shards.folder.iterdir()) == ["a.jsonl", "common.json"]


def test_the_common_subset_is_remembered(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "shards")
    assert shards.common() == ()
    filled_shards(shards.folder)
    assert shards.common() == ("x", "y")
    (shards.folder / "common.json").write_text("[")
    with pytest.raises(WrongUse, match=r"common\.json is damaged .*Remove it"):
        shards.common()


def test_shards_go_when_the_table_has_all_of_them_and_only_then(tmp_path: Path) -> None:
    shards = filled_shards(tmp_path / "shards")
    rejected = shards.reject("b")
    assert rejected is not None
    table = Table([measurement(BLOCKS[0])])
    shards.clear(table)
    assert sorted(path.name for path in shards.folder.iterdir()) == ["b.jsonl.rejected", "common.json"]
    assert counts(rejected) == {BLOCKS[1]: 1}
    table.add(measurement(BLOCKS[1], stopped=UNFINISHED))
    shards.clear(table)
    assert rejected.exists()
    table.add(measurement(BLOCKS[1]))
    shards.clear(table)
    assert not shards.folder.exists()
    shards.clear(table)


def test_a_damaged_shard_is_left_alone(tmp_path: Path) -> None:
    shards = filled_shards(tmp_path / "shards")
    shards.path("b").write_bytes(b"{nonsense}\n")
    shards.clear(Table([measurement(workload) for workload in BLOCKS]))
    assert shards.path("b").read_bytes() == b"{nonsense}\n"


def test_there_is_nothing_to_reject_of_a_device_that_measured_nothing(tmp_path: Path) -> None:
    assert Shards(tmp_path).reject("a") is None


def test_a_shard_of_another_environment_is_refused_by_name(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    write(shards.path("a"), measurement(BLOCKS[0]))
    other = replace(ENVIRONMENT, device=replace(DEVICE, cores=8))
    with shards.opened(["a"]) as writers:
        shards.refuse_other_environment(writers, ENVIRONMENT)
        with pytest.raises(WrongUse, match=r"a\.jsonl has times of an earlier run of a .*cores: 4 there, 8 here"):
            shards.refuse_other_environment(writers, other)
