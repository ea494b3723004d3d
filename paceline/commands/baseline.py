"""``paceline baseline``: a hand-made network to hold searched ones against."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from devices import NoAnswer, WrongUse, find_target, unknown_name
from latency import Measurement, SamplingPlan, Workload, is_estimated, operator_of
from lut import Progress, Table, TableWriter, appending, fill
from paceline.options import (
    Classes,
    InputSize,
    Json,
    Options,
    Runtime,
    TablePrecision,
    TargetName,
    Threads,
    look_up,
    precision_of,
    refuse_unwritable,
)
from paceline.place import Place, measuring_place
from paceline.screen import progress_bar, seconds, show_json
from search import (
    BY_HAND,
    WHOLE_NETWORK_PLAN,
    Architecture,
    Baseline,
    Objective,
    SearchResult,
    Space,
    format_cost,
    mobilenetv2_of_width,
    widest_mobilenetv2,
)

_OBJECTIVES = ("latency", "macs")


def baseline(
    out: Annotated[Path, typer.Option("--out", help="File to write the network to (JSON), as `paceline search` does.")],
    like: Annotated[
        Path | None,
        typer.Option("--like", help="A searched network whose limit, input size and classes the baseline shall have."),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option("--width", help="Multiplies the channels: 1.0, 0.5. (default: the most that the limit allows)"),
    ] = None,
    limit: Annotated[
        str | None, typer.Option("--limit", help="Most it may cost: 30ms of latency, or 45M MACs. (default: as --like)")
    ] = None,
    objective: Annotated[str, typer.Option("--objective", help="What --limit is on: latency or macs.")] = "latency",
    table: Annotated[
        Path | None,
        typer.Option("--table", help="Latency table, which what is measured is added to. Needed for latency."),
    ] = None,
    precision: TablePrecision = None,
    rounds: Annotated[
        int,
        typer.Option("--rounds", min=1, help="Most rounds, each in a fresh process, that anything is measured in."),
    ] = SamplingPlan.most_bursts,
    target: TargetName = "local",
    runtime: Runtime = None,
    threads: Threads = 1,
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    input_size: InputSize = None,
    classes: Classes = None,
    as_json: Json = False,
) -> None:
    """Make MobileNetV2 for segmentation, as wide as a limit lets it be, with the decoder of the SqueezeNAS spaces.

    On latency, some widths are measured whole on the table's device until the widest within the limit is found, then
    the blocks of that one. With a table that was estimated from peak figures, and on MACs, nothing is measured.

    `paceline compare` takes the file beside those of searches, and trains, exports and measures it the same way.

    Example: paceline baseline --like runs/latency.json --table tables/local.jsonl --out runs/mobilenetv2.json
    """
    refuse_unwritable(out)
    model = None if like is None else SearchResult.read(like)
    size, count = _conditions(model, input_size, classes)
    name, most = _limit(model, objective, limit, size, count)
    if name not in _OBJECTIVES:
        raise unknown_name("objective", name, _OBJECTIVES)
    if width is None and most is None:
        raise WrongUse("How wide? Give --width, or --limit, or --like a network that was searched under a limit.")
    if name == "macs" or table is None:
        if name == "latency" and width is None:
            raise WrongUse("A limit on latency needs --table: what is measured is kept there.")
        made = _by_macs(width, most, size, count)
    else:
        estimated = any(map(is_estimated, Table.read(table).environments()))
        place = None if estimated else measuring_place(find_target(target), runtime, threads, options)
        made = _by_latency(width, most, size, count, table, precision, place, rounds)
    result = _result(out, made, "macs" if table is None else name, most, size, count)
    result.write(out)
    if as_json:
        show_json(result.to_json())
    else:
        print(f"{result.name}: {made.space.name}, {format_cost(result.objective, made.cost)}")


def _conditions(
    model: SearchResult | None, input_size: tuple[int, int] | None, classes: int | None
) -> tuple[tuple[int, int], int]:
    """Input size and classes: typed, or those of the network that it shall be like."""
    size = input_size or (None if model is None else model.input_size)
    count = classes or (None if model is None else model.classes)
    if size is None or count is None:
        raise WrongUse("Networks are compared at one size: give --input and --classes, or --like a searched network.")
    return (size[0], size[1]), count


def _limit(
    model: SearchResult | None, objective: str, typed: str | None, size: tuple[int, int], classes: int
) -> tuple[str, float | None]:
    """What the limit is on, and the limit in seconds or MACs: typed, or that of the network that it shall be like."""
    if typed is None:
        return (objective, None) if model is None else (model.objective, model.limit)
    if objective == "latency":
        return objective, seconds(typed)
    return objective, Objective.macs(mobilenetv2_of_width(1.0, size, classes)[0]).limit(typed)


def _by_macs(width: float | None, limit: float | None, size: tuple[int, int], classes: int) -> Baseline:
    if width is not None:
        space, architecture = mobilenetv2_of_width(width, size, classes)
        return Baseline(width, space, architecture, _macs(space, architecture))
    assert limit is not None, "there is a width or a limit"
    return widest_mobilenetv2(limit, _macs, size, classes, objective="macs")


def _by_latency(
    width: float | None,
    limit_s: float | None,
    size: tuple[int, int],
    classes: int,
    path: Path,
    asked: str | None,
    place: Place | None,
    rounds: int,
) -> Baseline:
    """The width that was typed, or the widest within the limit; its blocks are in the table afterwards."""
    with appending(path, create=False) as writer:
        precision = precision_of(writer.table, asked)

        def cost(space: Space, architecture: Architecture) -> float:
            if place is None:
                return look_up(space, writer.table, path).estimate(architecture.picks).mean_s
            return _measured_s(writer, place, space.network(architecture), rounds)

        if width is not None:
            space, architecture = mobilenetv2_of_width(width, size, classes, precision)
            made = Baseline(width, space, architecture, cost(space, architecture))
        else:
            assert limit_s is not None, "there is a width or a limit"
            made = widest_mobilenetv2(limit_s, cost, size, classes, precision)
        if place is not None:
            _fill(writer, place, made.space.workloads(), SamplingPlan().with_rounds(rounds))
        return made


def _measured_s(writer: TableWriter, place: Place, network: Workload, rounds: int) -> float:
    plan = WHOLE_NETWORK_PLAN.with_rounds(min(rounds, WHOLE_NETWORK_PLAN.most_bursts))
    _fill(writer, place, [network], plan)
    outcome = writer.table.outcome(network, writer.table.environment())
    if not isinstance(outcome, Measurement):
        reason = "" if outcome is None else f": {outcome.stage}: {outcome.reason}"
        raise NoAnswer(f"MobileNetV2 could not be measured on the device{reason}. Mend the cause and try again.")
    return outcome.time_s


def _fill(writer: TableWriter, place: Place, workloads: Sequence[Workload], plan: SamplingPlan) -> None:
    def tell(progress: Progress) -> None:
        bar(progress.done, progress.wanted)

    with place.starts() as start, progress_bar("measuring") as bar:
        fill(writer, start, workloads, plan, tell=tell)


def _result(
    out: Path, made: Baseline, objective: str, limit: float | None, size: tuple[int, int], classes: int
) -> SearchResult:
    return SearchResult(
        name=out.stem,
        space=made.space.name,
        input_size=size,
        classes=classes,
        architecture=made.space.names(made.architecture),
        objective=objective,
        limit=limit,
        cost=made.cost,
        score=0.0,
        seed=0,
        data="",
        recipe={},
        command=shlex.join(["paceline", *sys.argv[1:]]),
        strategy=BY_HAND,
        evaluator="",
        meaning="not scored",
    )


def _macs(space: Space, architecture: Architecture) -> float:
    workload = space.network(architecture)
    return float(operator_of(workload).macs(workload))
