"""``paceline export``: a network out of the door, with the files it is used by and a card that says what it is."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from devices import NotAvailable, WrongUse, find_target
from latency import (
    Failure,
    Measurement,
    Missing,
    ProfilingError,
    build_engine,
    is_estimated,
    nothing_measured,
    operator_of,
)
from lut import Lookup, Progress, Table, appending, fill
from paceline.commands.show import open_network
from paceline.options import (
    Classes,
    InputSize,
    Json,
    NetworkRounds,
    Options,
    Runtime,
    Seed,
    TablePrecision,
    TargetName,
    Threads,
    look_up,
    precision_of,
)
from paceline.place import Place, measuring_place
from paceline.screen import progress_bar, say, seconds, show_json
from search import (
    BY_HAND,
    PUBLISHED,
    WHOLE_NETWORK_PLAN,
    Architecture,
    Delivery,
    Interval,
    ModelCard,
    SearchResult,
    ShippedFile,
    Space,
    Weights,
    engine_words,
    exported_onnx,
    random_weights,
    shipped,
    trained_weights,
)


def export(
    network: Annotated[
        str, typer.Argument(help="A published network (lat_small, ...), or a file that `paceline search` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.onnx, NAME.card.md and what else is made.")],
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="NAME.safetensors that `paceline compare` left in its --out. (default: random)"),
    ] = None,
    dynamic: Annotated[
        bool,
        typer.Option("--dynamic", help="Leave batch open and, where the network allows it, height and width."),
    ] = False,
    precision: TablePrecision = None,
    engine: Annotated[
        bool | None,
        typer.Option("--engine/--no-engine", help="Build a TensorRT engine. (default: where TensorRT and a GPU are)"),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="Latency table, for what is promised of the latency.")
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(
            "--limit", parser=seconds, metavar="TIME", help="Most it may take, such as 30ms. (default: the search's)"
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the whole network on the table's device, and keep it there.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Measure it though the table knows it already.")] = False,
    rounds: NetworkRounds = WHOLE_NETWORK_PLAN.most_bursts,
    target: TargetName = "local",
    runtime: Runtime = None,
    threads: Threads = 1,
    options: Options = [],  # noqa: B006 - typer wants a list and hands out a new one
    input_size: InputSize = None,
    classes: Classes = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Export a network: ONNX that was held against torch, a TensorRT engine where TensorRT is, and a model card.

    The ONNX file has a fixed size and single precision; with --precision fp16 there is one of half precision beside it.
    An engine is built for the GPU of this machine, at that precision. With --table the card says what latency was
    promised, and with --measure the network is then measured whole on the device: promised against delivered. Where it
    is over its limit the command ends with status 1 and says what to do.

    Example: paceline export runs/latency.json --weights runs/compare/latency.safetensors --out runs/shipped
    --table tables/local.jsonl --measure
    """
    read = None if table is None else Table.read(table)
    number_format = precision or "fp32" if read is None else precision_of(read, precision)
    found = _opened(network, input_size, classes)
    loaded = (
        random_weights(found.space, found.architecture, seed)
        if weights is None
        else trained_weights(found.space, found.architecture, weights)
    )
    files = _onnx_files(found, loaded, number_format, out, dynamic=dynamic)
    delivery = Delivery(limit_s=found.limit_s if limit is None else limit)
    if table is not None:
        if measure:
            _refuse_estimated(table)
            place = measuring_place(find_target(target), runtime, threads, options)
            _measure(found, table, number_format, place, rounds, again=again)
        delivery = _delivery(found, table, number_format, delivery)
    elif measure:
        raise WrongUse("What is measured is kept in a table, beside what was promised: give --table.")
    built, lacking = (None, "") if engine is False else _engine_file(found, loaded, number_format, out)
    if engine and built is None:
        raise NotAvailable(f"No TensorRT engine can be built here: {lacking}")
    shipping = [*files, *([] if built is None else [built])]
    card = _card(found, loaded, delivery, number_format, shipping, dynamic=dynamic)
    paths = card.write(out)
    if as_json:
        show_json(card.to_json())
    else:
        _show(card, paths[0], lacking)
    if delivery.is_broken:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Found:
    """A network, opened in single precision, and the search that it comes from if it does."""

    name: str
    space: Space
    architecture: Architecture
    result: SearchResult | None

    @property
    def limit_s(self) -> float | None:
        """The limit on its latency that it was searched under."""
        return self.result.limit if self.result is not None and self.result.objective == "latency" else None

    def at(self, precision: str) -> Space:
        """Its space in another number format."""
        if self.result is not None:
            return self.result.open(precision)[0]
        return open_network(self.name, self.space.input_size, self.space.classes, precision)[0]


def _opened(network: str, input_size: tuple[int, int] | None, classes: int | None) -> _Found:
    space, architecture = open_network(network, input_size, classes)
    if network in PUBLISHED:
        return _Found(network, space, architecture, None)
    result = SearchResult.read(Path(network))
    return _Found(result.name, space, architecture, result)


def _onnx_files(found: _Found, weights: Weights, precision: str, out: Path, *, dynamic: bool) -> list[ShippedFile]:
    files = list[ShippedFile]()
    for number_format, ending in (("fp32", ""), ("fp16", ".fp16")):
        if number_format not in ("fp32", precision):
            continue
        try:
            onnx = exported_onnx(found.space, found.architecture, weights.module, number_format, dynamic=dynamic)
        except ValueError as error:
            raise WrongUse(f"{error}. Ship it in fp32.") from error
        name = f"{found.name}{ending}.onnx"
        say(f"{name}: {onnx.describe()}")
        for axis, reason in onnx.shape.refused.items():
            say(f"{name}: {axis} stays fixed, because {reason}")
        files.append(shipped(out, name, onnx.model, onnx.describe()))
    return files


def _engine_file(found: _Found, weights: Weights, precision: str, out: Path) -> tuple[ShippedFile | None, str]:
    """The engine's file; or why there is none."""
    try:
        engine = build_engine(found.at(precision).network(found.architecture), weights.module)
    except ProfilingError as error:
        return None, str(error)
    if isinstance(engine, Missing):
        return None, f"{engine.reason}. {engine.remedy}"
    words = engine_words(engine, found.space.input_size)
    return shipped(out, f"{found.name}.{precision}.engine", engine.plan, words), ""


def _refuse_estimated(table: Path) -> None:
    if any(map(is_estimated, Table.read(table).environments())):
        raise WrongUse(
            f"{table} was estimated from peak figures, and nothing was measured for it. Leave --measure out, or give a "
            "table that was measured."
        )


def _measure(found: _Found, table: Path, precision: str, place: Place, rounds: int, *, again: bool) -> None:
    """Measure the whole network, and keep it in the table."""
    workload = found.at(precision).network(found.architecture)
    plan = WHOLE_NETWORK_PLAN.with_rounds(rounds)
    with appending(table, create=False) as writer, place.starts() as start, progress_bar("measuring") as bar:

        def tell(progress: Progress) -> None:
            bar(progress.done, progress.wanted)

        fill(writer, start, [workload], plan, again=lambda outcome: again, tell=tell)


def _delivery(found: _Found, table: Path, precision: str, promised: Delivery) -> Delivery:
    """What the table says of the network: of its blocks, and of the whole."""
    read, space = Table.read(table), found.at(precision)
    lookup: Lookup = look_up(space, read, table)
    estimate = lookup.estimate(found.architecture.picks)
    outcome = read.outcome(space.network(found.architecture), lookup.environment)
    return replace(
        promised,
        device=lookup.environment.describe(),
        predicted=Interval(estimate.mean_s, *estimate.interval_s),
        source=estimate.source,
        measured=Interval(outcome.time_s, *outcome.interval_s) if isinstance(outcome, Measurement) else None,
        failure=f"{outcome.stage}: {outcome.reason}" if isinstance(outcome, Failure) else None,
        doubts=(
            *filter(None, [nothing_measured(lookup.environment)]),
            *(f"Of the measured time: {p}." for p in (outcome.problems() if isinstance(outcome, Measurement) else ())),
        ),
        environment=lookup.environment.to_json(),
    )


def _card(
    found: _Found,
    weights: Weights,
    delivery: Delivery,
    precision: str,
    files: Sequence[ShippedFile],
    *,
    dynamic: bool,
) -> ModelCard:
    workload, result = found.space.network(found.architecture), found.result
    operator = operator_of(workload)
    searched = result is not None and result.strategy != BY_HAND
    return ModelCard(
        name=found.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        space=found.space.name,
        input_size=found.space.input_size,
        classes=found.space.classes,
        units=tuple(zip((unit.name for unit in found.space.units), found.space.names(found.architecture), strict=True)),
        macs=operator.macs(workload),
        parameters=operator.parameters(workload),
        precision=precision,
        objective=result.objective if result is not None and searched else None,
        limit=result.limit if result is not None and searched else None,
        delivery=delivery,
        weights=weights.origin,
        accuracy=weights.accuracy,
        recipe={**({"search": dict(result.recipe)} if result is not None and searched else {}), **weights.conditions},
        files=files,
        commands=(
            *filter(None, ["" if result is None else result.command, weights.command]),
            shlex.join(["paceline", *sys.argv[1:]]),
        ),
        versions={
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in ("paceline", "torch", "onnx", "numpy")},
        },
        caveats=tuple(_caveats(found, weights, delivery, dynamic=dynamic)),
    )


def _caveats(found: _Found, weights: Weights, delivery: Delivery, *, dynamic: bool) -> list[str]:
    said = list(delivery.doubts)
    if not weights.conditions:
        said.append("The weights are random: times are right, answers are not.")
    elif weights.accuracy is None:
        said.append("How good its answers are is not known: no comparison lies beside the weights.")
    if dynamic and delivery.device:
        height, width = found.space.input_size
        said.append(f"Latencies are those at {height}x{width} and batch 1 with that size fixed; open axes cost more.")
    if found.result is not None and found.result.note:
        said.append(found.result.note)
    return list(dict.fromkeys(said))


def _show(card: ModelCard, path: Path, lacking: str) -> None:
    if lacking:
        say(f"No TensorRT engine: {lacking}")
    for file in card.files:
        print(f"{path.parent / file.name}")
    print(path)
    for sentence in card.delivery.sentences():
        print(sentence)
    for caveat in card.caveats:
        print(f"Note: {caveat}")
