"""Plain CSV: all columns of ``flat_rows`` when written, as few as three when read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import final

from devices import WrongUse
from lut.foreign.contract import ForeignRow, Format, KnownRow, Problem, Tell, text_of
from lut.foreign.flat_rows import COLUMNS, REQUIRED, Cell, cells, origins, refuse_other_columns, row_of
from lut.foreign.origins import Statement


@final
class CsvRows(Format):
    """Cells separated by commas, a heading for each column, empty cells for what is not known."""

    name = "csv"
    says_environment = True

    def looks_like(self, head: bytes) -> bool:
        """Whether the first line names the columns that must be there."""
        if b"\0" in head:
            return False  # It is no text, such as Parquet, whose head may hold the same names.
        first = head.decode("utf-8-sig", errors="replace").splitlines()[:1]
        try:
            return set(REQUIRED) <= {name.strip() for name in next(csv.reader(first), [])}
        except csv.Error:
            return False

    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        """The rows in order; see ``Format.read``."""
        text = text_of(path)
        lines = sum(1 for _ in io.StringIO(text, newline=""))
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        origin_of = origins(self.origin(path, Statement()), statement)
        try:
            names = [name.strip() for name in next(reader, [])]
            refuse_other_columns(names, path)
            for found in reader:
                where = f"line {reader.line_num}"
                tell(reader.line_num, lines)
                if len(found) == len(names):
                    yield row_of(dict(zip(names, found, strict=True)), where, origin_of)
                elif found:
                    yield Problem(where, f"it has {len(found)} cells, and there are {len(names)} columns")
        except csv.Error as error:
            raise WrongUse(f"{path}, line {reader.line_num} is no CSV: {error}. Mend it there.") from error

    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        """Write a line for each row."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({name: _spelled(cell) for name, cell in cells(row).items()})


def _spelled(cell: Cell) -> Cell:
    """A cell as spreadsheets spell it."""
    return str(cell).lower() if isinstance(cell, bool) else cell
