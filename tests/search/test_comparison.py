"""A comparison as a file: there and back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from devices import WrongUse
from search import Comparison, Interval, NetworkResult

COMPARISON = Comparison(
    created_at="2024-01-02T03:04:05+00:00",
    device={"name": "test", "cores": 4, "family": None},
    runtime={"name": "dummy", "versions": {}, "threads": 1},
    space="demo",
    input_size=(96, 192),
    candidates=(("k3e1g1", "skip"), ("k3e1g1", "skip")),
    unit_names=("stage 1.1", "stage 1.2"),
    macs=((10, 0), (20, 5)),
    latency_s=((0.1 + 0.2, 0.0), (2e-3, 1e-4)),
    fixed_macs=7,
    fixed_latency_s=1e-3,
    data="generated scenes",
    networks=(
        NetworkResult("latency-searched", ("skip", "k3e1g1"), 27, 3, Interval(3e-3, 2e-3, 4e-3), objective="latency"),
        NetworkResult(
            name="macs-searched",
            architecture=("skip", "skip"),
            macs=12,
            parameters=2,
            predicted=Interval(1e-3, 1e-3, 1e-3),
            measured=Interval(1.1e-3, 1e-3, 1.2e-3),
            objective="macs",
            limit=20.0,
            miou=0.5,
            class_iou={"road": 0.9},
            trained_steps=10,
        ),
    ),
    reference_networks=(NetworkResult("1", ("skip", "skip"), 12, 2, Interval(1, 1, 1), failure="it broke"),),
    rank_correlation={"candidates": 0.9},
    problems=("few samples",),
    commands=("paceline search",),
)


def test_a_comparison_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "comparison.json"
    COMPARISON.write(path)
    assert Comparison.read(path) == COMPARISON


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"none\.json cannot be read \(No such file or directory\)"):
        Comparison.read(tmp_path / "none.json")


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps({"schema": 7, **asdict(COMPARISON)}))
    with pytest.raises(WrongUse, match="has schema 7, this paceline reads 1"):
        Comparison.read(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"schema": 1}', "{", "\udcff"])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "comparison.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(WrongUse, match=r"comparison\.json is no comparison"):
        Comparison.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"surplus": 1},
        {"networks": [{}]},
        {"networks": [None]},
        {"macs": 3},
        {
            "networks": [
                {"name": "n", "architecture": [], "macs": 1, "parameters": 1, "predicted": {}, "measured": None}
            ]
        },
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps({"schema": 1, **asdict(COMPARISON), **change}))
    with pytest.raises(WrongUse, match="is no comparison"):
        Comparison.read(path)
