"""Rows: what is written is read again, and what is no row is said to be none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import Device, DeviceState, WrongUse
from latency import Burst, Environment, Estimate, Measurement, SamplingPlan, Workload
from lut import Table, appending, key_of, repair
from tests.contracts.examples import (
    BLOCKS,
    ENVIRONMENT,
    RUNTIME,
    block,
    burst,
    failure,
    measurement,
)
from tests.lut.written_tables import DAMAGES, counts, damaged, three_rows, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.jsonl"


def test_a_row_is_one_line_with_schema_and_kind(path: Path) -> None:
    rows = [json.loads(line) for line in write(path, measurement(), failure(BLOCKS[1])).splitlines()]
    assert [(row["schema"], row["kind"]) for row in rows] == [(4, "measurement"), (4, "failure")]


def test_text_of_every_script_survives(path: Path) -> None:
    device = Device("cpu", "µ-Prozessor 三 \U0001f600 \u2028 \r\n\\", "riscv64")
    workload = Workload("conv", ((1, 1, 1),), {"Größe": "\u2028 \x85 \n"})
    outcome = replace(failure(workload, Environment(device, RUNTIME)), reason="kein »Kern«\r\n")
    write(path, outcome, measurement())
    assert next(iter(Table.read(path).values())) == outcome
    assert len(path.read_bytes().splitlines()) == 2


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


def test_a_missing_table_is_refused_with_the_command_that_fills_it(path: Path) -> None:
    with pytest.raises(WrongUse, match=r"cannot be read \(No such file or directory\)") as caught:
        Table.read(path)
    assert f"`profile-device --out {path}`" in str(caught.value)
    with pytest.raises(WrongUse, match="No such file"):
        repair(path)


def test_a_number_that_json_does_not_have_is_not_written(path: Path) -> None:
    nan = DeviceState(load_1min=float("nan"))
    broken: Measurement = replace(measurement(), bursts=(burst(before=nan),))
    with appending(path) as writer, pytest.raises(ValueError, match="not JSON compliant"):
        writer.append(broken)
    assert path.read_bytes() == b""


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


def test_an_estimate_from_peak_figures_says_so_on_its_row(path: Path) -> None:
    known = Estimate(1e-3, 7e-4, "roofline", is_inside=False)
    with appending(path) as writer:
        writer.add_estimate(BLOCKS[0], ENVIRONMENT, known)
    row = json.loads(path.read_bytes())
    assert (row["schema"], row["kind"], row["source"], row["is_inside"]) == (4, "estimate", "roofline", False)
    (read,) = Table.read(path).unmeasured()
    assert read.estimate == known


def test_a_row_of_the_third_schema_is_read(path: Path) -> None:
    with appending(path) as writer:
        writer.add_estimate(BLOCKS[0], ENVIRONMENT, Estimate(1e-3, 1e-5, "predicted"))
    path.write_bytes(damaged(path.read_bytes(), schema=3))
    assert Table.read(path).estimate(BLOCKS[0], ENVIRONMENT) == Estimate(1e-3, 1e-5, "predicted")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "guessed"}, "no source of times is called 'guessed'"),
        ({"mean_s": -1.0}, "finite mean"),
        ({"mean_s": "1"}, "TypeError"),
        ({"workload": None}, "KeyError"),
    ],
)
def test_an_estimate_that_is_none_is_refused(path: Path, changes: dict[str, Any], reason: str) -> None:
    with appending(path) as writer:
        writer.add_estimate(BLOCKS[0], ENVIRONMENT, Estimate(1e-3, 1e-5, "predicted"))
    path.write_bytes(damaged(path.read_bytes(), **changes))
    with pytest.raises(WrongUse, match=reason):
        Table.read(path)
