from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from devices import WrongUse
from lut.foreign import COLUMNS, ParquetRows, Statement, format_of, read_foreign, write_foreign
from tests.contracts.format_contract import FormatContract
from tests.lut.foreign.test_csv_rows import mixed

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FORM = ParquetRows()


class TestParquetRows(FormatContract):
    form = FORM
    keys = tuple(f"{channels}x8x8" for channels in (8, 16, 24, 32))
    bad_key = "wide"
    second_row = "row 2"

    def write(self, path: Path, rows: Sequence[tuple[str, object]]) -> None:
        # Times as text: a column of numbers could hold no dirt of that kind.
        times = [None if time is None else str(time) for _, time in rows]
        inputs = [key for key, _ in rows]
        columns = {"operator": ["identity"] * len(rows), "inputs": inputs, "mean_ms": times}
        parquet.write_table(pa.table(columns), path)


def test_all_that_a_table_knows_is_written_with_its_types_and_read_back(tmp_path: Path) -> None:
    table = mixed()
    assert write_foreign(table, FORM, tmp_path / "a.parquet").written == 5
    schema = parquet.read_schema(tmp_path / "a.parquet")
    assert schema.names == list(COLUMNS)
    assert (str(schema.field("mean_ms").type), str(schema.field("threads").type)) == ("double", "int64")
    again = read_foreign(tmp_path / "a.parquet", format_of(tmp_path / "a.parquet"), Statement())
    assert again.problems == ()
    assert {row.key for row in again.rows} == {row.key for row in table.unmeasured()} | {
        key for key, outcome in table.items() if outcome.kind == "measurement"
    }
    assert len(again.failures) == 1


def test_a_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"operator": ["identity"]}), tmp_path / "a.parquet")
    with pytest.raises(WrongUse, match="must have the columns"):
        read_foreign(tmp_path / "a.parquet", FORM, Statement())


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    write_foreign(mixed(), FORM, tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:200])
    with pytest.raises(WrongUse, match="cannot be read as Parquet"):
        read_foreign(tmp_path / "a.parquet", FORM, Statement())
