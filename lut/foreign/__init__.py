"""Tables of other people's tools: read into a table, and written from one. A new format is one file and one line here.

ProxylessNAS, Once-for-All, FBNet and FasterSeg have published such tables; CSV and Parquet are for everybody else.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path

from devices import WrongUse, unknown_name
from lut.foreign.contract import ForeignRow, Format, KnownRow, Problem, Tell
from lut.foreign.csv_rows import CsvRows
from lut.foreign.exporting import Exported, known_rows, write_foreign
from lut.foreign.fasterseg import FasterSeg
from lut.foreign.fbnet import FbNet
from lut.foreign.flat_rows import COLUMNS, Column
from lut.foreign.importing import Imported, Stored, read_foreign, store
from lut.foreign.mobile_layers import activated_convolution, classifier, global_pool, mobile_block
from lut.foreign.ofa import OnceForAll
from lut.foreign.origins import Origin, Statement
from lut.foreign.parquet_rows import ParquetRows
from lut.foreign.proxylessnas import ProxylessNas

FORMATS: Mapping[str, Format] = {
    form.name: form for form in (ProxylessNas(), OnceForAll(), FbNet(), FasterSeg(), CsvRows(), ParquetRows())
}
"""The formats by their names."""

_HEAD_BYTES = 1 << 16
"""Enough to see what most keys look like, damaged ones among them."""


def find_format(name: str) -> Format:
    """The format called ``name``.

    Raises:
        WrongUse: there is none.
    """
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return FORMATS[name]


def format_of(path: Path, name: str = "auto") -> Format:
    """The format of a file.

    Args:
        path: the file.
        name: what it should be; ``auto`` to go by what the file looks like.

    Raises:
        WrongUse: it looks like none, or like another than it should be; or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise WrongUse(f"{path} cannot be read ({error.strerror}). Name a file that exists.") from error
    if head.startswith(b'{"schema":'):
        raise WrongUse(f"{path} is a table already. `paceline table show {path}` lists it.")
    looks = next((form for form in FORMATS.values() if form.looks_like(head)), None)
    wanted = looks if name == "auto" else find_format(name)
    if wanted is None:
        raise WrongUse(
            f"{path} looks like none of {', '.join(FORMATS)}. Name its format with --format, or make it a CSV with the "
            "columns operator, inputs and mean_ms."
        )
    if looks not in (None, wanted):
        raise WrongUse(f"{path} does not look like {wanted.name} but like {looks.name}. Use --format {looks.name}.")
    return wanted


__all__ = [
    "COLUMNS",
    "FORMATS",
    "Column",
    "CsvRows",
    "Exported",
    "FasterSeg",
    "FbNet",
    "ForeignRow",
    "Format",
    "Imported",
    "KnownRow",
    "OnceForAll",
    "Origin",
    "ParquetRows",
    "Problem",
    "ProxylessNas",
    "Statement",
    "Stored",
    "Tell",
    "activated_convolution",
    "classifier",
    "find_format",
    "format_of",
    "global_pool",
    "known_rows",
    "mobile_block",
    "read_foreign",
    "store",
    "write_foreign",
]
