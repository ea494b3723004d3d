"""Parquet: the columns of ``flat_rows`` with their types, for whoever reads tables with pandas, DuckDB or Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

from devices import NotAvailable, WrongUse
from lut.foreign.contract import ForeignRow, Format, KnownRow, Problem, Tell
from lut.foreign.flat_rows import COLUMNS, cells, origins, refuse_other_columns, row_of
from lut.foreign.origins import Statement


@final
class ParquetRows(Format):
    """One file, null for what is not known."""

    name = "parquet"
    says_environment = True

    def looks_like(self, head: bytes) -> bool:
        """Whether it begins as every such file does."""
        return head.startswith(b"PAR1")

    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        """The rows in order; see ``Format.read``."""
        arrow, parquet = _arrow()
        try:
            with parquet.ParquetFile(path) as file:
                refuse_other_columns(file.schema_arrow.names, path)
                names = [name for name in file.schema_arrow.names if name in COLUMNS]
                origin_of = origins(self.origin(path, Statement()), statement)
                number, of = 0, file.metadata.num_rows
                for batch in file.iter_batches(columns=names):
                    for values in batch.to_pylist():
                        number += 1
                        tell(number, of)
                        yield row_of(values, f"row {number}", origin_of)
        except (OSError, arrow.ArrowException) as error:
            raise WrongUse(f"{path} cannot be read as Parquet: {error}") from error

    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        """Write all rows."""
        arrow, parquet = _arrow()
        kinds = {str: arrow.string(), float: arrow.float64(), int: arrow.int64(), bool: arrow.bool_()}
        schema = arrow.schema([(name, kinds[column.kind]) for name, column in COLUMNS.items()])
        parquet.write_table(arrow.Table.from_pylist([cells(row) for row in rows], schema=schema), path)


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise NotAvailable("Parquet needs pyarrow. This installs it: pip install 'paceline[parquet]'") from error
    return pa, parquet
