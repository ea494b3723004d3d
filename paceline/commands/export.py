"""``paceline export``: a network out of the door, with the files it is used by and a card that says what it is."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from devices import NotAvailable, WrongUse, find_target, unknown_name
from latency import (
    PRECISION_BYTES,
    BuiltEngine,
    Estimate,
    Failure,
    Measurement,
    Missing,
    ProfilingError,
    build_engine,
    missing_for_engine,
    nothing_measured,
)
from lut import Lookup, Progress, Table, appending, fill
from paceline.commands.shipment import Shipment, card_of, caveats_of, notes_of, open_shipment
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
    holds_estimates,
    look_up,
    place_words,
    precision_of,
    refuse_idle,
    refuse_unwritable,
)
from paceline.place import Place, measuring_place
from paceline.screen import progress_bar, say, seconds, show_json
from search import (
    WHOLE_NETWORK_PLAN,
    Delivery,
    ExportedOnnx,
    Interval,
    ModelCard,
    Weights,
    engine_words,
    exported_onnx,
    random_weights,
    trained_weights,
    write_shipped,
)

_NO_ENGINE = "No TensorRT engine can be built here"


def export(
    network: Annotated[
        str, typer.Argument(help="A published network (lat_small, ...), or a file that `paceline search` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.onnx, NAME.card.md and what else is made.")],
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="NAME.safetensors that `paceline train` or `paceline compare` left in its --out. (default: random)",
        ),
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
    if number_format not in PRECISION_BYTES:
        raise unknown_name("number format", number_format, PRECISION_BYTES)
    found = open_shipment(network, input_size, classes)
    refuse_unwritable(out / f"{found.name}.card.md")
    place = None
    if not measure:
        others = {"--rounds": rounds != WHOLE_NETWORK_PLAN.most_bursts, "--again": again}
        refuse_idle("Nothing is measured without --measure: add it", target, runtime, threads, options, others)
    else:
        place = _place(read, table, target, runtime, threads, options)
    if engine:
        _refuse_missing()
    delivery = Delivery(limit_s=found.limit_on(table) if limit is None else limit)
    if read is not None and table is not None:  # What it lacks is said before anything takes long.
        _look_up(found, read, table, number_format)
    loaded = (
        random_weights(found.space, found.architecture, seed)
        if weights is None
        else trained_weights(found.space, found.architecture, weights)
    )
    models = _onnx_models(found, loaded, delivery, number_format, dynamic=dynamic)
    if table is not None:
        if place is not None:
            _measure(found, table, number_format, place, rounds, again=again)
        delivery = _delivery(found, table, number_format, delivery)
    built, lacking = (None, "") if engine is False else _engine(found, loaded, number_format)
    if engine and built is None:
        raise NotAvailable(f"{_NO_ENGINE}: {lacking}")
    card = card_of(found, loaded, delivery, number_format, models)
    card = replace(card, caveats=caveats_of(card, found, loaded, models))
    # Nothing is written before all is well, so that the card is of the files that it lies beside.
    card = write_shipped(out, card, _contents(found, models, built))
    _say_what_is_left(card, out)
    if as_json:
        show_json(card.to_json())
    else:
        _show(card, out, lacking)
    if delivery.is_broken:
        raise typer.Exit(1)


def _place(
    read: Table | None, path: Path | None, target: str, runtime: str | None, threads: int, options: Sequence[str]
) -> Place:
    """Where the network is measured: as the table was filled, as far as that can be told from here."""
    if read is None or path is None:
        raise WrongUse("What is measured is kept in a table, beside what was promised: give --table.")
    if holds_estimates(read):
        raise WrongUse(
            "The table was estimated from peak figures, and nothing was measured for it. Leave --measure out, or give "
            "a table that was measured."
        )
    device = find_target(target)
    filled = read.environment()
    if filled.runtime.name != (runtime or device.runtime):
        words = shlex.join(place_words(filled, path))
        raise WrongUse(f"{path} was filled with {words}. Give the same, beside --measure.")
    return measuring_place(device, runtime, threads, options)


def _look_up(found: Shipment, read: Table, path: Path, precision: str) -> tuple[Lookup, Estimate]:
    """The latencies of the network's space, and what they come to for the network."""
    lookup = look_up(found.at(precision), read, path)
    return lookup, lookup.estimate(found.architecture.picks)


def _onnx_models(
    found: Shipment, weights: Weights, delivery: Delivery, precision: str, *, dynamic: bool
) -> dict[str, ExportedOnnx]:
    """What the ONNX files hold, by their names."""
    models, notes = dict[str, ExportedOnnx](), notes_of(found, weights, delivery)
    for number_format, ending in (("fp32", ""), ("fp16", ".fp16")):
        if number_format not in ("fp32", precision):
            continue
        try:
            onnx = exported_onnx(
                found.space, found.architecture, weights.module, number_format, dynamic=dynamic, notes=notes
            )
        except ValueError as error:
            raise WrongUse(f"{error}. Ship it in fp32.") from error
        name = f"{found.name}{ending}.onnx"
        say(f"{name}: {onnx.describe()}")
        for axis, reason in onnx.shape.refused.items():
            say(f"{name}: {axis} stays fixed, because {reason}")
        models[name] = onnx
    return models


def _refuse_missing() -> None:
    """Refuse to begin where an engine is asked for and none can be built."""
    if (missing := missing_for_engine()) is not None:
        raise NotAvailable(f"{_NO_ENGINE}: {_reason(missing)}")


def _engine(found: Shipment, weights: Weights, precision: str) -> tuple[BuiltEngine | None, str]:
    """An engine; or why there is none."""
    try:
        engine = build_engine(found.at(precision).network(found.architecture), weights.module)
    except ProfilingError as error:
        return None, str(error)
    return (None, _reason(engine)) if isinstance(engine, Missing) else (engine, "")


def _reason(missing: Missing) -> str:
    return f"{missing.reason}. {missing.remedy}"


def _contents(
    found: Shipment, models: Mapping[str, ExportedOnnx], engine: BuiltEngine | None
) -> dict[str, tuple[bytes, str]]:
    """What each file holds, and what it is, by its name."""
    contents = {name: (onnx.model, onnx.describe()) for name, onnx in models.items()}
    if engine is not None:
        words = engine_words(engine, found.space.input_size)
        contents[f"{found.name}.{engine.precision}.engine"] = engine.plan, words
    return contents


def _say_what_is_left(card: ModelCard, out: Path) -> None:
    """Name the files of an earlier export of the network, which this card says nothing of."""
    kinds = (".onnx", ".fp16.onnx", ".*.engine")
    there = {path.name for kind in kinds for path in out.glob(f"{glob.escape(card.name)}{kind}")}
    if old := sorted(there - {file.name for file in card.files}):
        say(f"{out} has {' and '.join(old)} of an earlier export, of which the card says nothing. Remove what is old.")


def _measure(found: Shipment, table: Path, precision: str, place: Place, rounds: int, *, again: bool) -> None:
    """Measure the whole network, and keep it in the table."""
    workload = found.at(precision).network(found.architecture)
    plan = WHOLE_NETWORK_PLAN.with_rounds(rounds)
    with appending(table, create=False) as writer, place.starts() as start, progress_bar("measuring") as bar:

        def tell(progress: Progress) -> None:
            bar(progress.done, progress.wanted)

        fill(writer, start, [workload], plan, again=lambda outcome: again, tell=tell)


def _delivery(found: Shipment, table: Path, precision: str, promised: Delivery) -> Delivery:
    """What the table says of the network: of its blocks, and of the whole."""
    read = Table.read(table)
    lookup, estimate = _look_up(found, read, table, precision)
    outcome = read.outcome(found.at(precision).network(found.architecture), lookup.environment)
    unlike = "It has blocks that are unlike everything that was measured; `profile-device` measures them."
    return replace(
        promised,
        device=lookup.environment.describe(),
        predicted=Interval(estimate.mean_s, *estimate.interval_s),
        source=estimate.source,
        measured=Interval(outcome.time_s, *outcome.interval_s) if isinstance(outcome, Measurement) else None,
        failure=f"{outcome.stage}: {outcome.reason}" if isinstance(outcome, Failure) else None,
        doubts=(
            *filter(None, [nothing_measured(lookup.environment), "" if estimate.is_inside else unlike]),
            *(f"Of the measured time: {p}." for p in (outcome.problems() if isinstance(outcome, Measurement) else ())),
        ),
        environment=lookup.environment.to_json(),
    )


def _show(card: ModelCard, out: Path, lacking: str) -> None:
    if lacking:
        say(f"No TensorRT engine: {lacking}")
    for file in card.files:
        print(out / file.name)
    print(out / f"{card.name}.card.md")
    for sentence in card.delivery.sentences():
        print(sentence)
    for caveat in card.caveats:
        print(f"Note: {caveat}")
