"""``paceline demo``: the main job on this machine, from nothing to a report, by the commands a user would type."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from paceline.options import Config, Seed
from paceline.screen import say


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo makes.")] = Path("runs/demo"),
    limit: Annotated[
        str, typer.Option("--limit", help="Limit of both searches, in percent of the hand-made reference network.")
    ] = "80%",
    seed: Seed = 0,
    config: Config = None,
) -> None:
    """Profile this machine, search on MACs and on measured latency, and compare: minutes on two cores, no download.

    The commands are printed as they are run, so that each can be repeated by hand. Interrupted, the demo goes on where
    it was; to begin anew, remove its folder.
    """
    started = time.monotonic()
    root = context.find_root().command
    for arguments in demo_commands(out, limit, seed, config):
        say(f"\n$ paceline {shlex.join(arguments)}")
        _run(root.main, arguments)
    say(f"\nDone in {time.monotonic() - started:.0f} s. Open {(out / 'report.html').resolve()}")


def demo_commands(out: Path, limit: str, seed: int, config: Path | None) -> list[list[str]]:
    """The commands of the demo, each as arguments of ``paceline``."""
    table = str(out / "table.jsonl")
    # One thread: on images of the demo's size a second one waits more than it works, most of all on a busy machine.
    same = ["--train-threads", "1", "--seed", str(seed), *([] if config is None else ["--config", str(config)])]
    searches = [
        [
            "search",
            "--space",
            "demo",
            "--objective",
            name,
            "--limit",
            limit,
            "--table",
            table,
            "--warm-up",
            str(out / "warm_up.safetensors"),
            "--out",
            str(out / f"{name}.json"),
            *same,
        ]
        for name in ("macs", "latency")
    ]
    found = [str(out / "macs.json"), str(out / "latency.json")]
    return [
        # Three rounds, half of what is usual, and few networks to learn from: a demonstration shall take minutes.
        ["profile", "--target", "local", "--space", "demo", "--rounds", "3", "--out", table],
        ["table", "calibrate", table, "--space", "demo", "--networks", "12", "--rounds", "3"],
        *searches,
        ["compare", *found, "--table", table, "--references", "6", "--rounds", "3", "--out", str(out), *same],
    ]


def _run(main: Callable[..., object], arguments: Sequence[str]) -> None:
    typed, sys.argv = sys.argv, ["paceline", *arguments]  # what a command calls its own command line
    try:
        status = main(args=list(arguments), prog_name="paceline", standalone_mode=False)
    finally:
        sys.argv = typed
    if status:  # Ctrl-C comes back as a status, not as an exception.
        raise SystemExit(status)
