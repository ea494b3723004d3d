"""Recipes: defaults, what a file overrides, and what it must not hold."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from devices import WrongUse
from search import Recipe, SearchRecipe, TrainRecipe


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_without_a_file_everything_is_the_default() -> None:
    assert Recipe.read(None) == Recipe(SearchRecipe(), TrainRecipe())


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert Recipe.read(written(tmp_path, "")) == Recipe()


def test_a_file_overrides_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    text = "[search]\nwarm_up_steps = 7\ncost_weight = 3\nbf16 = true\n[train]\nrate = 0.25\n"
    recipe = Recipe.read(written(tmp_path, text))
    assert recipe == Recipe(SearchRecipe(warm_up_steps=7, cost_weight=3.0, bf16=True), TrainRecipe(rate=0.25))
    assert type(recipe.search.cost_weight) is float, "a whole number is fine where a fraction may stand"


def test_every_setting_can_be_written(tmp_path: Path) -> None:
    lines = [
        f"[{field.name}]\n"
        + "".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(field.default).items())
        for field in fields(Recipe)
    ]
    assert Recipe.read(written(tmp_path, "".join(lines))) == Recipe()


def test_a_recipe_is_plain_values() -> None:
    values = Recipe().to_json()
    assert json.loads(json.dumps(values)) == values
    assert values["search"]["bf16"] is False


def test_a_training_of_before_is_known_by_what_it_had() -> None:
    """Checkpoints and scores that were kept must not become those of another training."""
    assert TrainRecipe().identity() == {
        "steps": 300,
        "batch_size": 8,
        "rate": 0.1,
        "weight_decay": 1e-4,
        "images": 400,
        "test_images": 100,
    }


def test_what_changes_the_weights_is_part_of_a_training_and_what_does_not_is_not() -> None:
    assert TrainRecipe(workers=3).identity() == TrainRecipe().identity()
    assert TrainRecipe(ema=0.9, augmentation="full").identity() == {
        **TrainRecipe().identity(),
        "ema": 0.9,
        "augmentation": "full",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serach]\n", r"no table in .*recipe\.toml 'serach'. Did you mean 'search'"),
        ("[search]\nwarm_up_step = 1\n", r"no setting in \[search\] of .*'warm_up_step'. Did you mean 'warm_up_steps'"),
        ("[train]\nbf16 = true\n", r"no setting in \[train\] of .*'bf16'"),
        ("[train]\nema = 1.0\n", r"ema must be 0, or a decay below 1 such as 0\.999; got 1\.0"),
        ("[train]\nteacher_share = 1.5\n", r"teacher_share must be a share of the loss, from 0 to 1; got 1\.5"),
        ("[train]\nprecision = 'fp8'\n", r"no precision to train in 'fp8'\. Known: bf16, fp16, fp32"),
        ("[train]\naugmentation = 'ful'\n", r"no augmentation 'ful'. Did you mean 'full'"),
        ("[train]\noptimizer = 'adam'\n", r"no optimizer 'adam'. Did you mean 'adamw'"),
        ("[train]\nclass_weights = 'median'\n", r"no class_weights 'median'\. Known: enet, none"),
        ("[train]\nworkers = -1\n", r"workers in .* must be int, 0 or more, such as 1; got -1"),
        ("[train]\nteacher_temperature = 0\n", r"teacher_temperature in .* must be float, above 0"),
        ("[search]\nwarm_up_steps = 1.5\n", r"warm_up_steps in .* must be int, 0 or more, such as 300; got 1\.5"),
        ("[search]\nwarm_up_steps = true\n", "must be int, .* got True"),
        ("[search]\nwarm_up_steps = -1\n", "must be int, .* got -1"),
        ("[search]\nwarm_up_steps = '1'\n", "must be int, .* got '1'"),
        ("[search]\ncost_weight = false\n", "must be float, .* got False"),
        ("[search]\ncost_weight = nan\n", "must be float, .* got nan"),
        ("[search]\ncost_weight = [1.0]\n", r"must be float, .* got \[1\.0\]"),
        ("[search]\nleast_cost = 1.5\n", "least_cost must be a share of the limit, from 0 to 1; got 1.5"),
        ("[search]\nbf16 = 1\n", "bf16 in .* must be true or false, such as False; got 1"),
        ("[search]\nbf16 = 'true'\n", "must be true or false"),
        ("search = 3\n", r"\[search\] .*must be a table; got 3"),
        ("train = [1]\n", r"\[train\] .*must be a table; got \[1\]"),
        ("[search\n", r"recipe\.toml is no TOML file"),
    ],
)
def test_what_a_recipe_must_not_hold_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WrongUse, match=message):
        Recipe.read(written(tmp_path, text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(WrongUse, match="is no TOML file"):
        Recipe.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"none\.toml cannot be read \(No such file or directory\)"):
        Recipe.read(tmp_path / "none.toml")
