"""``paceline train``: one network trained in full, by one process or by several."""

from __future__ import annotations

import hashlib
import shlex
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devices import WrongUse
from latency import build_module
from paceline.commands.shipment import open_shipment
from paceline.commands.show import open_network
from paceline.options import Classes, Config, Data, InputSize, Json, Seed, TrainDevice, TrainThreads, use_threads
from paceline.screen import progress_bar, say, show_json
from search import (
    PUBLISHED,
    Architecture,
    Images,
    LabelledImages,
    Recipe,
    Space,
    TrainedNetwork,
    TrainRecipe,
    open_images,
    score_of,
    trained_weights,
)

if TYPE_CHECKING:
    from torch import nn

    from search import Ranks

_STARVED = 0.2
"""Share of the time spent waiting for images from which on it is worth a word."""


def train(
    network: Annotated[
        str,
        typer.Argument(
            help="A published network (lat_small, ...), or a file that `paceline search` or `paceline baseline` wrote."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.safetensors and NAME.train.json.")],
    data: Data = "scenes",
    split: Annotated[str, typer.Option("--split", help="Split to score on: test or val.")] = "test",
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", help="A trained network to learn from beside the labels, named as NETWORK is."),
    ] = None,
    teacher_weights: Annotated[
        Path | None,
        typer.Option("--teacher-weights", help="The teacher's NAME.safetensors, as `train` or `compare` left it."),
    ] = None,
    config: Config = None,
    seed: Seed = 0,
    device: TrainDevice = "auto",
    train_threads: TrainThreads = None,
    input_size: InputSize = None,
    classes: Classes = None,
    as_json: Json = False,
) -> None:
    """Train one network in full and score it. The same command goes on where it was interrupted.

    The table train of --config says how: steps, augmentation, a moving average of the weights, mixed precision. Started
    by torchrun, several processes share each batch, whose size stays what the recipe says.

    Example: paceline train runs/latency.json --data ../CamVid --config full.toml --out runs/trained

    Example: torchrun --nproc-per-node 2 -m paceline train runs/latency.json --out runs/trained
    """
    from search import joined

    use_threads(train_threads)
    if (teacher is None) != (teacher_weights is None):
        raise WrongUse("A teacher is a network and its weights: give both --teacher and --teacher-weights, or neither.")
    recipe = Recipe.read(config).train
    with joined(device) as ranks:
        found = _opened(network, data, split, seed, recipe, input_size, classes)
        module = build_module(found.space.network(found.architecture), seed=seed).to(ranks.device)
        learnt_from = None
        if teacher is not None and teacher_weights is not None:
            learnt_from = _teacher(teacher, teacher_weights, found.space).to(ranks.device)
        score, by_class = _trained(found, module, learnt_from, recipe, seed, out, ranks)
        if ranks.is_first:
            trained = _result(found, recipe, seed, out, ranks, score, by_class, teacher or "")
            trained.write(out)
            _show(trained, out, as_json=as_json)


@dataclass(frozen=True)
class _Found:
    """A network, and what it is trained and scored on."""

    name: str
    space: Space
    architecture: Architecture
    images: Images


def _opened(
    network: str,
    data: str,
    split: str,
    seed: int,
    recipe: TrainRecipe,
    input_size: tuple[int, int] | None,
    classes: int | None,
) -> _Found:
    """The network; a published one tells as many classes apart as there are, if nobody says otherwise."""
    found = open_shipment(network, input_size, classes)

    def opened(which: str, count: int) -> LabelledImages:
        return open_images(data, which, found.space.input_size, seed=seed, count=count)

    images = Images(opened("train", recipe.images), opened(split, recipe.test_images))
    if found.result is None and classes is None:
        found = open_shipment(network, input_size, len(images.train.classes))
    for each in (images.train, images.test):
        _refuse_unfit(found.space, each)
        each.refuse_unlabelled()
    return _Found(found.name, found.space, found.architecture, images)


def _refuse_unfit(space: Space, images: LabelledImages) -> None:
    wanted = "one class each" if space.tap is None else "a class for every pixel"
    if images.has_one_class_each != (space.tap is None) or len(images.classes) != space.classes:
        has = "one class each" if images.has_one_class_each else "a class for every pixel"
        raise WrongUse(
            f"Networks of {space.name} need images with {wanted}, {space.classes} classes; {images.name} has {has}, "
            f"{len(images.classes)} classes. Choose other --data, or another network."
        )


def _teacher(name: str, weights: Path, space: Space) -> nn.Module:
    """The teacher, with the student's input and classes."""
    is_published = name in PUBLISHED
    size, classes = (space.input_size, space.classes) if is_published else (None, None)
    own, architecture = open_network(name, size, classes)
    if (own.input_size, own.classes) != (space.input_size, space.classes):
        raise WrongUse(
            f"A teacher must have the input size and the classes of the network, {space.input_size} and "
            f"{space.classes}; {name} has {own.input_size} and {own.classes}. Choose another --teacher."
        )
    return trained_weights(own, architecture, weights).module


def _trained(
    found: _Found,
    module: nn.Module,
    teacher: nn.Module | None,
    recipe: TrainRecipe,
    seed: int,
    out: Path,
    ranks: Ranks,
) -> tuple[float, dict[str, float]]:
    """Train and score; what comes back is the score, and that of each class."""
    from search import score_network, scoring_batches, train_network

    checkpoint = _weights_of(found, out)
    with progress_bar(f"training {found.name}") if ranks.is_first else nullcontext(_silent) as bar:
        pace = train_network(
            *(module, found.images.train, recipe, seed, checkpoint, bar),
            teacher=teacher,
            ranks=ranks,
        )
    if ranks.is_first and pace.steps and pace.waiting_s > _STARVED * pace.whole_s:
        share = pace.waiting_s / pace.whole_s
        say(
            f"{share:.0%} of the time went by waiting for images. Set workers in [train] to more than {recipe.workers}."
        )
    return score_network(module, scoring_batches(found.images.test, ranks), ranks)


def _silent(done: int, of: int, words: str = "", what: str | None = None) -> None:
    """One process of several speaks."""


def _weights_of(found: _Found, out: Path) -> Path:
    return out / f"{found.name}.safetensors"


def _result(
    found: _Found,
    recipe: TrainRecipe,
    seed: int,
    out: Path,
    ranks: Ranks,
    score: float,
    by_class: dict[str, float],
    teacher: str,
) -> TrainedNetwork:
    weights, images = _weights_of(found, out), found.images
    return TrainedNetwork(
        name=found.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        space=found.space.name,
        input_size=found.space.input_size,
        classes=found.space.classes,
        architecture=found.space.names(found.architecture),
        weights=weights.name,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        data=f"trained on {images.train.name} ({len(images.train)} images), "
        f"scored on {images.test.name} ({len(images.test)} images)",
        steps=recipe.steps,
        measure=score_of(images.test).name,
        score=score,
        class_score=by_class,
        seed=seed,
        recipe=asdict(recipe),
        teacher=teacher,
        processes=ranks.count,
        device=ranks.device.partition(":")[0],
        command=_command(ranks),
        class_names=images.train.classes,
    )


def _command(ranks: Ranks) -> str:
    """The command line, with what starts the processes where there are several."""
    if ranks.count == 1:
        return shlex.join(["paceline", *sys.argv[1:]])
    started = ["torchrun", "--nproc-per-node", str(ranks.here), "-m", "paceline", *sys.argv[1:]]
    elsewhere = ranks.count - ranks.here
    return shlex.join(started) + (f"  # and {elsewhere} processes elsewhere" if elsewhere else "")


def _show(trained: TrainedNetwork, out: Path, *, as_json: bool) -> None:
    if as_json:
        show_json(trained.to_json())
        return
    print(f"{trained.name}: {trained.measure} {trained.score:.3f} after {trained.steps} steps; {trained.data}")
    print(out / trained.weights)
