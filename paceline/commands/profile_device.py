"""``profile-device``: time all candidate blocks of a space and fill its table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from devices import find_target, unknown_name
from latency import (
    ChosenByCrossValidation,
    Failure,
    Outcome,
    SamplingPlan,
    find_cost_model,
)
from lut import (
    PartialSummary,
    Progress,
    appending,
    fill,
    fill_most_telling,
    is_doubtful,
)
from paceline.commands.estimate_table import EstimateOnly, estimate_table, refuse_measuring_options
from paceline.commands.fill_summary import outcome_in_words, summary_in_words, summary_json
from paceline.commands.fleet_profile import Hosts, fleet_places, profile_fleet, refuse_part
from paceline.commands.partial_profile import (
    Budget,
    FractionToMeasure,
    ModelName,
    part_to_measure,
    predicted_in_words,
    predicted_json,
)
from paceline.options import (
    Classes,
    InputSize,
    Json,
    Options,
    Precision,
    Runtime,
    SpaceName,
    TargetName,
    Threads,
    Wait,
)
from paceline.place import measuring_place
from paceline.screen import progress_bar, say, seconds, share, show_json, size_text
from search import open_space

_AGAIN: Mapping[str, Callable[[Outcome], bool]] = {
    "none": lambda outcome: False,
    "failed": lambda outcome: isinstance(outcome, Failure),
    "doubtful": lambda outcome: isinstance(outcome, Failure) or is_doubtful(outcome),
    "all": lambda outcome: True,
}
"""Which outcomes of earlier runs are measured again."""

Again = Annotated[
    str,
    typer.Option(
        "--again",
        help=f"Known rows to measure again: {', '.join(_AGAIN)}. Interrupted, the same command goes on with rows that "
        "it had not finished; those it had, it measures once more where they are still meant: with `all`, every one.",
    ),
]


def again_rule(again: str) -> Callable[[Outcome], bool]:
    """Which known outcomes ``--again`` means.

    Raises:
        WrongUse: there is no such choice.
    """
    if again not in _AGAIN:
        raise unknown_name("choice for --again", again, _AGAIN)
    return _AGAIN[again]


def profile(
    space: SpaceName = "squeezenas-small",
    target: TargetName = "local",
    input_size: InputSize = None,
    classes: Classes = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Table to fill. (default: tables/TARGET.jsonl, or tables/TARGET-estimate.jsonl)"),
    ] = None,
    runtime: Runtime = None,
    threads: Threads = 1,
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    precision: Precision = None,
    interval: Annotated[
        float, typer.Option("--interval", parser=share, metavar="PERCENT", help="Wanted 95 % interval of each block.")
    ] = "1%",  # type: ignore[assignment]  # typer parses a default as it parses what is typed
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Most rounds, each in a fresh process, that a block is measured in.")
    ] = SamplingPlan.most_bursts,
    limit_s: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            parser=seconds,
            metavar="TIME",
            help="Stop after this time; the same command goes on. (default: when all is known)",
        ),
    ] = None,
    again: Again = "none",
    share_to_measure: FractionToMeasure = None,
    budget_s: Budget = None,
    model: ModelName = ChosenByCrossValidation.name,
    wait_s: Wait = None,
    hosts: Hosts = None,
    estimate_only: EstimateOnly = False,
    as_json: Json = False,
) -> None:
    """Time every candidate block of a search space on a device, and keep the times in a table.

    Blocks are measured in rounds, each by a fresh process and in an order of its own, because processes differ by more
    than repetitions within one. A block is done when its interval is narrow enough, when more rounds no longer narrow
    it, or after the last round. Beside each sample the machine's speed is looked at, and disturbed samples are thrown
    away.

    Each burst of samples is in the table the moment it is known. After Ctrl-C, or worse, the same command goes on where
    it was and measures nothing twice. Several spaces and input sizes fit into one table; several devices do not.

    With --fraction or --budget only the blocks are measured that teach most about the others, chosen in batches by what
    a cost model is least sure of; the others are predicted, and marked as such in the table with their intervals. A
    later run goes on from there, and what it measures takes the place of what was predicted.

    A device that is not this machine is measured through ssh, with nothing installed on it; `paceline targets add`
    names it. A lost connection is tried again for ten minutes. Without the device, --estimate fills the table with what
    its maker's figures make likely.

    Several equal devices share the work with --hosts. All of them measure some of the blocks, which shows whether they
    agree; the rows of one that does not are left out, and the command ends with status 1.

    Example: profile-device --target local --space squeezenas-small --input 256x512 --out tables/local.jsonl

    Example, a first look: profile-device --space squeezenas-small --input 256x512 --budget 60s

    Example, a Jetson: paceline targets add xavier --host nvidia@10.0.0.5 && profile-device --target xavier

    Example, two of them: profile-device --target xavier --hosts nvidia@10.0.0.5,nvidia@10.0.0.6
    """
    rule = again_rule(again)
    found = find_target(target)
    opened = open_space(space, input_size, classes, precision or found.precision)
    path = out or Path("tables") / f"{target}{'-estimate' if estimate_only else ''}.jsonl"
    if estimate_only:
        refuse_measuring_options(
            fraction=share_to_measure,
            budget=budget_s,
            time_limit=limit_s,
            again=None if again == "none" else again,
            runtime=runtime,
            option=options or None,
            threads=None if threads == 1 else threads,
            rounds=None if rounds == SamplingPlan.most_bursts else rounds,
            model=None if model == ChosenByCrossValidation.name else model,
            wait=wait_s,
            hosts=hosts,
        )
        estimate_table(found, opened, path, as_json=as_json)
        return
    plan = SamplingPlan(precision=interval).with_rounds(rounds)
    heading = f"{opened.name} at {size_text(opened.input_size)}, {opened.classes} classes"
    if hosts is not None:
        refuse_part(share_to_measure, budget_s)
        places = fleet_places(found, hosts, runtime, threads, options, wait_s=wait_s)
        say(heading)
        profile_fleet(places, opened.workloads(), path, plan, rule, limit_s, as_json=as_json)
        return
    scope = part_to_measure(share_to_measure, budget_s, limit_s, again)
    cost_model = find_cost_model(model)
    place = measuring_place(found, runtime, threads, options, wait_s=wait_s)
    say(heading)
    say(place.describe())
    started = time.monotonic()
    with place.starts() as start, appending(path) as writer, progress_bar("measuring") as bar:

        def tell(progress: Progress, what: str | None = None) -> None:
            words = "" if progress.outcome is None else outcome_in_words(progress.outcome)
            bar(progress.done, progress.wanted, words, what)

        if scope is None:
            until_s = math.inf if limit_s is None else limit_s
            summary = fill(writer, start, opened.workloads(), plan, again=rule, limit_s=until_s, tell=tell)
            partial = PartialSummary(summary, {})
        else:
            wanted = opened.workloads()
            partial = fill_most_telling(
                writer, start, wanted, plan, scope, cost_model, always=opened.fixed, tell=lambda w, p: tell(p, w)
            )
    spent_s = time.monotonic() - started
    if as_json:
        show_json({**summary_json(partial.fill, path, spent_s), **predicted_json(partial)})
    else:
        for line in (*summary_in_words(partial.fill, path, spent_s), *predicted_in_words(partial)):
            print(line)
