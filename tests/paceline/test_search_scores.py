"""Evaluators as they are typed, each scoring a network."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from devices import WrongUse
from paceline.search_goals import Settings, open_ground
from paceline.search_scores import EVALUATORS, Choice, Materials, open_scoring, read_choice
from search import Recipe, SearchRecipe, TrainRecipe
from tests.paceline.small_benchmark import SCORE, small_benchmark

QUICK = Recipe(
    SearchRecipe(warm_up_steps=1, alternating_steps=1, batch_size=2, recalibration_batches=1, score_images=2),
    TrainRecipe(steps=1, batch_size=2, images=4),
)
SCORES = '''
def units(space, architecture):
    """How many units do something."""
    return sum(name != "skip" for name in space.names(architecture))
'''


def materials(
    tmp_path: Path, choice: Choice, *, space: str = "demo", size: tuple[int, int] | None = (32, 64), cache: bool = False
) -> Materials:
    benchmark = choice.benchmark()
    named = (None, None) if benchmark else (space, size)
    ground = open_ground(Settings(*named, None, None, "scenes", []), [], benchmark, choice.part or None)
    kept = tmp_path / "scores.jsonl" if cache else None
    return Materials(ground, "scenes", QUICK, 0, tmp_path / "found.search.safetensors", None, kept)


def quiet(done: int, of: int, words: str = "", what: str | None = None) -> None:
    """A bar that nobody looks at."""


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("naswot", Choice("naswot", "naswot")),
        (f"a.b/c.npz:{SCORE}", Choice(f"a.b/c.npz:{SCORE}", "tabular", Path("a.b/c.npz"), SCORE)),
        ("c.npz", Choice("c.npz", "tabular", Path("c.npz"))),
        ("c.py:f", Choice("c.py:f", "function", Path("c.py"), "f")),
    ],
)
def test_what_is_typed_is_a_name_or_a_file_with_a_part(text: str, choice: Choice) -> None:
    assert read_choice(text) == choice


@pytest.mark.parametrize("text", ["nasvot", "tabular", "function", "my_file.py", "scores.csv:column"])
def test_anything_else_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(WrongUse, match=r"no evaluator .*FILE\.npz:COLUMN.*naswot"):
        read_choice(text)


@pytest.mark.parametrize("name", EVALUATORS)
def test_every_evaluator_that_ships_scores_a_network(tmp_path: Path, name: str) -> None:
    choice = read_choice(name)
    prepared = materials(tmp_path, choice)
    scoring = open_scoring(choice, prepared, quiet)
    assert prepared.ground.space is not None
    assert math.isfinite(scoring.evaluator.score(prepared.ground.space.reference))
    assert scoring.data


def test_a_supernet_is_trained_for_all_networks_alike(tmp_path: Path) -> None:
    scoring = open_scoring(Choice("supernet", "supernet"), materials(tmp_path, Choice("", "supernet")), quiet)
    assert (scoring.recipe["warm_up_steps"], scoring.recipe["alternating_steps"]) == (2, 0)


def test_a_function_of_the_user_is_asked_once_for_each_network(tmp_path: Path) -> None:
    (tmp_path / "my_scores.py").write_text(SCORES)
    choice = read_choice(f"{tmp_path / 'my_scores.py'}:units")
    for _ in range(2):
        prepared = materials(tmp_path, choice, cache=True)
        scoring = open_scoring(choice, prepared, quiet)
        assert prepared.ground.space is not None
        assert scoring.evaluator.score((0,) * len(prepared.ground.space.units)) == len(prepared.ground.space.units)
    assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == 1


def test_a_column_of_a_benchmark_is_looked_up(tmp_path: Path) -> None:
    path = small_benchmark(tmp_path / "small.npz")
    choice = read_choice(f"{path}:{SCORE}")
    scoring = open_scoring(choice, materials(tmp_path, choice), quiet)
    assert 80 < scoring.evaluator.score((3,) * 6) < 81
    assert math.isnan(scoring.evaluator.score((0, 0, 0, 0, 0, 1)))
    with pytest.raises(WrongUse, match=f"Known: {SCORE}"):
        read_choice(str(path)).benchmark()


@pytest.mark.parametrize("name", ["supernet", "train"])
def test_a_space_that_classifies_whole_images_is_not_trained_on_classes_of_pixels(tmp_path: Path, name: str) -> None:
    choice = read_choice(name)
    with pytest.raises(WrongUse, match=r"nasbench201 classifies whole images"):
        open_scoring(choice, materials(tmp_path, choice, space="nasbench201", size=(32, 32)), quiet)
