"""What the commands share: reading quantities, progress bars, tables, JSON. Talk to stderr, results to stdout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

INTERRUPTED = 130
"""Exit status that a shell expects of a program that ended by Ctrl-C: 128 + SIGINT."""


class ImageSize(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


class Bar(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, of: int, words: str = "", what: str | None = None) -> None:
        """Show ``done`` of ``of`` steps, what is known by now, and under which heading."""


def say(text: str) -> None:
    """Talk: a line on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def show_json(values: Any) -> None:
    """A result for programs: JSON on stdout."""
    print(json.dumps(values, indent=1))


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: int = 1,
    looks: Mapping[str, str] = {},
) -> None:
    """A result for people: a table on stdout.

    Args:
        title: its heading.
        columns: column headings.
        rows: cells.
        left: how many of the first columns hold text; the others hold numbers and are set to the right.
        looks: colours by what a cell says (``{"ok": "green"}``), where the screen has colours.
    """
    table = RichTable(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=looks.get(cell, "")) for cell in row))
    Console(highlight=False).print(table, markup=False)


@contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """A bar on stderr with steps, time spent and time left."""
    whole = Column(no_wrap=True, overflow="ignore")
    columns = (
        TextColumn("{task.description}", markup=False, table_column=whole.copy()),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=whole.copy()),
        TimeElapsedColumn(table_column=whole.copy()),
        TimeRemainingColumn(table_column=whole.copy()),
        TextColumn("left", table_column=whole.copy()),
        TextColumn("{task.fields[words]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
    )
    with Progress(*columns, console=Console(stderr=True), expand=True) as progress:
        tasks = dict[str, Any]()

        def move(done: int, of: int, words: str = "", what: str | None = None) -> None:
            heading = what or title
            if not of and heading not in tasks:
                return  # There is nothing to do, and no bar to look at.
            if heading not in tasks:
                tasks[heading] = progress.add_task(heading, total=of, words=words)
            progress.update(tasks[heading], completed=done, total=of, words=words)

        yield move


def image_size(text: str) -> ImageSize:
    """Read ``256x512`` as height and width.

    Raises:
        typer.BadParameter: it is not of that form.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise typer.BadParameter(f"an input size is HEIGHTxWIDTH in pixels, such as 256x512; got {text!r}")
    return ImageSize(int(match[1]), int(match[2]))


def seconds(text: str) -> float:
    """Read ``0.5s``, ``800ms`` or ``2min`` as seconds.

    Raises:
        typer.BadParameter: it is not of that form.
    """
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
    return _quantity(text, units, "a time is a number with its unit (us, ms, s, min), such as 500ms")


def share(text: str) -> float:
    """Read ``1%`` as 0.01.

    Raises:
        typer.BadParameter: it is not of that form.
    """
    return _quantity(text, {"%": 0.01}, "a share is a number of percent, such as 1%")


def fraction(text: str) -> float:
    """Read ``0.2`` or ``20%`` as 0.2.

    Raises:
        typer.BadParameter: it is not of that form.
    """
    return _quantity(text, {"%": 0.01, "": 1.0}, "a fraction is a number such as 0.2, or of percent such as 20%")


def _quantity(text: str, units: Mapping[str, float], rule: str) -> float:
    match = re.fullmatch(rf"(\d+(?:\.\d*)?|\.\d+)\s*({'|'.join(units)})", text)
    if match is None:
        raise typer.BadParameter(f"{rule}; got {text!r}")
    return float(match[1]) * units[match[2]]


def size_text(size: tuple[int, int]) -> str:
    """Height and width as ``256x512``."""
    return f"{size[0]}x{size[1]}"


def milliseconds(value_s: float) -> str:
    """Seconds as milliseconds with three digits."""
    return f"{value_s * 1e3:.3g} ms"
