"""The command line: ``paceline`` and ``profile-device``.

Exit status: 0 done, 1 the answer is no, 2 wrong use, 3 a device or runtime is missing, 130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from devices import PacelineError, WrongUse
from paceline.commands.baseline import baseline
from paceline.commands.calibrate import calibrate
from paceline.commands.compare import compare, report
from paceline.commands.demo import demo
from paceline.commands.doctor import doctor
from paceline.commands.export import export
from paceline.commands.predict import predict
from paceline.commands.profile_device import profile
from paceline.commands.search import search
from paceline.commands.show import show
from paceline.commands.table import table
from paceline.commands.targets import targets
from paceline.commands.train import train
from paceline.screen import INTERRUPTED, say

app = typer.Typer(
    name="paceline",
    help="Time the blocks of a network on a device, keep the times in a table, and search networks within a latency "
    "limit. Begin with `paceline demo`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for _command in (profile, doctor, show, predict, search, baseline, train, compare, report, export, demo):
    app.command()(_command)
table.command()(calibrate)
app.add_typer(table, name="table")
app.add_typer(targets, name="targets")

_profile_device = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
_profile_device.command()(profile)


def main() -> None:
    """The program ``paceline``."""
    _run(app, "paceline")


def profile_device() -> None:
    """The program ``profile-device``, short for ``paceline profile``."""
    _run(_profile_device, "profile-device")


def _run(program: typer.Typer, name: str) -> None:
    """Run a program and end the process with its status; what paceline raises becomes a sentence and a status."""
    try:
        program(prog_name=name)
    except PacelineError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        say(f"error: {error}. Make room, or choose another place with --out.")
        sys.exit(WrongUse.exit_code)
    except SystemExit as ended:  # typer makes one of Ctrl-C
        if ended.code == INTERRUPTED:
            say("\nInterrupted. The same command goes on from here.")
        raise
