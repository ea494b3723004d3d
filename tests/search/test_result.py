"""The result of a search as a file: there and back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devices import WrongUse
from search import Architecture, SearchRecipe, SearchResult
from search.result import FrontPoint

RESULT = SearchResult(
    name="latency-searched",
    space="demo",
    input_size=(64, 96),
    classes=5,
    architecture=("skip",) * 9 + ("k3e1g1",),
    objective="latency",
    limit=0.03,
    cost=0.1 + 0.2,
    score=0.61,
    seed=3,
    data="generated scenes",
    recipe=SearchRecipe().__dict__,
)


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "result.json"
    RESULT.write(path)
    assert SearchResult.read(path) == RESULT
    assert json.loads(path.read_text())["schema"] == 2


def test_a_front_survives_its_file(tmp_path: Path) -> None:
    front = (FrontPoint(("skip",) * 10, 0.6, {"latency on a": 0.02, "macs": 1e6}),)
    result = replace(RESULT, strategy="nsga2", evaluator="synflow", limit=None, limits={"macs": 2e6}, front=front)
    result.write(tmp_path / "result.json")
    assert SearchResult.read(tmp_path / "result.json") == result


def test_a_file_of_the_first_schema_is_a_differentiable_search(tmp_path: Path) -> None:
    new = ("strategy", "evaluator", "meaning", "costs", "limits", "front", "listed")
    first = {name: value for name, value in RESULT.to_json().items() if name not in new}
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**first, "schema": 1}))
    assert SearchResult.read(path) == RESULT
    assert SearchResult.read(path).strategy == "differentiable"


def test_a_result_opens_its_space_and_network() -> None:
    space, architecture = RESULT.open()
    assert (space.name, space.input_size, space.classes) == ("demo", (64, 96), 5)
    assert architecture == Architecture("demo", (12,) * 9 + (0,))


def test_a_result_of_a_space_that_is_gone_does_not_open() -> None:
    with pytest.raises(WrongUse, match=r"no space 'dem'. Did you mean 'demo'"):
        replace(RESULT, space="dem").open()


def test_a_network_that_only_a_benchmark_knows_does_not_open() -> None:
    listed = replace(RESULT, space="accel_nasbench", evaluator="accel.npz:val_top1", listed=True)
    with pytest.raises(WrongUse, match=r"network of accel_nasbench, whose scores accel\.npz:val_top1 knows"):
        listed.open()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"none\.json cannot be read \(No such file or directory\)"):
        SearchResult.read(tmp_path / "none.json")


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**RESULT.to_json(), "schema": 3}))
    with pytest.raises(WrongUse, match="has schema 3, this paceline reads 2"):
        SearchResult.read(path)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "3", "null", '{"schema": 1}', '{"schema": 1, "input_size": 3}', "{", "\udcff"]
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(WrongUse, match=r"result\.json is no result of a search"):
        SearchResult.read(path)


@pytest.mark.parametrize("change", [{"limit": None}, {"surplus": 1}])
def test_missing_and_unknown_fields_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "result.json"
    values = {**RESULT.to_json(), **change}
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))
    with pytest.raises(WrongUse, match="is no result of a search"):
        SearchResult.read(path)
