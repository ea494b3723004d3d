"""``paceline export``: files, card, and promised against delivered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search import Recipe, SearchResult
from tests.paceline.conftest import Command

pytest.importorskip("torch", reason="torch is not installed; it exports")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; files are run by it")

NAMES = ("k3e1g1", "skip") * 5


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    result = SearchResult(
        name="latency",
        space="demo",
        input_size=(32, 64),
        classes=11,
        architecture=NAMES,
        objective="latency",
        limit=10.0,
        cost=0.1,
        score=0.5,
        seed=0,
        data="scenes",
        recipe=Recipe().to_json()["search"],
        command="paceline search --limit 10s",
    )
    result.write(tmp_path / "latency.json")
    return tmp_path / "latency.json"


def test_a_published_network_leaves_with_random_weights_and_says_so(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = command("export", "lat_small", "--input", "32x64", "--classes", 3, "--out", out, "--no-engine")
    assert ended.status == 0, ended.err
    assert sorted(path.name for path in out.iterdir()) == [
        "lat_small.card.json",
        "lat_small.card.md",
        "lat_small.onnx",
    ]
    assert "The weights are random" in ended.out
    card = json.loads((out / "lat_small.card.json").read_text())
    assert (card["space"], card["objective"], card["delivery"]["measured"]) == ("squeezenas-small", None, None)
    assert card["commands"][-1].startswith("paceline export lat_small")


def test_what_was_promised_is_measured_and_kept(
    command: Command, dummy_table: Path, searched: Path, tmp_path: Path
) -> None:
    export = ("export", searched, "--out", tmp_path / "out", "--table", dummy_table)
    measure = (*export, "--measure", "--runtime", "dummy", "--rounds", 1)
    before = command(*export, "--json").json
    assert before["delivery"]["predicted"]["mean_s"] > 0
    assert before["delivery"]["measured"] is None
    rows = len(dummy_table.read_text().splitlines())
    met = command(*measure, "--json")
    assert met.status == 0, met.err
    assert met.json["delivery"]["verdict"] == "met"
    assert met.json["delivery"]["limit_s"] == met.json["limit"] == 10.0
    assert len(dummy_table.read_text().splitlines()) == rows + 1
    missed = command(*measure, "--limit", "1us")
    assert missed.status == 1
    assert "The limit of 0.001 ms is missed" in missed.out
    assert "Search again" in missed.out
    assert len(dummy_table.read_text().splitlines()) == rows + 1, "it is not measured twice"
    assert "**" not in (tmp_path / "out" / "latency.card.md").read_text()
    assert "paceline search --limit 10s" in (tmp_path / "out" / "latency.card.md").read_text()


def test_open_axes_and_half_precision(command: Command, searched: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export = ("export", searched, "--dynamic", "--precision", "fp16", "--out", out)
    ended = command(*export, "--no-engine", "--json")
    assert ended.status == 0, ended.err
    assert [file["name"] for file in ended.json["files"]] == ["latency.onnx", "latency.fp16.onnx"]
    assert all("height 32 to 784" in file["what"] for file in ended.json["files"])
    assert "open axes" in ended.err


def test_axes_that_cannot_stay_open_are_named_with_the_reason(command: Command, tmp_path: Path) -> None:
    from search import open_space

    cells = open_space("nasbench201", (32, 32), 3)
    names = tuple(unit.names[pick] for unit, pick in zip(cells.units, cells.reference, strict=True))
    path = tmp_path / "cells.json"
    SearchResult("cells", cells.name, (32, 32), 3, names, "macs", 1e9, 1.0, 0.5, 0, "", {}).write(path)
    ended = command("export", path, "--dynamic", "--no-engine", "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert "height stays fixed, because of" in ended.err


def test_an_engine_that_is_asked_for_and_cannot_be_built_is_missed(
    command: Command, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("paceline.commands.export.exported_onnx", lambda *_, **__: pytest.fail("it is asked first"))
    ended = command("export", searched, "--out", tmp_path / "out", "--engine")
    assert ended.status == 3
    assert "tensorrt cannot be imported" in ended.err
    assert not list((tmp_path / "out").iterdir()), "nothing is written that has no card"


def test_measuring_needs_a_table_of_a_device(command: Command, searched: Path, tmp_path: Path) -> None:
    ended = command("export", searched, "--out", tmp_path / "out", "--measure", "--no-engine")
    assert ended.status == 2
    assert "give --table" in ended.err
    estimated = tmp_path / "xavier.jsonl"
    filled = command(
        *("profile-device", "--estimate", "--target", "xavier", "--space", "demo", "--input", "32x64"),
        *("--out", estimated),
    )
    assert filled.status == 0, filled.err
    ended = command("export", searched, "--out", tmp_path / "out", "--measure", "--table", estimated, "--no-engine")
    assert ended.status == 2
    assert "estimated from peak figures" in ended.err


def test_what_a_table_lacks_is_said_before_anything_is_measured(
    command: Command, dummy_table: Path, tmp_path: Path
) -> None:
    rows = dummy_table.read_bytes()
    words = ("--table", dummy_table, "--measure", "--runtime", "dummy", "--out", tmp_path / "out")
    ended = command("export", "lat_small", "--input", "32x64", *words)
    assert ended.status == 2
    assert "profile-device --target local --space squeezenas-small --input 32x64" in ended.err
    assert dummy_table.read_bytes() == rows
    assert not list((tmp_path / "out").iterdir())


def test_a_table_of_another_runtime_says_with_what_it_was_filled(
    command: Command, dummy_table: Path, searched: Path, tmp_path: Path
) -> None:
    ended = command("export", searched, "--out", tmp_path / "out", "--table", dummy_table, "--measure")
    assert ended.status == 2
    assert "was filled with --runtime dummy --threads 1" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--again", "--runtime", "dummy"), "leave out --runtime and --again"),
        (("--rounds", "3", "--threads", "2"), "without --measure: add it, or leave out --threads and --rounds"),
        (("--precision", "fp13"), "no number format 'fp13'"),
        (("--weights", "typo.safetensors"), "typo.safetensors is not there"),
    ],
)
def test_what_has_no_effect_or_is_not_there_is_refused(
    command: Command, searched: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ended = command("export", searched, "--out", tmp_path / "out", *words)
    assert ended.status == 2
    assert said in ended.err


def test_files_of_an_earlier_export_are_not_taken_for_those_of_the_card(
    command: Command, searched: Path, tmp_path: Path
) -> None:
    export = ("export", searched, "--out", tmp_path / "out", "--no-engine")
    assert "earlier export" not in command(*export, "--precision", "fp16").err
    ended = command(*export, "--json")
    assert "has latency.fp16.onnx of an earlier export" in ended.err
    assert [file["name"] for file in ended.json["files"]] == ["latency.onnx"]


def test_weights_of_a_comparison_bring_their_accuracy(
    command: Command, dummy_table: Path, searched: Path, tmp_path: Path
) -> None:
    (tmp_path / "quick.toml").write_text("[train]\nsteps = 1\nbatch_size = 2\nimages = 2\ntest_images = 2\n")
    out = tmp_path / "compared"
    compared = command(
        *("compare", searched, "--table", dummy_table, "--runtime", "dummy", "--rounds", 1, "--references", 0),
        *("--config", tmp_path / "quick.toml", "--out", out),
    )
    assert compared.status == 0, compared.err
    weights = out / "latency.safetensors"
    ended = command("export", searched, "--weights", weights, "--no-engine", "--out", tmp_path / "out", "--json")
    assert ended.status == 0, ended.err
    assert ended.json["accuracy"]["trained_steps"] == 1
    assert ended.json["weights"].startswith("latency.safetensors (sha256")
    assert [words.split()[1] for words in ended.json["commands"]] == ["search", "compare", "export"]
    assert not ended.json["caveats"]
