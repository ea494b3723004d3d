"""``profile-device --hosts``: several equal devices fill one table."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from devices import Connection, Target, WrongUse, load_catalog
from latency import ExportedModels, Measurer, Outcome, SamplingPlan, Workload
from lut import FleetSummary, Progress, Start, appending, fill_fleet
from paceline.commands.fill_summary import outcome_in_words, summary_in_words, summary_json
from paceline.commands.fleet_report import COLUMNS, LOOKS, device_rows, fleet_in_words, fleet_json
from paceline.place import Place, measuring_place
from paceline.screen import progress_bar, say, show_json, show_table

Hosts = Annotated[
    str | None,
    typer.Option(
        "--hosts",
        metavar="A,B,...",
        help="Equal devices of the kind that --target names, which share the work: USER@HOST or USER@HOST:PORT, names "
        "from ~/.ssh/config, or targets of yours; a user or port that is not named is the target's. Some blocks are "
        "measured on all, to prove that they agree.",
    ),
]


_LEAST_ROUNDS = 3
"""With fewer processes the spread between them is known too badly to tell a slow device from a slow process."""


def refuse_part(share_to_measure: float | None, budget_s: float | None) -> None:
    """Raise WrongUse when only a part of the blocks is asked for: what to measure next depends on one device alone."""
    if share_to_measure is not None or budget_s is not None:
        raise WrongUse(
            "--hosts measures all blocks, --fraction and --budget choose some by what is known so far: give "
            "--time-limit in the place of --budget, or measure a part on one device."
        )


def fleet_places(
    target: Target,
    hosts: str,
    runtime: str | None,
    threads: int,
    options: Sequence[str],
    *,
    wait_s: float | None = None,
) -> dict[str, Place]:
    """Where ``--hosts`` measures, by the word each device was named with; nothing is connected yet.

    Args:
        target: what the devices are.
        hosts: names, separated by commas.
        runtime: as in ``measuring_place``; the same for all.
        threads: likewise.
        options: likewise.
        wait_s: likewise.

    Raises:
        WrongUse: the hosts or the options cannot be used.
        NotAvailable: as ``measuring_place``.
    """
    found = host_targets(hosts, target)
    return {name: measuring_place(host, runtime, threads, options, wait_s=wait_s) for name, host in found.items()}


def host_targets(hosts: str, target: Target) -> dict[str, Target]:
    """The devices that ``--hosts`` names, each by the word it was named with.

    A word that is the name of a reachable target is that one; any other is a place, and all else is as with ``target``.

    Raises:
        WrongUse: there is no name, a device comes twice, one is no host, or the target is this machine.
    """
    if target.is_here:
        raise WrongUse(
            f"--hosts names devices that are reached by ssh, and the target {target.name} is this machine. Say with "
            "--target what kind of device they are, such as xavier; `paceline targets` lists the kinds."
        )
    names = [name.strip() for name in hosts.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise WrongUse(f"--hosts takes different names, separated by commas, such as a,b,c; got {hosts!r}.")
    catalog = load_catalog()
    found = {name: _host(name, catalog.get(name), target) for name in names}
    _refuse_twice(found)
    return found


def _refuse_twice(hosts: Mapping[str, Target]) -> None:
    """Refuse one device under two names: it would agree with itself."""
    first = dict[str, str]()
    for name, host in hosts.items():
        where = host.connection.describe() if host.connection is not None else host.name
        if (earlier := first.setdefault(where, name)) != name:
            raise WrongUse(f"--hosts counts each device once, and {earlier} and {name} both are {where}.")


def _host(name: str, known: Target | None, target: Target) -> Target:
    if known is not None and known.is_here:
        raise WrongUse(f"--hosts names devices that are reached by ssh, and {name} is this machine.")
    if known is not None and known.can_be_reached:
        return replace(known, runtime=target.runtime, precision=target.precision)
    place = Connection.parse(name)
    if target.connection is None:
        return replace(target, name=name, connection=place, is_here=False)
    user, port = place.user or target.connection.user, place.port or target.connection.port
    return replace(target, name=name, connection=replace(target.connection, host=place.host, user=user, port=port))


def profile_fleet(
    places: Mapping[str, Place],
    workloads: Sequence[Workload],
    path: Path,
    plan: SamplingPlan,
    again: Callable[[Outcome], bool],
    limit_s: float | None,
    *,
    as_json: bool,
) -> None:
    """Fill the table at ``path`` with several devices, and say what came of it.

    Raises:
        typer.Exit: with status 1 when a device is off, or may be.
    """
    started, stopped = time.monotonic(), threading.Event()
    for place in places.values():
        say(place.describe())
    if plan.most_bursts < _LEAST_ROUNDS and len(places) > 1:
        say(f"Whether devices agree can hardly be told from fewer than {_LEAST_ROUNDS} rounds: mind --rounds.")
    with (
        fleet_starts(places, stopped.is_set) as starts,
        appending(path) as writer,
        progress_bar("measuring") as bar,
    ):

        def tell(host: str, progress: Progress) -> None:
            words = "" if progress.outcome is None else f"{host}: {outcome_in_words(progress.outcome)}"
            bar(progress.done, progress.wanted, words)

        summary = fill_fleet(
            writer,
            starts,
            workloads,
            plan,
            shards=path.with_name(path.name + ".d"),
            again=again,
            limit_s=math.inf if limit_s is None else limit_s,
            tell=tell,
            stopped=stopped,
        )
    _show(summary, path, time.monotonic() - started, as_json=as_json)
    raise typer.Exit(0 if summary.is_trusted else 1)


def _show(summary: FleetSummary, path: Path, spent_s: float, *, as_json: bool) -> None:
    if as_json:
        show_json({**summary_json(summary.fill, path, spent_s), **fleet_json(summary)})
        return
    for line in summary_in_words(summary.fill, path, spent_s):
        print(line)
    title = f"devices; {summary.common} blocks were measured on all"
    show_table(title, COLUMNS, device_rows(summary), looks=LOOKS)
    for line in fleet_in_words(summary):
        print(line)


@contextmanager
def fleet_starts(
    places: Mapping[str, Place], is_over: Callable[[], bool] = lambda: False
) -> Iterator[dict[str, Start]]:
    """What starts a round on each device. A device is first asked for when its first round is.

    So one that is not there is found missing by whoever measures, who can do without it, and all are connected at the
    same time.

    Args:
        places: the devices, by name.
        is_over: whether a device that is away need not be waited for any longer.
    """
    with closing(ExportedModels()) as models, ExitStack() as stack:
        yield {
            name: _connecting(name, place, models, is_over, stack.enter_context(ExitStack()))
            for name, place in places.items()
        }


def _connecting(
    name: str, place: Place, models: ExportedModels, is_over: Callable[[], bool], stack: ExitStack
) -> Start:
    connected: list[Start] = []

    @contextmanager
    def start(usual_s: Mapping[str, float]) -> Iterator[Measurer]:
        if not connected:
            starts = place.starts(models, tell=lambda words: say(f"{name}: {words}"), is_over=is_over)
            connected.append(stack.enter_context(starts))
        with connected[0](usual_s) as process:
            yield process

    return start
