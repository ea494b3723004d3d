from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lut import Table
from lut.foreign import FbNet, Imported, Statement, read_foreign, write_foreign
from lut.foreign.fbnet import record_of, workload_of
from tests.contracts.format_contract import FormatContract

FORM = FbNet()

DEVICE = "SM-G950U-7.0-24"


def arguments(**values: int | str) -> list[str]:
    """Texts of protocol buffers, in the order of names."""
    return [
        f'name: "{name}"\n' + (f"i: {value}\n" if isinstance(value, int) else f's: "{value}"\n')
        for name, value in sorted(values.items())
    ]


def record(operator: str = "Int8ConvRelu", channels: int = 32, **changes: Any) -> dict[str, Any]:
    """A depthwise or other convolution of 8-bit numbers."""
    return {
        "op_type": operator,
        "op_args": arguments(group=channels, kernel=3, order="NHWC", pad=1, stride=2),
        "input_shapes": [[1, 112, 96, channels], [channels, 3, 3, 1], [channels]],
        "input_dtypes": [6, 6, 2],
        **changes,
    }


def line(values: Mapping[str, Any], **times: object) -> str:
    return json.dumps({**values, **times, "device": DEVICE})


def imported(path: Path, *lines: str) -> Imported:
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_foreign(path, FORM, Statement())


class TestFbNet(FormatContract):
    form = FORM
    keys = tuple(json.dumps(record(channels=channels)) for channels in (16, 32, 48, 64))
    bad_key = json.dumps(record(input_shapes=[[1, 0, 96, 32]]))
    second_row = "line 2"

    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        path.write_text("\n".join(line(json.loads(key), runtime_us_p50=time) for key, time in rows), encoding="utf-8")


RECORDS = (
    record(),
    record("Int8Quantize", op_args=[], input_shapes=[[1, 224, 224, 3]], input_dtypes=[1]),
    record("NCHW2NHWC", op_args=[], input_shapes=[[2, 3, 224, 192]], input_dtypes=[1]),
    record("Int8FC", op_args=[], input_shapes=[[1, 1984], [1000, 1984], [1000]], input_dtypes=[6, 6, 2]),
    record(op_args=['name: "alpha"\nf: 0.1\n']),  # a float, whose digits are kept as they are
    record(op_args=list(reversed(arguments(kernel=3, stride=1)))),  # not in the usual order
    record(op_args=arguments(shapes=1)),  # an argument with one of our own names
    record(input_dtypes=[]),
)


@pytest.mark.parametrize("values", RECORDS, ids=lambda values: values["op_type"])
def test_a_record_comes_out_as_it_went_in(values: dict[str, Any]) -> None:
    assert record_of(workload_of(values)) == values


def test_arguments_are_attributes_and_the_order_of_sizes_is_that_of_the_operator() -> None:
    workload = workload_of(record())
    assert workload.operator == "caffe2.Int8ConvRelu"
    assert workload.inputs == ((32, 112, 96),)
    assert workload.precision == "int8"
    assert {name: workload.attributes[name] for name in ("kernel", "stride", "order")} == {
        "kernel": 3,
        "stride": 2,
        "order": "NHWC",
    }
    plain = workload_of(RECORDS[2])
    assert (plain.inputs, plain.batch, plain.precision) == (((3, 224, 192),), 2, "fp32")
    assert workload_of(RECORDS[3]).inputs == ((1984, 1, 1),)
    assert workload_of(RECORDS[7], "fp16").precision == "fp16"


def test_the_time_is_the_median_and_the_deviation_that_of_the_outer_percentiles(tmp_path: Path) -> None:
    (row,) = imported(
        tmp_path / "a.json", line(record(), runtime_us_p10=90.5, runtime_us_p50=100.5, runtime_us_p90=116.25)
    ).rows
    assert row.estimate.mean_s == pytest.approx(100.5e-6)
    assert row.estimate.standard_deviation_s == pytest.approx(25.75e-6 / 2.563103, rel=1e-6)


def test_percentiles_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    good = line(record(channels=16), runtime_us_p50=5.5)
    found = imported(tmp_path / "a.json", good, line(record(), runtime_us_p10=9, runtime_us_p50=8, runtime_us_p90=7))
    assert [problem.where for problem in found.problems] == ["line 2, Int8ConvRelu"]


def test_each_line_says_its_device_and_devices_stay_apart(tmp_path: Path) -> None:
    other = json.dumps({**record(), "runtime_us_p50": 7.5, "device": "another"})
    found = imported(tmp_path / "a.json", line(record(), runtime_us_p50=5.5), other)
    assert [row.environment.device.name for row in found.rows] == [DEVICE, "another"]
    assert len(found.origins) == 2
    assert found.problems == ()
    table = Table()
    for row in found.rows:
        table.add_estimate(*row)
    write_foreign(table, FORM, tmp_path / "again")
    written = [json.loads(text) for text in (tmp_path / "again").read_text(encoding="utf-8").splitlines()]
    assert written == [
        {**record(), "runtime_us_p50": 5.5, "device": DEVICE},
        {**record(), "runtime_us_p50": 7.5, "device": "another"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"op_type": "a", "op_type": "b", "input_shapes": [[1]]}',
        json.dumps(record(input_shapes=[])),
        json.dumps(record(input_shapes=[[1, 2, 3]])),
        json.dumps(record(input_shapes=[[1, "2"]])),
        json.dumps(record(input_dtypes=[99])),
        json.dumps(record(input_dtypes=["uint8"])),
        json.dumps(record(op_args=[3])),
    ],
)
def test_a_line_that_is_no_record_is_refused_by_its_number(text: str, tmp_path: Path) -> None:
    found = imported(tmp_path / "a.json", line(record(), runtime_us_p50=5.5), "", text)
    assert [problem.where for problem in found.problems] == ["line 3"]
    assert len(found.rows) == 1


@pytest.mark.parametrize("high", [10**400, "wide", [], True])
def test_a_percentile_that_is_none_tells_no_deviation(high: object, tmp_path: Path) -> None:
    (row,) = imported(
        tmp_path / "a.json", line(record(), runtime_us_p10=1, runtime_us_p50=5.5, runtime_us_p90=high)
    ).rows
    assert math.isnan(row.estimate.standard_deviation_s)


def test_a_line_nested_too_deeply_is_refused_by_its_number(tmp_path: Path) -> None:
    found = imported(tmp_path / "a.json", line(record(), runtime_us_p50=5.5), "[" * 100_000)
    assert [problem.where for problem in found.problems] == ["line 2"]
