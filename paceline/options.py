"""Options that several commands take, declared once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from devices import Target, WrongUse, load_catalog, read_timed_device
from latency import (
    PRECISION_BYTES,
    Environment,
    Profiler,
    ProfilerSettings,
    estimated_target,
    find_profiler,
    is_estimated,
    known_profilers,
)
from lut import Lookup, Table
from paceline.screen import ImageSize, image_size, seconds
from search import SPACES, Space

SPACE_HELP = f"Search space: {', '.join(SPACES)}; or a file such as my_space.py:space or my_space.toml."

SpaceName = Annotated[str, typer.Option("--space", help=SPACE_HELP, show_default=True)]
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
NetworkRounds = Annotated[
    int,
    typer.Option("--rounds", min=1, help="Most rounds, each in a fresh process, that a network is measured whole in."),
]
TrainThreads = Annotated[
    int | None,
    typer.Option(
        "--train-threads",
        min=1,
        help="Threads to train with. On small images, or beside other programs, 1 is faster. (default: all cores)",
    ),
]
TrainDevice = Annotated[
    str, typer.Option("--device", help="Where to train: auto (the GPU where there is one), cpu or cuda.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn at random.")]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="'scenes' (generated streets, a class for every pixel), 'objects' (generated, a class for every picture), "
        "or a folder in the layout of Cityscapes, CamVid, CIFAR-10 or ImageFolder.",
    ),
]
TablePath = Annotated[Path, typer.Option("--table", help="Latency table, as profile-device fills it.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with tables [search] and [train] that override the defaults."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads the runtime may use inside an operator.")]
Runtime = Annotated[str | None, typer.Option("--runtime", help="Runtime to measure with. (default: the target's own)")]
Options = Annotated[
    list[str],
    typer.Option(
        "--option", metavar="NAME=VALUE", help="Option of the runtime, such as l2=cold; `paceline doctor` lists them."
    ),
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", help=f"Number format: {', '.join(PRECISION_BYTES)}. (default: the target's own)"),
]
TablePrecision = Annotated[
    str | None,
    typer.Option("--precision", help=f"Number format: {', '.join(PRECISION_BYTES)}. (default: the table's own)"),
]
TargetName = Annotated[str, typer.Option("--target", help="Device to measure on; `paceline targets` lists them.")]
Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        parser=seconds,
        metavar="TIME",
        help="How long to wait for a device on which somebody else measures, such as 30min. (default: 10s)",
    ),
]

_LOCAL_PRECISION = "fp32"
"""That of the target ``local``."""


def profiler_settings(target: Target, runtime: str | None, threads: int, options: Sequence[str]) -> ProfilerSettings:
    """What a process that measures on ``target`` has to be told.

    Args:
        target: the device.
        runtime: name of the profiler; the target's own when None.
        threads: threads inside an operator.
        options: ``name=value`` each.

    Raises:
        WrongUse: there is no such runtime or option, or an option is not of that form.
        NotAvailable: the runtime is missing, as far as that can be told without using a GPU.
    """
    kind = find_profiler(runtime or target.runtime)
    chosen = chosen_options(kind, options)
    if kind.accelerator == "cpu":
        kind.refuse_missing()  # On a GPU the process that measures asks: a context of this one would disturb it.
    return ProfilerSettings(kind.name, read_timed_device(kind.accelerator), threads, chosen)


def chosen_options(kind: type[Profiler], options: Sequence[str]) -> dict[str, str]:
    """All options of a profiler with their values: those that were typed, and the defaults of the others.

    Args:
        kind: the profiler.
        options: ``name=value`` each.

    Raises:
        WrongUse: there is no such option, or one is not of that form.
    """
    if malformed := [option for option in options if "=" not in option]:
        raise WrongUse(f"An option is NAME=VALUE; got {malformed[0]!r}. {kind.name} has {', '.join(kind.choices)}.")
    return kind.chosen(dict(option.split("=", 1) for option in options))


def use_threads(threads: int | None) -> None:
    """Train with that many threads; with torch's own choice when None."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def runtime_words(environment: Environment) -> list[str]:
    """The options that choose the runtime of ``environment`` on a command line."""
    if is_estimated(environment):
        return ["--target", estimated_target(environment), "--estimate"]
    runtime = environment.runtime
    kind = known_profilers().get(runtime.name)
    choices = [name for name in (kind.choices if kind else {}) if name in runtime.options]
    options = [word for name in choices for word in ("--option", f"{name}={runtime.options[name]}")]
    threads = [] if runtime.threads is None else ["--threads", str(runtime.threads)]
    return ["--runtime", runtime.name, *threads, *options]


def place_words(environment: Environment, table: Path) -> list[str]:
    """The options that choose the device and the runtime of ``environment``, for the rows of ``table``."""
    target = "local" if is_estimated(environment) else _target_of(table)
    return [*([] if target == "local" else ["--target", target]), *runtime_words(environment)]


def fill_command(space: Space, table: Path, environment: Environment | None = None) -> str:
    """The command that fills in what ``table`` lacks for ``space``, in the environment of its rows if it has any."""
    height, width = space.input_size
    size = ["--input", f"{height}x{width}", "--classes", str(space.classes)]
    precision = space.workloads()[0].precision  # One for all.
    is_measured = environment is None or not is_estimated(environment)
    target = _target_of(table) if is_measured or environment is None else estimated_target(environment)
    known = load_catalog().get(target)  # The user may have removed it since.
    usual = None if known is None else known.precision
    return shlex.join(
        [
            "profile-device",
            *(["--target", target] if is_measured else []),
            "--space",
            space.name,
            *size,
            *([] if precision == usual else ["--precision", precision]),
            *([] if environment is None else runtime_words(environment)),
            "--out",
            str(table),
        ]
    )


def _target_of(table: Path) -> str:
    """The target that a table is named after, as ``profile-device`` names it by default; else this machine."""
    return table.stem if table.stem in load_catalog() else "local"


def precision_of(read: Table, asked: str | None) -> str:
    """The number format to look up: the one that was asked for, else the table's own.

    Raises:
        WrongUse: the table has several, and none was asked for.
    """
    known = read.precisions()
    if asked is None and len(known) > 1:
        raise WrongUse(f"The table has times in {' and '.join(known)}: say which with --precision.")
    return asked or (known[0] if known else _LOCAL_PRECISION)


def look_up(space: Space, read: Table, path: Path) -> Lookup:
    """The latencies of ``space`` from a table that was read from ``path``.

    Raises:
        WrongUse: entries are missing, with the command that fills them.
    """
    environments = read.environments()
    command = fill_command(space, path, environments[0] if environments else None)
    return Lookup.read(read, space.grid, space.fixed, fill_command=command)


NO_DEVICE = "With a table that was estimated from peak figures nothing is measured: give one that was"
"""Why options that say how to measure are idle, for ``refuse_idle``."""


def holds_estimates(table: Table) -> bool:
    """Whether a table tells of peak figures, and not of a device that can be measured."""
    return any(map(is_estimated, table.environments()))


def refuse_idle(
    why: str, target: str, runtime: str | None, threads: int, options: Sequence[str], others: Mapping[str, bool]
) -> None:
    """Refuse options that say how to measure, where nothing is.

    Args:
        why: nothing is measured, and what to do that something is; a clause without its full stop.
        target: as it was typed, like the following.
        runtime: name of the profiler.
        threads: inside an operator.
        options: of the runtime.
        others: whether further options were typed, by name.

    Raises:
        WrongUse: one was typed, with another value than its default.
    """
    own = {"--target": target != "local", "--runtime": runtime, "--threads": threads != 1, "--option": options}
    if idle := [name for name, value in {**own, **others}.items() if value]:
        raise WrongUse(f"{why}, or leave out {' and '.join(idle)}.")


def refuse_unwritable(path: Path) -> None:
    """Make sure that ``path`` can be written before anything long is begun.

    Raises:
        WrongUse: it is a folder, or its folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if path.stat().st_size == 0:
            path.unlink()
    except OSError as error:
        raise WrongUse(f"{path} cannot be written ({error.strerror}). Choose another --out.") from error
