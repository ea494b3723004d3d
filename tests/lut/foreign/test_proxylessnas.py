from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from latency import Workload
from lut.foreign import ProxylessNas, Statement, format_of, mobile_block, read_foreign
from lut.foreign.mobile_keys import BadKeyError
from tests.contracts.format_contract import FormatContract
from tests.lut.foreign.real_files import FOLDER, needs_files
from tests.lut.foreign.test_mobile_yaml import yaml_of

FORM = ProxylessNas()

BLOCK = "expanded_conv-input:14x14x96-output:7x7x192-expand:6-kernel:5-stride:2-idskip:0"
RESIDUAL = "expanded_conv-input:7x7x192-output:7x7x192-expand:3-kernel:7-stride:1-idskip:1"
STEM = "Conv-input:224x224x3-output:112x112x32"
MIX = "Conv_1-input:7x7x320-output:7x7x1280"
END = "Logits-input:7x7x1280-output:1000"


class TestProxylessNas(FormatContract):
    form = FORM
    keys = (BLOCK, STEM, MIX, END)
    bad_key = "expanded_conv-input:14x14x96-output:7x7x192-expand:6"
    second_row = "line 3"

    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        path.write_text(yaml_of(rows), encoding="utf-8")


@pytest.mark.parametrize("key", [BLOCK, RESIDUAL, STEM, MIX, END])
def test_a_key_comes_out_as_it_went_in(key: str) -> None:
    assert FORM.key(FORM.workload(key)) == key


def test_the_ratio_becomes_hidden_channels_and_activations_are_relu6() -> None:
    workload = FORM.workload(BLOCK)
    assert workload.inputs == ((96, 14, 14),)
    assert workload.attributes == {
        "channels": 192,
        "kernel": 5,
        "stride": 2,
        "hidden": 576,
        "activation": "relu6",
        "skip": 0,
        "se": 0,
    }


def test_the_classifier_has_the_pool() -> None:
    assert FORM.workload(END).attributes == {"classes": 1000, "pool": 1}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("AvgPool2D-input:7x7x1152-output:1x1x1152", "Once-for-All"),
        (f"{RESIDUAL}-se:1-hs:1", "must have the fields expand, kernel, stride, idskip"),
        (BLOCK.replace("7x7x192", "8x8x192"), "does not add up"),
    ],
)
def test_a_key_of_another_kind_is_refused(key: str, why: str) -> None:
    with pytest.raises(BadKeyError, match=why):
        FORM.workload(key)


def test_what_it_has_no_key_for_has_none() -> None:
    size: dict[str, Any] = {"kernel": 3, "stride": 1, "skip": True}
    assert FORM.key(mobile_block((8, 4, 4), 8, activation="relu6", hidden=16, **size)) is not None
    assert FORM.key(mobile_block((8, 4, 4), 8, activation="relu6", hidden=12, **size)) is None  # expand would be 1.5
    assert FORM.key(mobile_block((8, 4, 4), 8, activation="relu6", hidden=16, se=True, **size)) is None
    assert FORM.key(mobile_block((8, 4, 4), 8, activation="relu", hidden=16, **size)) is None
    assert FORM.key(Workload("identity", ((8, 4, 4),))) is None


def test_the_published_file_is_known_by_its_name_and_any_other_is_not(tmp_path: Path) -> None:
    for name, device in (("mobile_trim.yaml", "Google Pixel 1"), ("mine.yaml", "unknown (mine.yaml)")):
        (tmp_path / name).write_text(yaml_of([(STEM, 4.08)]), encoding="utf-8")
        (row,) = read_foreign(tmp_path / name, FORM, Statement()).rows
        assert row.environment.device.name == device


def test_a_variance_becomes_a_deviation(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{STEM}:\n  count: 982\n  mean: 4.5\n  var: 0.25\n", encoding="utf-8")
    (row,) = read_foreign(tmp_path / "a.yaml", FORM, Statement()).rows
    assert row.estimate.standard_deviation_s == pytest.approx(0.5e-3)


@needs_files
def test_every_row_of_the_published_file_is_taken_and_every_key_comes_out_again() -> None:
    path = FOLDER / "proxylessnas_mobile_trim.yaml"
    imported = read_foreign(path, format_of(path), Statement())
    assert (imported.format, len(imported.rows), imported.problems) == ("proxylessnas", 72, ())
    keys = {line.rstrip(":") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")}
    assert {FORM.key(row.workload) for row in imported.rows} == keys
    assert "number of threads" in imported.unknown()
