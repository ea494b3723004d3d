"""The table: what is known of each workload in each environment."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from devices import WrongUse
from latency import Environment, Estimate, Measurement, Outcome, Workload
from lut import Key, Table, Unmeasured, appending, key_of
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
from tests.lut.written_tables import counts, learned, write

OTHER = Environment(OTHER_DEVICE, RUNTIME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def test_rows_are_read_as_they_were_appended(path: Path) -> None:
    outcomes: list[Outcome] = [measurement(BLOCKS[0], 1e-3), failure(BLOCKS[1]), measurement(BLOCKS[2], 0.1 + 0.2)]
    write(path, *outcomes)
    assert dict(Table.read(path)) == {key_of(outcome): outcome for outcome in outcomes}


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


PREDICTED = Estimate(2e-3, 1e-4, "predicted", is_inside=False)
REPORTED = Estimate(3e-3, math.nan, "reported")


def test_a_time_that_was_not_measured_is_known_and_is_no_outcome(path: Path) -> None:
    with appending(path) as writer:
        writer.append(measurement(BLOCKS[0]))
        writer.add_estimates([Unmeasured(BLOCKS[1], ENVIRONMENT, PREDICTED)])
        in_memory = writer.table
    for table in (in_memory, Table.read(path)):
        assert len(table) == 1
        assert table.outcome(BLOCKS[1], ENVIRONMENT) is None
        assert table.estimate(BLOCKS[1], ENVIRONMENT) == PREDICTED
        assert table.estimate(BLOCKS[0], ENVIRONMENT) == measurement(BLOCKS[0]).estimate()
        assert [table.is_known(workload, ENVIRONMENT) for workload in BLOCKS[:3]] == [True, True, False]
        assert not table.is_known(BLOCKS[1], OTHER)
        assert table.estimate(BLOCKS[2], ENVIRONMENT) is None


def test_a_deviation_that_nobody_knows_stays_unknown_in_the_file(path: Path) -> None:
    with appending(path) as writer:
        writer.add_estimate(BLOCKS[0], OTHER, REPORTED)
    known = Table.read(path).estimate(BLOCKS[0], OTHER)
    assert known is not None
    assert (known.mean_s, known.source) == (3e-3, "reported")
    assert math.isnan(known.standard_deviation_s)
    assert Table.read(path).environments() == (OTHER,)


def test_a_measurement_or_a_failure_takes_the_place_of_a_prediction_for_good(path: Path) -> None:
    with appending(path) as writer:
        for workload in BLOCKS[:2]:
            writer.add_estimate(workload, ENVIRONMENT, PREDICTED)
        writer.append(measurement(BLOCKS[0], 5e-3))
        writer.append(failure(BLOCKS[1]))
        size = path.stat().st_size
        writer.add_estimates([Unmeasured(workload, ENVIRONMENT, PREDICTED) for workload in BLOCKS[:2]])
        assert path.stat().st_size == size
    table = Table.read(path)
    assert table.unmeasured() == ()
    assert table.estimate(BLOCKS[0], ENVIRONMENT) == measurement(BLOCKS[0], 5e-3).estimate()
    assert table.estimate(BLOCKS[1], ENVIRONMENT) is None


def test_a_later_prediction_takes_the_place_of_an_earlier_one(path: Path) -> None:
    better = replace(PREDICTED, mean_s=1e-3)
    with appending(path) as writer:
        writer.add_estimate(BLOCKS[0], ENVIRONMENT, PREDICTED)
        writer.add_estimate(BLOCKS[0], ENVIRONMENT, better)
    assert Table.read(path).unmeasured() == (Unmeasured(BLOCKS[0], ENVIRONMENT, better),)


def test_a_calibration_is_forgotten_when_a_predicted_block_of_it_is_measured() -> None:
    table = Table([measurement(BLOCKS[0])])
    table.add_estimate(BLOCKS[1], ENVIRONMENT, PREDICTED)
    table.add_calibration(ENVIRONMENT, learned(0.1, *BLOCKS[:2]))
    table.add_estimate(BLOCKS[1], ENVIRONMENT, PREDICTED)
    assert table.calibration(ENVIRONMENT, BLOCKS[:2]) is not None
    table.add(measurement(BLOCKS[1]))
    assert table.calibration(ENVIRONMENT, BLOCKS[:2]) is None
