"""What a training came to, written and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devices import WrongUse
from search import TrainedNetwork

TRAINED = TrainedNetwork(
    name="latency",
    created_at="2026-11-22T08:00:00+00:00",
    space="demo",
    input_size=(32, 64),
    classes=3,
    architecture=("k3e1g1", "skip"),
    weights="latency.safetensors",
    weights_sha256="0" * 64,
    data="trained on patches (4 images), scored on patches (3 images)",
    steps=2,
    measure="mIoU",
    score=0.5,
    class_score={"left": 0.25, "right": 0.75},
    seed=0,
    recipe={"steps": 2},
    teacher="lat_large",
    processes=2,
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = TRAINED.write(tmp_path / "new")
    assert path == tmp_path / "new" / "latency.train.json"
    assert TrainedNetwork.read(path) == TRAINED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", r"tells of no training \('schema'\)"),
        ("[]", "tells of no training"),
        ('{"schema": 1}', "tells of no training"),
        ('{"schema": 9, "name": "latency"}', "has schema 9, this paceline reads 1"),
    ],
)
def test_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "latency.train.json").write_text(text)
    with pytest.raises(WrongUse, match=message):
        TrainedNetwork.read(tmp_path / "latency.train.json")


def test_classes_are_named_where_somebody_noted_them(tmp_path: Path) -> None:
    named = replace(TRAINED, class_names=("left", "middle", "right"))
    assert TrainedNetwork.read(named.write(tmp_path)) == named
    older = json.loads((tmp_path / "latency.train.json").read_text())
    del older["class_names"]
    (tmp_path / "latency.train.json").write_text(json.dumps(older))
    assert TrainedNetwork.read(tmp_path / "latency.train.json").class_names == ()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"none\.train\.json cannot be read"):
        TrainedNetwork.read(tmp_path / "none.train.json")


def test_a_score_that_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(TRAINED, score=float("nan")).write(tmp_path)
