"""Cost models in files: what is read is what was written, and everything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devices import WrongUse
from latency.cost_models.files import SCHEMA, load_cost_model, save_cost_model
from latency.cost_models.power_law import PowerLaw
from tests.contracts.cost_model_contract import blocks, measured


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_cost_model(PowerLaw().fit(measured(blocks())), tmp_path / "model.json")
    return tmp_path / "model.json"


def test_a_file_is_plain_json_with_schema_and_model(path: Path) -> None:
    values = json.loads(path.read_text())
    assert (values["schema"], values["kind"], values["model"]) == (SCHEMA, "cost model", "power-law")
    assert load_cost_model(path).to_json() == {name: values[name] for name in ("domain", "state")}


def test_saving_again_replaces_the_file_and_leaves_nothing_else(path: Path) -> None:
    before = path.read_text()
    save_cost_model(PowerLaw().fit(measured(blocks(), seed=1)), path)
    assert path.read_text() != before
    assert [found.name for found in path.parent.iterdir()] == ["model.json"]


def test_an_unfitted_model_leaves_the_file_as_it_was(path: Path) -> None:
    before = path.read_text()
    with pytest.raises(WrongUse, match="must be fitted"):
        save_cost_model(PowerLaw(), path)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "must be JSON"),
        ("[]", "must hold a cost model"),
        ('{"schema": 2, "kind": "measurement"}', "must hold a cost model"),
        ('{"kind": "cost model"}', "must hold a cost model"),
        ('{"schema": 99, "kind": "cost model", "model": "power-law"}', "schema 99, and this paceline reads up to"),
        ('{"schema": 1, "kind": "cost model", "model": "power-low"}', "Did you mean 'power-law'"),
        ('{"schema": 1, "kind": "cost model", "model": "power-law"}', "KeyError: 'state'"),
    ],
)
def test_what_is_no_cost_model_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(WrongUse, match=words):
        load_cost_model(tmp_path / "model.json")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"must be a cost model at .*nothing\.json.*No such file"):
        load_cost_model(tmp_path / "nothing.json")
