"""How a search scores networks, from what was typed after --evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, final

from devices import unknown_name
from paceline.screen import Bar
from paceline.search_goals import BENCHMARK_SUFFIX, Ground
from search import (
    CachedEvaluator,
    Evaluator,
    KnownCosts,
    LabelledImages,
    Naswot,
    Objective,
    Recipe,
    Space,
    Synflow,
    TabularBenchmark,
    TabularEvaluator,
    TrainedFromScratch,
    UserFunction,
    open_images,
)

SUPERNET, TABULAR = "supernet", "tabular"

_COMPARED = 32
"""Images that NASWOT compares."""


@final
@dataclass(frozen=True)
class Choice:
    """An evaluator, as it was typed.

    Attributes:
        text: what was typed.
        kind: one of the names that ship, or ``tabular`` or ``function``.
        file: of the last two.
        part: the column, or the function.
    """

    text: str
    kind: str
    file: Path = Path()
    part: str = ""

    def benchmark(self) -> TabularBenchmark | None:
        """The tabular benchmark that it names; None where it is something else.

        Raises:
            WrongUse: the file is none, or has no such column.
        """
        if self.kind != TABULAR:
            return None
        benchmark = TabularBenchmark.read(self.file)
        TabularEvaluator(benchmark, self.part)  # Says now which columns there are.
        return benchmark


@final
@dataclass(frozen=True)
class Materials:
    """What evaluators are made from.

    Attributes:
        ground: the networks.
        data: where images come from.
        recipe: how long to train, and on how much.
        seed: of everything that is drawn.
        checkpoint: file for a supernet, and beside it for networks that are trained.
        warm_up: file to keep a warmed-up supernet in.
        cache: file of scores; None for none.
        device: where to train, ``auto``, ``cpu`` or ``cuda``.
    """

    ground: Ground
    data: str
    recipe: Recipe
    seed: int
    checkpoint: Path
    warm_up: Path | None
    cache: Path | None = None
    device: str = "cpu"

    def images(self) -> tuple[LabelledImages, LabelledImages]:
        """To train on, and to score on, at the size of the space's input."""
        size, recipe = self.ground.input_size, self.recipe
        return (
            open_images(self.data, "train", size, seed=self.seed, count=recipe.train.images),
            open_images(self.data, "val", size, seed=self.seed, count=recipe.search.score_images),
        )


@final
@dataclass(frozen=True)
class Scoring:
    """An evaluator, and what a result says of it.

    Attributes:
        evaluator: scores networks.
        data: what it scores them on, in words.
        recipe: lengths and rates that decide its scores, as plain values.
    """

    evaluator: Evaluator
    data: str
    recipe: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class _Making:
    """An evaluator that is being made."""

    choice: Choice
    materials: Materials
    bar: Bar

    def space(self) -> Space:
        """The space, whose networks the evaluator builds."""
        return self.materials.ground.buildable(f"--evaluator {self.choice.text}")


def read_choice(text: str) -> Choice:
    """What was typed after --evaluator.

    Raises:
        WrongUse: it is neither the name of an evaluator nor a file of a known kind.
    """
    if text in _KINDS and text not in (TABULAR, "function"):
        return Choice(text, text)
    file, colon, part = text.partition(f"{BENCHMARK_SUFFIX}:")
    if colon or text.endswith(BENCHMARK_SUFFIX):
        return Choice(text, TABULAR, Path(file + BENCHMARK_SUFFIX if colon else text), part)
    file, colon, part = text.rpartition(":")
    if colon and file.endswith(".py"):
        return Choice(text, "function", Path(file), part)
    raise unknown_name("evaluator", text, [*EVALUATORS, "FILE.npz:COLUMN", "my_file.py:function"])


def open_scoring(choice: Choice, materials: Materials, bar: Bar) -> Scoring:
    """The evaluator, made ready: a supernet is trained here.

    Args:
        choice: which one.
        materials: what it is made from.
        bar: shows how long that takes.

    Raises:
        WrongUse: it cannot score these networks.
    """
    scoring = _KINDS[choice.kind](_Making(choice, materials, bar))
    if materials.cache is None:
        return scoring
    return replace(scoring, evaluator=CachedEvaluator(scoring.evaluator, materials.cache))


def words_of(images: Sequence[LabelledImages]) -> str:
    """What is searched on, in words."""
    return "; ".join(one.name for one in images)


def _supernet(making: _Making) -> Scoring:
    """Weights of a supernet all of whose networks were trained alike, as long as a differentiable search trains."""
    from search import DifferentiableSearch

    materials, space = making.materials, making.space()
    recipe = materials.recipe.search
    steps = recipe.warm_up_steps + recipe.alternating_steps
    alike = replace(recipe, warm_up_steps=steps, alternating_steps=0)
    # What is barred is all that a supernet of this kind knows of costs: searches within other limits can share it.
    barred = KnownCosts(space, materials.ground.tables).cost("macs")
    assert isinstance(barred, Objective), "MACs of a space add up"
    images = materials.images()
    training = DifferentiableSearch(
        *(barred, float("inf"), *images, alike, materials.seed, materials.checkpoint, materials.warm_up),
        device=materials.device,
    )
    evaluator = training.trained(lambda stage, done, of, words: making.bar(done, of, "", stage))
    return Scoring(evaluator, words_of(images), asdict(alike))


def _trained(making: _Making) -> Scoring:
    materials, space = making.materials, making.space()
    train, validation = images = materials.images()
    recipe, folder = materials.recipe.train, materials.checkpoint.with_suffix(".training")
    evaluator = TrainedFromScratch(
        *(space, train, validation, recipe, materials.seed, folder),
        tell=lambda done, steps: making.bar(done, steps, "", "this network"),
        device=materials.device,
    )
    return Scoring(evaluator, words_of(images), asdict(recipe))


def _synflow(making: _Making) -> Scoring:
    return Scoring(Synflow(making.space(), making.materials.seed), "no images")


def _naswot(making: _Making) -> Scoring:
    space, (train, _) = making.space(), making.materials.images()
    # An image that is drawn twice answers to itself alike, which leaves no score.
    return Scoring(Naswot(space, making.materials.seed, train, min(_COMPARED, len(train))), train.name)


def _tabular(making: _Making) -> Scoring:
    benchmark, column = making.materials.ground.benchmark, making.choice.part
    assert benchmark is not None, "the ground was opened for it"
    return Scoring(TabularEvaluator(benchmark, column), making.choice.text)


def _function(making: _Making) -> Scoring:
    choice = making.choice
    return Scoring(UserFunction(making.space(), choice.file, choice.part), choice.text)


_KINDS: Mapping[str, Callable[[_Making], Scoring]] = {
    SUPERNET: _supernet,
    "train": _trained,
    "synflow": _synflow,
    "naswot": _naswot,
    TABULAR: _tabular,
    "function": _function,
}

EVALUATORS = tuple(name for name in _KINDS if name not in (TABULAR, "function"))
"""Names of the evaluators that ship; the others are files."""
