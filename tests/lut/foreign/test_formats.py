from __future__ import annotations

from pathlib import Path

import pytest

from devices import WrongUse
from lut import appending
from lut.foreign import FORMATS, Statement, find_format, format_of, read_foreign
from tests.contracts.examples import measurement

STEM = "Conv-input:224x224x3-output:112x112x32:\n  mean: 4\n"


def test_every_format_says_what_it_is() -> None:
    assert set(FORMATS) == {"proxylessnas", "ofa", "fbnet", "fasterseg", "csv", "parquet"}
    assert all(find_format(name).name == name and type(form).__doc__ for name, form in FORMATS.items())


def test_an_unknown_format_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(WrongUse, match="Did you mean 'proxylessnas'"):
        find_format("proxylesnas")


def test_a_file_of_another_format_is_refused_with_the_one_that_it_looks_like(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(STEM, encoding="utf-8")
    with pytest.raises(WrongUse, match=r"not look like fasterseg but like proxylessnas"):
        format_of(tmp_path / "a.yaml", "fasterseg")


def test_a_file_that_looks_like_nothing_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\n", encoding="utf-8")
    assert format_of(tmp_path / "a.txt", "ofa").name == "ofa"
    with pytest.raises(WrongUse, match="looks like none of proxylessnas"):
        format_of(tmp_path / "a.txt")


def test_a_table_is_not_imported(tmp_path: Path) -> None:
    with appending(tmp_path / "t.jsonl") as writer:
        writer.append(measurement())
    with pytest.raises(WrongUse, match="is a table already"):
        format_of(tmp_path / "t.jsonl")


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be read"):
        format_of(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fasterseg", '{"ff_H128_W256_C128": 1.5}'),
        ("fbnet", '{"op_type": "Relu", "input_shapes": [[1, 3, 8, 8]], "runtime_us_p50": 5.5}'),
        ("proxylessnas", STEM),
        ("csv", "operator,inputs,mean_ms\nidentity,8x8x8,1.5\n"),
    ],
)
def test_a_byte_order_mark_hides_no_format(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(text, encoding="utf-8-sig")
    form = format_of(tmp_path / "a")
    assert form.name == name
    assert len(read_foreign(tmp_path / "a", form, Statement()).rows) == 1
