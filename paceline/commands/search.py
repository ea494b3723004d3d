"""``paceline search``: find a network within a limit."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from devices import WrongUse, unknown_name
from latency import nothing_measured
from lut import Lookup, Table
from paceline.options import (
    Config,
    Data,
    InputSize,
    Json,
    Seed,
    SpaceName,
    TablePrecision,
    TrainThreads,
    fill_command,
    look_up,
    precision_of,
    refuse_unwritable,
    use_threads,
)
from paceline.screen import progress_bar, say, share, show_json
from search import (
    Architecture,
    DifferentiableSearch,
    Objective,
    Recipe,
    SearchResult,
    Space,
    Trial,
    open_images,
    open_space,
)

_OBJECTIVES = ("latency", "macs")

_ANY_SIZE = (32, 32)
"""Size to open images at when only their classes are asked for."""


def search(
    limit: Annotated[
        str,
        typer.Option(
            "--limit",
            help="Most the network may cost: 30ms for latency, 45M for MACs, or 60% of what the space's hand-made "
            "reference network costs.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write the network to (JSON).")],
    objective: Annotated[str, typer.Option("--objective", help="What the limit is on: latency or macs.")] = "latency",
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            help="Latency table. Needed for --objective latency; tells --objective macs what the device cannot run.",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            parser=share,
            metavar="PERCENT",
            help="Hold upper bounds of the latency against the limit, which hold with that probability however the "
            "errors of the blocks hang together: 95% makes sure where blocks are predicted or measured in a hurry. "
            "(default: the best single numbers)",
        ),
    ] = None,
    space: SpaceName = "demo",
    input_size: InputSize = None,
    precision: TablePrecision = None,
    data: Data = "scenes",
    seed: Seed = 0,
    config: Config = None,
    warm_up: Annotated[
        Path | None,
        typer.Option(
            "--warm-up",
            help="File to keep the warmed-up supernet in, or to begin from when it is there: searches that differ "
            "in objective or limit alone can share one.",
        ),
    ] = None,
    train_threads: TrainThreads = None,
    as_json: Json = False,
) -> None:
    """Search a network within a limit on latency or on MACs.

    A supernet with all candidates is trained, weights first, then alternating with the architecture, whose loss holds
    the expected cost above the limit. Then networks within the limit are drawn and scored, and the best is written.
    What is returned is within the limit; when no network is, the search says so and ends with status 1.

    After Ctrl-C the same command goes on where it was.

    Example: paceline search --space demo --table tables/local.jsonl --limit 80% --out runs/latency.json
    """
    if objective not in _OBJECTIVES:
        raise unknown_name("objective", objective, _OBJECTIVES)
    recipe = Recipe.read(config)
    read = Table() if table is None else Table.read(table)
    count = len(open_images(data, "train", _ANY_SIZE).classes)
    opened = open_space(space, input_size, count, precision_of(read, precision))
    lookup = None if table is None else look_up(opened, read, table)
    most = _objective(objective, opened, lookup, None).limit(limit)
    costs = _objective(objective, opened, lookup, confidence)
    costs.refuse_impossible(most)
    train = open_images(data, "train", opened.input_size, seed=seed, count=recipe.train.images)
    validation = open_images(data, "val", opened.input_size, seed=seed, count=recipe.search.score_images)
    refuse_unwritable(out)
    checkpoint = out.with_suffix(".search.safetensors")
    use_threads(train_threads)
    searching = DifferentiableSearch(costs, most, train, validation, recipe.search, seed, checkpoint, warm_up)
    with progress_bar("supernet") as bar:
        trial, trials = searching.search(lambda stage, done, of, words: bar(done, of, words, stage))
    result = _result(out, opened, costs, most, trial, seed, f"{train.name}; {validation.name}", recipe)
    note = nothing_measured(lookup.environment) if lookup is not None and objective == "latency" else ""
    result = replace(result, confidence=confidence, note=note)
    result.write(out)
    say(f"{len(trials)} networks were scored; {out} holds the best.")
    if as_json:
        show_json(result.to_json())
    else:
        sure = "" if confidence is None else f"at most, {confidence:.1%} sure, "
        print(f"{result.name}: {sure}{costs.format(result.cost)}, limit {costs.format(most)}")
        if result.note:
            print(result.note)
        print(f"mIoU with inherited weights: {result.score:.3f}")
        print(" ".join(result.architecture))


def _objective(name: str, space: Space, lookup: Lookup | None, confidence: float | None) -> Objective:
    if name == "macs":
        if confidence is not None:
            raise WrongUse("MACs are counted and known for certain: --confidence belongs to --objective latency.")
        return Objective.macs(space, lookup)
    if lookup is None:
        raise WrongUse(
            "A search on latency reads a table: give --table. This command fills one: "
            + fill_command(space, Path("tables/local.jsonl"))
        )
    return Objective.latency(space, lookup, confidence)


def _result(
    out: Path, space: Space, objective: Objective, limit: float, trial: Trial, seed: int, data: str, recipe: Recipe
) -> SearchResult:
    assert trial.cost is not None, "the best trial is feasible, so it has a cost"
    assert trial.score is not None, "and a score"
    return SearchResult(
        name=out.stem,
        space=space.name,
        input_size=space.input_size,
        classes=space.classes,
        architecture=space.names(Architecture(space.name, trial.picks)),
        objective=objective.name,
        limit=limit,
        cost=trial.cost,
        score=trial.score,
        seed=seed,
        data=data,
        recipe=recipe.to_json()["search"],
        command=shlex.join(["paceline", *sys.argv[1:]]),
    )
