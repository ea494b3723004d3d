from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from devices import WrongUse
from latency import Estimate
from lut import Table
from lut.foreign import (
    FORMATS,
    Imported,
    OnceForAll,
    ProxylessNas,
    Statement,
    format_of,
    read_foreign,
    write_foreign,
)
from lut.foreign.mobile_yaml import entries, speaks_ofa

STEM = "Conv-input:224x224x3-output:112x112x32"
OTHER = "Conv-input:192x192x3-output:96x96x32"


def yaml_of(rows: Sequence[tuple[str, object]]) -> str:
    """A file of these keys and times, as YAML spells them."""
    spelled = {str(math.nan): ".nan", str(math.inf): ".inf", str(-math.inf): "-.inf", "None": "", "True": "true"}
    return "".join(f"{key}:\n  mean: {spelled.get(str(time), time)}\n" for key, time in rows)


def quiet(done: int, of: int) -> None:
    """Progress that nobody watches."""


def imported(path: Path, text: str) -> Imported:
    path.write_text(text, encoding="utf-8")
    return read_foreign(path, ProxylessNas(), Statement(), others=FORMATS.values())


def test_entries_keep_repeated_keys_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# note\na: {mean: 1, std: 2}\nb: 3\na:\n  mean: 4\n", encoding="utf-8")
    found = [(entry.line, entry.key, entry.values) for entry in entries(path, quiet)]
    assert found == [(2, "a", {"mean": "1", "std": "2"}), (3, "b", "3"), (4, "a", {"mean": "4"})]


def test_a_repeated_key_is_reported_by_both_lines(tmp_path: Path) -> None:
    found = imported(tmp_path / "a.yaml", yaml_of([(STEM, 4.5), (OTHER, 3.5), (STEM, 4.25)]))
    assert [problem.where for problem in found.problems] == [f"line 1, {STEM}", f"line 5, {STEM}"]


def test_what_is_nested_or_referenced_is_refused_by_its_row_and_the_rest_read(tmp_path: Path) -> None:
    text = f"{STEM}: &a\n  mean: [1, {{x: 2}}]\n{OTHER}:\n  mean: 3.5\n? [odd, key]\n: 1\nz: *a\n"
    found = imported(tmp_path / "a.yaml", text)
    assert [row.estimate.mean_s for row in found.rows] == [0.0035]
    assert [problem.where.partition(",")[0] for problem in found.problems] == ["line 1", "line 5", "line 7"]


def test_a_row_that_says_a_number_twice_is_refused(tmp_path: Path) -> None:
    found = imported(tmp_path / "a.yaml", f"{yaml_of([(OTHER, 3.5)])}{STEM}:\n  mean: 1\n  mean: 2\n")
    assert [problem.reason for problem in found.problems] == ["it says mean twice"]


def test_a_key_of_another_format_is_refused_with_that_formats_name(tmp_path: Path) -> None:
    swish = "expanded_conv-input:7x7x192-output:7x7x192-expand:576-kernel:3-stride:1-idskip:1-se:1-hs:1"
    layer = "ConvNorm_H64_W128_Cin64_Cout64_kernel3_stride1"
    found = imported(tmp_path / "a.yaml", yaml_of([(STEM, 4.5), (swish, 1.5), (layer, 2.5), ("nonsense", 3.5)]))
    looks = [problem.reason.partition("looks like ")[2] for problem in found.problems]
    assert looks == ["a key of ofa", "a key of fasterseg", ""]


def test_an_object_that_yaml_would_build_is_text(tmp_path: Path) -> None:
    found = imported(tmp_path / "a.yaml", yaml_of([(STEM, 4.5), (OTHER, "!!python/object/apply:os.getcwd []")]))
    assert len(found.rows) == len(found.problems) == 1


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "", "just text\n"])
def test_a_file_without_keys_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(WrongUse, match="no keys at its top"):
        list(entries(tmp_path / "a.yaml", quiet))


def test_a_file_that_is_no_yaml_is_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a:\n  mean: 1\nb: ]\n", encoding="utf-8")
    with pytest.raises(WrongUse, match=r"no YAML.*line 3"):
        list(entries(tmp_path / "a.yaml", quiet))


def test_a_table_in_json_is_read_like_one_in_yaml(tmp_path: Path) -> None:
    pool = "AvgPool2D-input:5x5x1152-output:1x1x1152"
    text = json.dumps({pool: {"count": 500, "mean": 0.0625, "std": 0.001}}, indent=4)
    (tmp_path / "160_lookup_table.json").write_text(text, encoding="utf-8")
    form = format_of(tmp_path / "160_lookup_table.json")
    assert form.name == "ofa"
    (row,) = read_foreign(tmp_path / "160_lookup_table.json", form, Statement()).rows
    assert row.estimate == Estimate(6.25e-5, 1e-6, "reported")


def test_most_keys_decide_whose_table_it_is() -> None:
    plain = b"expanded_conv-input:7x7x8-output:7x7x8-expand:6-kernel:3-stride:1-idskip:1:\n  mean: 1\n"
    swish = b"expanded_conv-input:7x7x8-output:7x7x8-expand:48-kernel:3-stride:1-idskip:1-se:0-hs:1:\n  mean: 1\n"
    assert speaks_ofa(swish * 2 + plain) is True
    assert speaks_ofa(plain * 2 + swish) is False
    assert speaks_ofa(STEM.encode() + b":\n") is False
    assert speaks_ofa(b"a: 1\n") is None


def test_the_spread_is_written_as_each_format_calls_it(tmp_path: Path) -> None:
    for form, line in ((ProxylessNas(), "  var: 0.25"), (OnceForAll(), "  std: 0.5")):
        path = tmp_path / form.name
        path.write_text(f"{STEM}:\n  mean: 4.5\n{line}\n", encoding="utf-8")
        table = Table()
        table.add_estimate(*read_foreign(path, form, Statement()).rows[0])
        write_foreign(table, form, tmp_path / "again")
        assert (tmp_path / "again").read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("second", [yaml_of([(OTHER, 3.5)]), "- 3\n", "text\n"])
def test_a_second_document_is_refused_and_not_ignored(second: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="one YAML document; at line 4 another one begins"):
        imported(tmp_path / "a.yaml", f"{yaml_of([(STEM, 4.5)])}---\n{second}")


def test_marks_around_the_only_document_do_no_harm(tmp_path: Path) -> None:
    assert len(imported(tmp_path / "a.yaml", f"---\n{yaml_of([(STEM, 4.5)])}...\n").rows) == 1
