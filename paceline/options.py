"""Options that several commands take, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paceline.screen import ImageSize, image_size
from search import SPACES, Space, open_space

SpaceName = Annotated[str, typer.Option("--space", help=f"Search space: {', '.join(SPACES)}.", show_default=True)]
InputSize = Annotated[
    ImageSize | None,
    typer.Option(
        "--input",
        parser=image_size,
        metavar="HxW",
        help="Height and width of the input image, such as 256x512. (default: the space's own)",
    ),
]
Classes = Annotated[
    int | None, typer.Option("--classes", min=1, help="Classes the network tells apart. (default: the space's own)")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
TrainThreads = Annotated[
    int | None,
    typer.Option(
        "--train-threads",
        min=1,
        help="Threads to train with. On small images, or beside other programs, 1 is faster. (default: all cores)",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn at random.")]
Data = Annotated[
    str,
    typer.Option("--data", help="'scenes' (generated streets) or a folder in the layout of Cityscapes or CamVid."),
]
TablePath = Annotated[Path, typer.Option("--table", help="Latency table, as profile-device fills it.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with tables [search] and [train] that override the defaults."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads the runtime may use inside an operator.")]
Runtime = Annotated[str | None, typer.Option("--runtime", help="Runtime to measure with. (default: the target's own)")]
TargetName = Annotated[str, typer.Option("--target", help="Device to measure on; `paceline targets` lists them.")]


def use_threads(threads: int | None) -> None:
    """Train with that many threads; with torch's own choice when None."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def space_of(name: str, size: tuple[int, int] | None, classes: int | None) -> Space:
    """The space that the options name."""
    return open_space(name, size, classes)


def fill_command(space: Space, table: Path, target: str = "local") -> str:
    """The command that measures whatever ``table`` lacks for ``space``."""
    height, width = space.input_size
    return (
        f"profile-device --target {target} --space {space.name} --input {height}x{width} "
        f"--classes {space.classes} --out {table}"
    )
