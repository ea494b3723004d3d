"""A table for a new device from other devices' tables: what is common, what is measured, what is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from latency import DummyProfiler, Environment, Estimate, Failure, Measurement, Source, Workload, operator_of
from lut import SourceTimes, Start, Table, TransferSummary, appending, fill_from_sources, in_this_process
from lut.rows import Unmeasured
from tests.contracts.examples import DEVICE, ENVIRONMENT, QUICK, RUNTIME, block, failure, idle, measurement, network

BLOCKS = tuple(block(8 * c, expansion=e, kernel=k) for c in range(1, 6) for e in (1, 3, 6) for k in (3, 5))


def another(name: str) -> Environment:
    return Environment(replace(DEVICE, name=name), RUNTIME)


def law_s(workload: Workload, per_mac: float, per_call: float) -> float:
    return per_call + per_mac * operator_of(workload).macs(workload)


def table_of(name: str, per_mac: float, per_call: float, blocks: Sequence[Workload] = BLOCKS) -> Table:
    return Table(measurement(w, law_s(w, per_mac, per_call), another(name)) for w in blocks)


TABLES = {"a": table_of("a", 2e-10, 3e-6), "b": table_of("b", 5e-11, 2e-5), "c": table_of("c", 1e-9, 1e-6)}
SOURCES = SourceTimes.of(TABLES, "fp32")


def dummy(*broken: Workload) -> Start:
    """The new device: the dummy's law is 1 us and 0.1 ns for each multiplication."""
    digests = frozenset(workload.digest for workload in broken)
    return in_this_process(DummyProfiler(DEVICE, idle, noise=0.01, broken=digests))


def transferred(path: Path, count: int = 6, start: Start | None = None) -> tuple[TransferSummary, Table]:
    with appending(path) as writer:
        summary = fill_from_sources(writer, start or dummy(), SOURCES, count, QUICK)
    return summary, Table.read(path)


def known(table: Table, workload: Workload) -> Estimate:
    found = table.estimate(workload, table.environment())
    assert found is not None
    return found


def test_the_rest_is_predicted_within_a_few_percent_and_says_that_it_is(tmp_path: Path) -> None:
    summary, table = transferred(tmp_path / "new.jsonl")
    assert len(summary.measured) == 6
    assert len(summary.predicted) == len(BLOCKS) - 6
    errors = [known(table, w).mean_s / law_s(w, 1e-10, 1e-6) - 1 for w in summary.predicted]
    assert np.median(np.abs(errors)) < 0.05
    assert {known(table, w).source for w in summary.predicted} == {"predicted"}
    assert {known(table, w).source for w in summary.measured} == {"measured"}
    assert summary.left_out is not None
    assert 0 < summary.left_out.mean_error < 0.5


def test_the_same_call_measures_nothing_more_and_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    first, _ = transferred(path)
    before = path.read_bytes()
    again, _ = transferred(path)
    assert path.read_bytes() == before
    assert set(again.measured) == set(first.measured)
    assert dict(again.predicted) == dict(first.predicted)


def test_a_larger_count_adds_to_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    first, _ = transferred(path, 4)
    more, table = transferred(path, 8)
    assert set(first.measured) < set(more.measured)
    assert len(more.measured) == 8
    assert len(table.unmeasured()) == len(BLOCKS) - 8


def test_in_the_place_of_a_workload_that_fails_another_one_is_measured(tmp_path: Path) -> None:
    first, _ = transferred(tmp_path / "first.jsonl", 5)
    broken = first.measured[:2]
    summary, table = transferred(tmp_path / "new.jsonl", 5, dummy(*broken))
    assert len(summary.measured) == 5
    assert not set(broken) & ({*summary.measured} | set(summary.predicted))
    assert all(isinstance(table.outcome(w, table.environment()), Failure) for w in broken)
    assert len(summary.fill.failures) == 2


def test_where_nothing_works_there_is_nothing_to_predict_from(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"Only 0 blocks could be measured, 30 failed \(declared broken"):
        transferred(tmp_path / "new.jsonl", 5, dummy(*BLOCKS))


def test_more_than_there_is_measures_everything(tmp_path: Path) -> None:
    summary, table = transferred(tmp_path / "new.jsonl", 1000)
    assert len(summary.measured) == len(BLOCKS)
    assert not summary.predicted
    assert all(isinstance(outcome, Measurement) for outcome in table.values())


def test_too_few_to_measure_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="At least 3 blocks"):
        transferred(tmp_path / "new.jsonl", 2)


def test_the_device_itself_is_no_source(tmp_path: Path) -> None:
    profiler = DummyProfiler(DEVICE, idle)
    own = Table(measurement(w, 1e-3, profiler.environment) for w in BLOCKS)
    sources, start = SourceTimes.of({"own": own}, "fp32"), in_this_process(profiler)
    with appending(tmp_path / "new.jsonl") as writer, pytest.raises(WrongUse, match="this very device"):
        fill_from_sources(writer, start, sources, 5, QUICK)
    assert (tmp_path / "new.jsonl").read_bytes() == b""


def test_only_what_all_tables_have_is_common() -> None:
    tables = {"a": table_of("a", 1e-10, 1e-6, BLOCKS[:20]), "b": table_of("b", 1e-10, 1e-6, BLOCKS[5:])}
    sources = SourceTimes.of(tables, "fp32")
    assert set(sources.workloads) == set(BLOCKS[5:20])
    assert sources.left_out == 15
    assert sources.time_s.shape == (2, 15)
    assert sources.time_s[0, 0] == pytest.approx(law_s(sources.workloads[0], 1e-10, 1e-6))


def test_networks_failures_and_predictions_are_no_source() -> None:
    table = table_of("a", 1e-10, 1e-6, BLOCKS[:10])
    table.add(measurement(network(), 1e-3, another("a")))
    table.add(replace(failure(BLOCKS[10]), environment=another("a")))
    table.add_estimate(BLOCKS[11], another("a"), Estimate(1e-3, 1e-4, "predicted"))
    table.add_estimate(BLOCKS[12], another("a"), Estimate(1e-3, float("nan"), "reported"))
    assert set(SourceTimes.of({"a": table}, "fp32").workloads) == {*BLOCKS[:10], BLOCKS[12]}


def as_published(workload: Workload) -> Workload:
    """The same under a name of somebody else's."""
    return replace(workload, operator="mbconv")


def test_blocks_that_cannot_be_built_are_left_out_and_counted() -> None:
    table = table_of("a", 1e-10, 1e-6, BLOCKS[:10])
    foreign = [as_published(BLOCKS[0]), replace(BLOCKS[1], attributes={"kernel": 3}), as_published(BLOCKS[2])]
    for workload in (*foreign, replace(foreign[0], precision="fp16")):
        table.add_estimate(workload, another("a"), Estimate(1e-3, float("nan"), "reported"))
    sources = SourceTimes.of({"a": table, "b": TABLES["b"]}, "fp32")
    assert set(sources.workloads) == set(BLOCKS[:10])
    assert (sources.unbuildable, sources.left_out) == (3, 20)


def test_a_table_of_foreign_blocks_alone_is_refused_with_its_name_and_operators() -> None:
    table = Table()
    for workload in BLOCKS[:5]:
        table.add_estimate(as_published(workload), another("x"), Estimate(1e-3, float("nan"), "reported"))
    with pytest.raises(WrongUse, match=r"published\.jsonl has times of mbconv alone"):
        SourceTimes.of({"a": TABLES["a"], "published.jsonl": table}, "fp32")


def test_what_others_reported_of_the_new_device_is_never_predicted_over(tmp_path: Path) -> None:
    path, reported = tmp_path / "new.jsonl", Estimate(1e-3, float("nan"), "reported")
    first, table = transferred(tmp_path / "first.jsonl")
    told = list(first.predicted)[:3]
    with appending(path) as writer:
        writer.add_estimates(Unmeasured(w, table.environment(), reported) for w in told)
    summary, after = transferred(path)
    assert {known(after, w).source for w in told} == {"reported"}
    assert summary.kept == 3
    assert set(summary.predicted) == set(first.predicted) - set(told)


def test_two_tables_of_one_device_are_refused() -> None:
    with pytest.raises(WrongUse, match="first and second are of the same device"):
        SourceTimes.of({"first": TABLES["a"], "second": table_of("a", 1e-9, 0)}, "fp32")


def test_tables_in_another_number_format_are_refused_with_the_option_that_helps() -> None:
    with pytest.raises(WrongUse, match=r"a has blocks in fp32.*--precision fp32"):
        SourceTimes.of(TABLES, "fp16")


def test_tables_with_nothing_in_common_are_refused_with_how_much_each_has() -> None:
    tables = {"a": table_of("a", 1e-10, 1e-6, BLOCKS[:5]), "b": table_of("b", 1e-10, 1e-6, BLOCKS[5:])}
    with pytest.raises(WrongUse, match=r"a has 5, b has 25 in fp32"):
        SourceTimes.of(tables, "fp32")


@pytest.mark.parametrize("source", ["predicted", "roofline"])
def test_times_that_nobody_took_teach_nothing(source: Source) -> None:
    table = Table([measurement(BLOCKS[0], 1e-3, another("a"))])
    table.add_estimate(BLOCKS[1], another("a"), Estimate(1e-3, 1e-4, source))
    table.add_estimate(BLOCKS[2], another("a"), Estimate(1e-3, 1e-4, "reported"))
    assert set(SourceTimes.of({"a": table}, "fp32").workloads) == {BLOCKS[0], BLOCKS[2]}


def test_an_empty_table_and_no_table_are_refused() -> None:
    with pytest.raises(WrongUse, match="at least one other device"):
        SourceTimes.of({}, "fp32")
    with pytest.raises(WrongUse, match="no measured block"):
        SourceTimes.of({"a": Table([replace(failure(BLOCKS[0]), environment=ENVIRONMENT)])}, "fp32")
