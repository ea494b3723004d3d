from __future__ import annotations

from pathlib import Path

import pytest

from devices import WrongUse
from latency import Environment, Estimate, Workload
from lut import Table
from lut.foreign import (
    CsvRows,
    FasterSeg,
    FbNet,
    Format,
    KnownRow,
    OnceForAll,
    ProxylessNas,
    known_rows,
    write_foreign,
)
from tests.contracts.examples import ENVIRONMENT, OTHER_DEVICE, block, failure, measurement, skip

OFA = OnceForAll()

KEYED = (ProxylessNas(), OFA, FasterSeg(), FbNet())

MBCONV = {"channels": 8, "kernel": 3, "stride": 1, "hidden": 6, "activation": "relu6", "skip": 0, "se": 0}


def test_all_that_a_table_knows_is_listed_measured_rows_first() -> None:
    table = Table([measurement(block(8)), failure(block(9))])
    table.add_estimate(block(10), ENVIRONMENT, Estimate(1e-3, 0.0, "reported"))
    measured, failed, reported = known_rows(table)
    assert (measured.bursts, measured.measured_at) == (1, "2024-01-02T03:04:05+00:00")
    assert measured.estimate is not None
    assert (failed.estimate, failed.failed) == (None, ("load", "not implemented"))
    assert (reported.bursts, reported.measured_at) == (None, None)


def test_rows_without_a_key_are_named_with_the_reason(tmp_path: Path) -> None:
    blocks = (block(8), block(8, groups=2), block(8, batch=2))
    table = Table([*map(measurement, blocks), failure(skip())])
    exported = write_foreign(table, OFA, tmp_path / "a.yaml")
    assert exported.written == 1
    assert [why for _, why in exported.unsaid] == [
        "it has no key for such inverted_residual workloads",
        "its keys are for a batch of 1",
        "the format has no way to say that something failed",
    ]


def test_a_table_of_which_nothing_can_be_said_is_refused_and_no_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"fasterseg can say nothing.*--format csv"):
        write_foreign(Table([measurement(block(8))]), FasterSeg(), tmp_path / "a.json")
    with pytest.raises(WrongUse, match="no rows"):
        write_foreign(Table(), CsvRows(), tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_rows_that_would_look_alike_are_refused(tmp_path: Path) -> None:
    other = Environment(OTHER_DEVICE, ENVIRONMENT.runtime)
    half = Workload(block(9).operator, block(9).inputs, block(9).attributes, "fp16")
    for second in (measurement(block(9), environment=other), measurement(half)):
        with pytest.raises(WrongUse, match="does not say device, runtime and precision"):
            write_foreign(Table([measurement(block(8)), second]), OFA, tmp_path / "a.yaml")


def test_an_older_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    for count in (2, 1):
        table = Table([measurement(block(8 + n)) for n in range(count)])
        write_foreign(table, CsvRows(), path)
        assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + count


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WrongUse, match="cannot be written"):
        write_foreign(Table([measurement(block(8))]), CsvRows(), tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


IMAGE = ((3, 8, 8),)

DAMAGED = (
    Workload("mbconv", IMAGE, {"channels": 8}),
    Workload("mbconv", IMAGE, {**MBCONV, "stride": "2"}),
    Workload("mbconv", IMAGE, {**MBCONV, "stride": 0}),
    Workload("mbconv", IMAGE, {**MBCONV, "kernel": 4}),
    Workload("classifier", IMAGE, {}),
    Workload("activated_convolution", IMAGE, {"channels": 8}),
    Workload("global_average_pool", IMAGE * 2),
    Workload("convolution", IMAGE, {"kernel": 3, "stride": 1}),
    Workload("convolution", IMAGE, {"channels": 8, "kernel": 3, "stride": 1, "groups": 2}),
    Workload("fasterseg.ff", IMAGE, {"depth": 2}),
    Workload("caffe2.Relu", IMAGE, {}),
    Workload("caffe2.Relu", IMAGE, {"shapes": "1x3x8x9", "types": "1"}),
    Workload("caffe2.Relu", IMAGE, {"shapes": "many", "types": "1"}),
)


@pytest.mark.parametrize("workload", DAMAGED, ids=Workload.describe)
@pytest.mark.parametrize("form", KEYED, ids=lambda form: form.name)
def test_a_workload_that_would_not_read_back_as_itself_is_refused(form: Format, workload: Workload) -> None:
    assert form.refusal(KnownRow(workload, ENVIRONMENT, Estimate(1e-3, 0.0, "reported")))


@pytest.mark.parametrize(
    ("form", "workload"),
    [
        (OFA, Workload("global_average_pool", IMAGE)),
        (FasterSeg(), Workload("fasterseg.ff", IMAGE)),
        (FbNet(), Workload("caffe2.Relu", IMAGE, {"shapes": "1x3x8x8", "types": "1"})),
    ],
    ids=lambda value: value.name if isinstance(value, Format) else value.operator,
)
def test_a_predicted_time_is_named_and_not_written_as_a_reported_one(
    form: Format, workload: Workload, tmp_path: Path
) -> None:
    table = Table()
    table.add_estimate(workload, ENVIRONMENT, Estimate(1e-3, 0.0, "reported"))
    assert write_foreign(table, form, tmp_path / "a").written == 1
    table.add_estimate(workload, ENVIRONMENT, Estimate(1e-3, 0.0, "predicted"))
    with pytest.raises(WrongUse, match="no way to say that a time was predicted"):
        write_foreign(table, form, tmp_path / "a")
