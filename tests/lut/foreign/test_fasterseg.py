from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from devices import WrongUse
from latency import Workload, operator_of
from lut.foreign import FasterSeg, Statement, format_of, read_foreign
from tests.contracts.format_contract import FormatContract
from tests.lut.foreign.real_files import FOLDER, needs_files

FORM = FasterSeg()

KEYS = (
    "BasicResidual2x_H128_W256_Cin32_Cout128_stride2_dilation1",
    "BasicResidual_downup_1x_H64_W128_Cin64_Cout64_stride1_dilation1",
    "FactorizedReduce_H64_W128_Cin64_Cout64_stride1",
    "ConvNorm_H1024_W2048_Cin3_Cout32_kernel3_stride2",
    "ff_H128_W256_C128",
    "head_H128_W256_Cin128_Cout19",
)


class TestFasterSeg(FormatContract):
    form = FORM
    keys = KEYS
    bad_key = "ConvNorm_H64_W128_Cin64"
    second_row = "entry 2"

    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        path.write_text("{%s}" % ",\n".join(f"{json.dumps(key)}: {json.dumps(time)}" for key, time in rows))  # noqa: UP031


@pytest.mark.parametrize("key", KEYS)
def test_a_key_comes_out_as_it_went_in(key: str) -> None:
    workload = FORM.workload(key)
    assert workload is not None
    assert FORM.key(workload) == key


def test_a_convolution_with_norm_is_exactly_ours_and_a_residual_of_the_same_shape_is_not_the_same_row() -> None:
    ours = FORM.workload("ConvNorm_H64_W128_Cin192_Cout128_kernel3_stride1")
    theirs = FORM.workload("BasicResidual1x_H64_W128_Cin192_Cout128_stride1_dilation1")
    assert ours is not None
    assert theirs is not None
    assert ours == Workload("convolution", ((192, 64, 128),), {"channels": 128, "kernel": 3, "stride": 1})
    assert operator_of(ours).output(ours) == (128, 64, 128)
    assert theirs.operator == "fasterseg.BasicResidual1x"


def test_an_even_kernel_is_not_ours() -> None:
    workload = FORM.workload("ConvNorm_H64_W128_Cin8_Cout8_kernel2_stride2")
    assert workload is not None
    assert workload.operator == "fasterseg.ConvNorm"


@pytest.mark.parametrize("key", ["", "ConvNorm", f"{KEYS[0]}_x", KEYS[4].replace("128", "0"), KEYS[3].upper()])
def test_a_key_that_says_nothing_is_none(key: str) -> None:
    assert FORM.workload(key) is None
    assert not FORM.has_key(key)


@pytest.mark.parametrize("text", ["[1, 2]", "{", "3"])
def test_a_file_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(WrongUse):
        read_foreign(tmp_path / "a.json", FORM, Statement())


def test_a_row_with_an_object_for_a_time_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({KEYS[0]: {"mean": 1.5}, KEYS[1]: 2.5}), encoding="utf-8")
    assert len(read_foreign(tmp_path / "a.json", FORM, Statement()).problems) == 1


@needs_files
def test_every_row_of_the_published_file_is_taken_and_every_key_comes_out_again() -> None:
    path = FOLDER / "fasterseg_1080ti.json"
    imported = read_foreign(path, format_of(path), Statement())
    assert (imported.format, len(imported.rows), imported.problems) == ("fasterseg", 667, ())
    assert {FORM.key(row.workload) for row in imported.rows} == set(json.loads(path.read_text(encoding="utf-8")))
    (environment,) = {row.environment.digest: row.environment for row in imported.rows}.values()
    assert (environment.device.architecture, environment.runtime.versions) == ("sm_61", {"tensorrt": "5.1.5.0"})
    assert "device" not in imported.unknown()


def test_a_file_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(WrongUse, match="is no JSON"):
        read_foreign(tmp_path / "a.json", FORM, Statement())
