from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import pytest

from devices import Device, WrongUse
from latency import Estimate
from lut.foreign import COLUMNS, ForeignRow, KnownRow, Problem
from lut.foreign.flat_rows import _DETAILS, Cell, cells, origins, refuse_other_columns, row_of
from lut.foreign.origins import Origin, Statement
from tests.contracts.examples import ENVIRONMENT, block, decoder, network

LEAST: dict[str, Cell] = {"operator": "convolution", "inputs": "3x8x8", "mean_ms": "1.5"}


NOTHING_STATED = Statement()


def read(values: dict[str, Cell], statement: Statement = NOTHING_STATED) -> ForeignRow | Problem:
    return row_of(values, "line 2", origins(Origin("a.csv"), statement))


def test_every_column_says_what_is_in_it() -> None:
    assert list(cells(KnownRow(block(), ENVIRONMENT, Estimate(1e-3, 1e-4)))) == list(COLUMNS)
    assert all(column.meaning for column in COLUMNS.values())


@pytest.mark.parametrize("workload", [block(), block(batch=4), decoder(), network()], ids=lambda w: w.operator)
def test_a_row_comes_back_with_its_workload_and_its_environment(workload: object) -> None:
    found = read(cells(KnownRow(workload, ENVIRONMENT, Estimate(1.25e-3, 1e-4))))  # type: ignore[arg-type]
    assert isinstance(found, ForeignRow)
    assert found.workload == workload
    assert found.origin.environment() == ENVIRONMENT
    assert (found.time, found.deviation) == (1.25, 0.1)


def test_what_nobody_knows_is_an_empty_cell() -> None:
    known = cells(KnownRow(block(), ENVIRONMENT, Estimate(1e-3, math.nan, "reported")))
    assert [name for name, cell in known.items() if cell is None] == [
        "deviation_ms",
        "bursts",
        "failure",
        "measured_at",
    ]


def test_a_failure_has_no_time_and_comes_back_as_one() -> None:
    failed = cells(KnownRow(block(), ENVIRONMENT, None, failed=("run", "out of memory: 3 GiB")))
    assert failed["mean_ms"] is None
    found = read(failed)
    assert isinstance(found, ForeignRow)
    assert found.failed == ("run", "out of memory: 3 GiB")


def test_three_columns_are_enough_and_the_rest_is_unknown() -> None:
    found = read(LEAST)
    assert isinstance(found, ForeignRow)
    assert (found.workload.precision, found.workload.batch, found.workload.attributes) == ("fp32", 1, {})
    assert found.origin.environment().device.name == "unknown (a.csv)"
    assert "device" in found.origin.unknown()


def test_only_a_time_that_nobody_took_keeps_its_source() -> None:
    untaken = (("predicted", "predicted"), ("roofline", "roofline"))
    for said, kept in (*untaken, ("measured", "reported"), ("calibrated", "reported"), (None, "reported")):
        found = read({**LEAST, "source": said, "inside": "False"})
        assert isinstance(found, ForeignRow)
        assert (found.source, found.is_inside) == (kept, False)


def test_what_the_user_states_goes_before_the_cells() -> None:
    found = read({**LEAST, "device": "theirs", "precision": "fp16"}, Statement(device="mine"))
    assert isinstance(found, ForeignRow)
    assert found.origin.environment().device.name == "mine"
    assert found.workload.precision == "fp16"


def test_rows_that_say_the_same_share_their_origin() -> None:
    make = origins(Origin("a.csv"), Statement())
    one, two, three = (make({**LEAST, "device": name}) for name in ("a", "a", "b"))
    assert one is two
    assert one is not three


@pytest.mark.parametrize(
    "change",
    [
        {"operator": ""},
        {"inputs": None},
        {"inputs": "3x8"},
        {"inputs": "3x8x0"},
        {"inputs": "three"},
        {"attributes": "[1]"},
        {"attributes": "{"},
        {"attributes": '{"kernel": null}'},
        {"precision": "fp8"},
        {"batch": "0"},
        {"batch": "1.5"},
        {"threads": "many"},
        {"device": "a", "device_details": '{"cpus": 3}'},
        {"versions": "1.2"},
        {"versions": '{"torch": NaN}'},
        {"options": '{"mode": ["fast"]}'},
        {"device": "a", "device_details": '{"memory_bytes": [1, 2]}'},
        {"device": "a", "device_details": '{"cores": true}'},
        {"attributes": '{"a": ' + "[" * 400 + "]" * 400 + "}"},
        {"attributes": "[" * 100_000},
        {"threads": "0"},
        {"threads": "-3"},
        {"batch": "1_0"},
        {"inputs": "3x8x1_0"},
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_cell_that_holds_something_else_is_refused(change: dict[str, Cell]) -> None:
    found = read({**LEAST, **change})
    assert isinstance(found, Problem)
    assert found.where == "line 2"


def test_columns_that_are_missing_or_twice_there_are_refused() -> None:
    refuse_other_columns([*LEAST, "comment"], Path("a.csv"))
    for names in (["operator", "inputs"], [*LEAST, "mean_ms"]):
        with pytest.raises(WrongUse, match="operator, inputs, mean_ms, each once"):
            refuse_other_columns(names, Path("a.csv"))


def test_an_unknown_number_of_threads_is_an_empty_cell_and_comes_back_as_none() -> None:
    unknown = Origin("a.csv", device=replace(ENVIRONMENT.device), runtime="x").environment()
    known = cells(KnownRow(block(), unknown, Estimate(1e-3, 1e-4)))
    assert known["threads"] is None
    found = read(known)
    assert isinstance(found, ForeignRow)
    assert found.origin.environment() == unknown


def test_a_row_with_a_time_and_a_failure_is_refused() -> None:
    found = read({**LEAST, "failure": "load: not implemented"})
    assert isinstance(found, Problem)
    assert "both the time 1.5 and the failure" in found.reason


def test_minus_one_beside_a_failure_is_no_time() -> None:
    found = read({**LEAST, "mean_ms": "-1", "failure": "load: not implemented"})
    assert isinstance(found, ForeignRow)
    assert found.failed == ("load", "not implemented")


def test_a_long_damaged_cell_is_shown_in_part() -> None:
    found = read({**LEAST, "attributes": "[" * 100_000})
    assert isinstance(found, Problem)
    assert len(found.reason) < 200


def test_every_detail_of_a_device_has_a_kind() -> None:
    names = {field.name for field in fields(Device)} - {"kind", "name", "architecture"}
    assert set(_DETAILS) == names
