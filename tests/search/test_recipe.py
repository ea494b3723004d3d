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
    text = "[search]\nwarm_up_steps = 7\ncost_weight = 3\nsoft = true\n[train]\nrate = 0.25\n"
    recipe = Recipe.read(written(tmp_path, text))
    assert recipe == Recipe(SearchRecipe(warm_up_steps=7, cost_weight=3.0, soft=True), TrainRecipe(rate=0.25))
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
    assert values["search"]["soft"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serach]\n", r"no table in .*recipe\.toml 'serach'. Did you mean 'search'"),
        ("[search]\nwarm_up_step = 1\n", r"no setting in \[search\] of .*'warm_up_step'. Did you mean 'warm_up_steps'"),
        ("[train]\nsoft = true\n", r"no setting in \[train\] of .*'soft'"),
        ("[search]\nwarm_up_steps = 1.5\n", r"warm_up_steps in .* must be int, 0 or more, such as 300; got 1\.5"),
        ("[search]\nwarm_up_steps = true\n", "must be int, .* got True"),
        ("[search]\nwarm_up_steps = -1\n", "must be int, .* got -1"),
        ("[search]\nwarm_up_steps = '1'\n", "must be int, .* got '1'"),
        ("[search]\ncost_weight = false\n", "must be float, .* got False"),
        ("[search]\ncost_weight = nan\n", "must be float, .* got nan"),
        ("[search]\ncost_weight = [1.0]\n", r"must be float, .* got \[1\.0\]"),
        ("[search]\nsoft = 1\n", "soft in .* must be true or false, such as False; got 1"),
        ("[search]\nsoft = 'true'\n", "must be true or false"),
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
