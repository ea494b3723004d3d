"""``paceline baseline``: a hand-made network to hold searched ones against."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from devices import NoAnswer, WrongUse, find_target, unknown_name
from latency import (
    Measurement,
    SamplingPlan,
    Workload,
    estimated_target,
    open_roofline,
    operator_of,
    roofline_environment,
)
from lut import (
    Progress,
    Table,
    TableWriter,
    Unmeasured,
    appending,
    fill,
    measurable,
    refuse_other_environment,
)
from paceline.options import (
    NO_DEVICE,
    Classes,
    InputSize,
    Json,
    Options,
    Runtime,
    TablePrecision,
    TargetName,
    Threads,
    holds_estimates,
    look_up,
    precision_of,
    refuse_idle,
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
    objective: Annotated[
        str | None, typer.Option("--objective", help="What --limit is on: latency or macs. (default: latency)")
    ] = None,
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
    the blocks of that one. With a table that was estimated from peak figures, widths are estimated in the same way and
    added to it. On MACs no table is needed; where one is given, the blocks of the chosen width are added to it.

    `paceline compare` takes the file beside those of searches, and trains, exports and measures it the same way.

    Example: paceline baseline --like runs/latency.json --table tables/local.jsonl --out runs/mobilenetv2.json
    """
    refuse_unwritable(out)
    model = None if like is None else SearchResult.read(like)
    size, count = _conditions(model, input_size, classes)
    name, most = _limit(model, objective, limit, width, size, count)
    if width is None and most is None:
        raise WrongUse("How wide? Give --width, or --limit, or --like a network that was searched under a limit.")
    if table is None and name == "latency" and width is None:
        raise WrongUse("A limit on latency needs --table: what is measured is kept there.")
    place = _place(table, target, runtime, threads, options, precision, rounds)
    if table is None or name == "macs":
        made = _by_macs(width, most, size, count)
        name, most = "macs", most if name == "macs" else None
        if table is not None:
            _add_blocks_of(made, size, count, table, precision, place, rounds)
    else:
        made = _by_latency(width, most, size, count, table, precision, place, rounds)
    result = _result(out, made, name, most, size, count)
    result.write(out)
    if as_json:
        show_json(result.to_json())
    else:
        print(f"{result.name}: {made.space.name}, {format_cost(name, made.cost)}{_beside_limit(name, made, most)}")


def _conditions(
    model: SearchResult | None, input_size: tuple[int, int] | None, classes: int | None
) -> tuple[tuple[int, int], int]:
    """Input size and classes: typed, or those of the network that it shall be like."""
    if model is not None and model.open()[0].tap is None:
        raise WrongUse(
            f"{model.name} tells the class of a picture, and the baseline that of each pixel: they cannot be compared. "
            "Give --like a network for segmentation."
        )
    size = input_size or (None if model is None else model.input_size)
    count = classes or (None if model is None else model.classes)
    if size is None or count is None:
        raise WrongUse("Networks are compared at one size: give --input and --classes, or --like a searched network.")
    return (size[0], size[1]), count


def _limit(
    model: SearchResult | None,
    objective: str | None,
    typed: str | None,
    width: float | None,
    size: tuple[int, int],
    classes: int,
) -> tuple[str, float | None]:
    """What the limit is on, and the limit in seconds or MACs: typed, or that of the network that it shall be like."""
    name = objective or _OBJECTIVES[0]
    if name not in _OBJECTIVES:
        raise unknown_name("objective", name, _OBJECTIVES)
    if typed is None:
        return (name, None) if model is None else _limit_of(model, objective, width)
    if width is not None:
        raise WrongUse("A width is typed, or the most that a limit allows: give --width or --limit.")
    if name == "latency":
        return name, seconds(typed)
    return name, Objective.macs(mobilenetv2_of_width(1.0, size, classes)[0]).limit(typed)


def _limit_of(model: SearchResult, objective: str | None, width: float | None) -> tuple[str, float | None]:
    """What a searched network was limited in, and its limit, if one that a baseline can have."""
    if objective is not None and objective != model.objective:
        raise WrongUse(f"{model.name} was searched on {model.objective}: give --limit with --objective {objective}.")
    fits = model.objective in _OBJECTIVES and len(model.limits) < 2  # Several are named there, and one of a device.
    if not fits and width is None:
        limited = " and ".join(model.limits or [model.objective])
        raise WrongUse(
            f"{model.name} was searched under limits on {limited}, and a baseline has one, on latency or macs. Say "
            "which with --objective and --limit."
        )
    return (model.objective, model.limit) if fits else (objective or _OBJECTIVES[0], None)


def _place(
    table: Path | None,
    target: str,
    runtime: str | None,
    threads: int,
    options: Sequence[str],
    precision: str | None,
    rounds: int,
) -> Place | None:
    """Where things are measured; None where nothing is: without a table, or with one of estimates."""
    others = {"--rounds": rounds != SamplingPlan.most_bursts}
    if table is None:
        why = "Nothing is measured without --table: give one"
        others["--precision"] = precision is not None
    elif holds_estimates(Table.read(table)):
        why = NO_DEVICE
    else:
        return measuring_place(find_target(target), runtime, threads, options)
    refuse_idle(why, target, runtime, threads, options, others)
    return None


def _beside_limit(name: str, made: Baseline, limit: float | None) -> str:
    if limit is None:
        return ""
    return f", {'within' if made.cost <= limit else 'above'} the limit of {format_cost(name, limit)}"


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
                _estimate(writer, space)
                return look_up(space, writer.table, path).estimate(architecture.picks).mean_s
            return _measured_s(writer, place, space, architecture, rounds)

        if width is not None:
            space, architecture = mobilenetv2_of_width(width, size, classes, precision)
            made = Baseline(width, space, architecture, cost(space, architecture))
        else:
            assert limit_s is not None, "there is a width or a limit"
            made = widest_mobilenetv2(limit_s, cost, size, classes, precision)
        _add_blocks(writer, place, made.space, rounds)
        return made


def _add_blocks_of(
    made: Baseline,
    size: tuple[int, int],
    classes: int,
    path: Path,
    asked: str | None,
    place: Place | None,
    rounds: int,
) -> None:
    """Have a table know the blocks of a width that was chosen without it, as `compare` wants it."""
    with appending(path, create=False) as writer:
        space, _ = mobilenetv2_of_width(made.width, size, classes, precision_of(writer.table, asked))
        _add_blocks(writer, place, space, rounds)


def _add_blocks(writer: TableWriter, place: Place | None, space: Space, rounds: int) -> None:
    """Add what a table lacks of a space: measured, or estimated where there is no device to measure on."""
    if place is None:
        _estimate(writer, space)
    else:
        plan = SamplingPlan().with_rounds(rounds)
        _fill(writer, place, space.workloads(), plan, f"blocks of {space.name}")


def _estimate(writer: TableWriter, space: Space) -> None:
    """Add what a table of estimates lacks of a space."""
    known = writer.table.environment()
    target = find_target(estimated_target(known))
    refuse_other_environment(writer.table, roofline_environment(target))  # Its peaks may be others by now.
    blocks = [w for w in measurable(space.workloads()) if not writer.table.is_known(w, known)]
    roofline = open_roofline(target, space.workloads()[0].precision)
    writer.add_estimates([Unmeasured(block, known, roofline.estimate(block)) for block in blocks])


def _measured_s(writer: TableWriter, place: Place, space: Space, architecture: Architecture, rounds: int) -> float:
    plan = WHOLE_NETWORK_PLAN.with_rounds(min(rounds, WHOLE_NETWORK_PLAN.most_bursts))
    network = space.network(architecture)
    _fill(writer, place, [network], plan, space.name)
    outcome = writer.table.outcome(network, writer.table.environment())
    if not isinstance(outcome, Measurement):
        reason = "" if outcome is None else f": {outcome.stage}: {outcome.reason}"
        raise NoAnswer(f"MobileNetV2 could not be measured on the device{reason}. Mend the cause and try again.")
    return outcome.time_s


def _fill(writer: TableWriter, place: Place, workloads: Sequence[Workload], plan: SamplingPlan, what: str) -> None:
    def tell(progress: Progress) -> None:
        bar(progress.done, progress.wanted)

    with place.starts() as start, progress_bar(f"measuring {what}") as bar:
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
