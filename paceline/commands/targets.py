"""``paceline targets``: the devices that can be measured on, and those of the user."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from devices import (
    Target,
    WrongUse,
    add_target,
    load_catalog,
    remove_target,
    shipped_targets,
    unknown_name,
    user_targets_file,
)
from latency import PRECISION_BYTES, find_profiler
from paceline.commands.examine_target import examine
from paceline.options import Json
from paceline.screen import show_json, show_table

targets = typer.Typer(invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="What the device is called from now on, such as xavier.", metavar="NAME")]


@targets.callback()
def list_targets(context: typer.Context, as_json: Json = False) -> None:
    """List the devices that profile-device can measure on; add your own, remove and test them.

    A target is a kind of device, with the runtime, precision and power mode it is measured with. This machine can be
    measured on at once. Any other device needs Linux, Python 3.6 or later and an ssh login with a key; nothing is
    installed there. Name its host once:

    Example: paceline targets add xavier --host nvidia@10.0.0.5

    Example, can it be measured on: paceline targets test xavier

    Example, measure: profile-device --target xavier
    """
    if context.invoked_subcommand is not None:
        return
    catalog = load_catalog()
    if as_json:
        show_json([{**asdict(target), "can_be_reached": target.can_be_reached} for target in catalog.values()])
        return
    rows = [(t.name, t.description, t.runtime, t.precision, where(t)) for t in catalog.values()]
    show_table("targets", ("target", "what", "runtime", "precision", "where"), rows, left=5)
    if kinds := [target.name for target in catalog.values() if not target.can_be_reached]:
        print(
            f"Without a host it is a kind of device: paceline targets add {kinds[0]} --host USER@ADDRESS names yours."
        )


def where(target: Target) -> str:
    """Where a target is, for the screen; empty for a kind of device."""
    if target.connection is not None:
        return target.connection.describe()
    return "this machine" if target.is_here else ""


@targets.command()
def add(
    name: Name,
    host: Annotated[
        str,
        typer.Option("--host", help="USER@ADDRESS or USER@ADDRESS:PORT, or a name from ~/.ssh/config."),
    ],
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port of its ssh server.")] = None,
    jump: Annotated[
        str | None,
        typer.Option("--jump", metavar="USER@HOST", help="Host to go through; several are separated by commas."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option("--identity", help="Private key to log in with. (default: as ssh does, and the ssh agent)"),
    ] = None,
    python: Annotated[
        str | None, typer.Option("--python", help="Its Python, 3.6 or later; a name or a path. (default: python3)")
    ] = None,
    work: Annotated[
        str | None, typer.Option("--work", help="Its folder for temporary files. (default: its own choice)")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="TARGET", help="Kind of device. (default: that of the same name, else ssh)"),
    ] = None,
    runtime: Annotated[str | None, typer.Option("--runtime", help="Runtime to measure with by default.")] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help=f"Number format by default: {', '.join(PRECISION_BYTES)}.")
    ] = None,
    power_mode: Annotated[
        str | None, typer.Option("--power-mode", help="Mode that it should be in when it is measured, such as MAXN.")
    ] = None,
) -> None:
    """Name a device of yours: how it is reached by ssh, and what kind of device it is.

    What is not named is as ssh's own configuration says (~/.ssh/config): user, port, key, jump hosts. One logs in with
    a key or the ssh agent; a password is never asked for, and never kept. Adding a name once more replaces the way to
    the device. Nothing is connected yet: paceline targets test NAME does that.

    Example: paceline targets add xavier --host nvidia@10.0.0.5

    Example, a second one, behind a gate: paceline targets add desk --like xavier --host nvidia@desk --jump me@gate
    """
    _check(runtime, precision)
    given: Mapping[str, str | int | None] = {
        "like": like,
        "host": host,
        "port": port,
        "jump": jump,
        "identity": None if identity is None else _key_file(identity),
        "python": python,
        "work": work,
        "runtime": runtime,
        "precision": precision,
        "power_mode": power_mode,
    }
    entry = {field: value for field, value in given.items() if value is not None}
    added = add_target(name, entry, shipped_targets())
    print(
        f"{name}: {added.description}, {where(added)}, {added.runtime} in {added.precision}; in {user_targets_file()}"
    )
    print(f"Next: {shlex.join(['paceline', 'targets', 'test', name])}")


@targets.command()
def remove(name: Name) -> None:
    """Forget a device of yours; a kind of device of the same name stays."""
    remove_target(name)
    print(f"{name} is no longer in {user_targets_file()}")


def _check(runtime: str | None, precision: str | None) -> None:
    if runtime is not None:
        find_profiler(runtime)
    if precision is not None and precision not in PRECISION_BYTES:
        raise unknown_name("precision", precision, PRECISION_BYTES)


def _key_file(path: Path) -> str:
    """The key's path from anywhere; one in the home folder keeps its short name, which holds on other machines."""
    if not path.expanduser().is_file():
        raise WrongUse(f"--identity names a private key; there is no file {path}.")
    return str(path) if str(path).startswith("~") else str(path.absolute())


targets.command("test")(examine)
