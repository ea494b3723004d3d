from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from latency import Value, Workload, operator_of
from lut.foreign import OnceForAll, Statement, format_of, mobile_block, read_foreign
from tests.contracts.format_contract import FormatContract
from tests.lut.foreign.real_files import FOLDER, needs_files
from tests.lut.foreign.test_mobile_yaml import yaml_of

FORM = OnceForAll()

PLAIN = "expanded_conv-input:56x56x32-output:56x56x32-expand:128-kernel:5-stride:1-idskip:1-se:0-hs:0"
SWISH = "expanded_conv-input:14x14x96-output:14x14x136-expand:288-kernel:3-stride:1-idskip:0-se:1-hs:1"
FIRST = "expanded_conv-input:112x112x24-output:112x112x24-expand:24-kernel:3-stride:1-idskip:1-se:0-hs:0"
LAYERS = (
    "Conv-input:224x224x3-output:112x112x24",
    "Conv_1-input:7x7x192-output:7x7x1152",
    "AvgPool2D-input:7x7x1152-output:1x1x1152",
    "Conv_2-input:1x1x1152-output:1x1x1536",
    "Logits-input:1x1x1536-output:1000",
)


class TestOnceForAll(FormatContract):
    form = FORM
    keys = (SWISH, PLAIN, *LAYERS)
    bad_key = SWISH.replace("stride:1", "stride:2")
    second_row = "line 3"

    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        path.write_text(yaml_of(rows), encoding="utf-8")


@pytest.mark.parametrize("key", [PLAIN, SWISH, FIRST, *LAYERS])
def test_a_key_comes_out_as_it_went_in(key: str) -> None:
    assert FORM.key(FORM.workload(key)) == key


def test_a_block_that_is_exactly_ours_is_an_inverted_residual() -> None:
    workload = FORM.workload(PLAIN)
    assert workload.operator == "inverted_residual"
    assert workload.attributes["expansion"] == 4
    assert operator_of(workload).output(workload) == (32, 56, 56)


def test_a_block_with_squeeze_and_excitation_hard_swish_or_no_first_convolution_is_not() -> None:
    assert {FORM.workload(key).operator for key in (SWISH, FIRST)} == {"mbconv"}
    assert FORM.workload(SWISH).attributes["hidden"] == 288


def test_one_of_our_blocks_has_a_key_and_one_that_keeps_its_first_convolution_has_none() -> None:
    ours: dict[str, Value] = {"channels": 24, "kernel": 3, "stride": 2, "expansion": 6, "groups": 1, "dilation": 1}
    key = "expanded_conv-input:9x7x16-output:5x4x24-expand:96-kernel:3-stride:2-idskip:0-se:0-hs:0"
    assert FORM.key(Workload("inverted_residual", ((16, 9, 7),), ours)) == key
    for other in ({"expansion": 1}, {"groups": 2}, {"dilation": 2}):
        assert FORM.key(Workload("inverted_residual", ((16, 9, 7),), {**ours, **other})) is None


def test_blocks_with_relu6_belong_to_another_format() -> None:
    size: dict[str, Any] = {"kernel": 3, "stride": 1, "hidden": 24, "skip": True}
    assert FORM.key(mobile_block((8, 4, 4), 8, activation="relu6", **size)) is None
    assert FORM.key(mobile_block((8, 4, 4), 8, activation="h_swish", **size)) is not None


@needs_files
@pytest.mark.parametrize("size", [160, 176, 192, 208, 224])
def test_every_row_of_a_published_file_is_taken_and_every_key_comes_out_again(size: int) -> None:
    path = FOLDER / f"ofa_note10_{size}_lookup_table.yaml"
    imported = read_foreign(path, format_of(path), Statement())
    assert (imported.format, len(imported.rows), imported.problems) == ("ofa", 96, ())
    keys = {line.rstrip(":") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")}
    assert {FORM.key(row.workload) for row in imported.rows} == keys
    assert {row.environment.device.name for row in imported.rows} == {"Samsung Galaxy Note10"}
    assert "runtime" in imported.unknown()
