from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from search import Comparison
from tests.paceline.conftest import Command

_QUICK = """
[search]
warm_up_steps = 1
alternating_steps = 1
batch_size = 2
candidates = 2
recalibration_batches = 1
score_images = 2

[train]
steps = 2
batch_size = 2
images = 4
test_images = 2
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the first test that needs ``found`` keeps what it searched."""
    return tmp_path_factory.mktemp("searched")


@pytest.fixture
def found(command: Command, dummy_table: Path, searched: Path, tmp_path: Path) -> list[Path]:
    """Two networks at 32x64, searched once on MACs and on the dummy's latency; each test has copies of its own."""
    (tmp_path / "quick.toml").write_text(_QUICK)
    for objective in ("macs", "latency"):
        kept = searched / f"{objective}.json"
        if not kept.exists():
            ended = command(
                *("search", "--input", "32x64", "--objective", objective, "--limit", "80%", "--table", dummy_table),
                *("--config", tmp_path / "quick.toml", "--out", kept),
            )
            assert ended.status == 0, ended.err
    return [Path(shutil.copy(searched / name, tmp_path)) for name in ("macs.json", "latency.json")]


def test_networks_are_trained_exported_measured_and_reported(
    command: Command, dummy_table: Path, found: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "compared"
    compare = ("compare", *found, "--table", dummy_table, "--runtime", "dummy", "--rounds", 1, "--references", 4)
    compare = (*compare, "--config", tmp_path / "quick.toml", "--out", out)
    ended = command(*compare)
    assert ended.status == 0, ended.err
    comparison = Comparison.read(out / "compare.json")
    assert [network.name for network in comparison.networks] == ["macs", "latency"]
    assert [words.split()[1] for words in comparison.commands] == ["search", "search", "compare"]
    for network in comparison.networks:
        assert network.measured is not None
        assert network.miou is not None
        assert (out / f"{network.name}.onnx").stat().st_size > 0
    assert all(network.measured is not None for network in comparison.reference_networks)
    page = (out / "report.html").read_text()
    assert "latency" in page
    rows = len(dummy_table.read_text().splitlines())
    assert command(*compare).status == 0
    assert len(dummy_table.read_text().splitlines()) == rows, "whole networks are not measured twice"
    whole = 2 + len(comparison.reference_networks)
    assert command(*compare, "--again").status == 0
    assert len(dummy_table.read_text().splitlines()) == rows + whole
    again = tmp_path / "again.html"
    assert command("report", out / "compare.json", "--out", again).status == 0
    assert again.read_text() == (out / "report.html").read_text()


def test_a_table_from_another_environment_is_refused(
    command: Command, dummy_table: Path, found: list[Path], tmp_path: Path
) -> None:
    ended = command("compare", *found, "--table", dummy_table, "--out", tmp_path / "compared")
    assert ended.status == 2
    assert "runtime: dummy there, onnxruntime-cpu here" in ended.err


def test_a_gpu_that_is_not_there_is_said_before_anything_is_trained(
    command: Command, dummy_table: Path, found: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    out = tmp_path / "compared"
    compare = ("compare", *found, "--table", dummy_table, "--runtime", "dummy", "--out", out)
    ended = command(*compare, "--device", "cuda")
    assert ended.status == 3
    assert "finds no GPU to train on. Give --device cpu" in ended.err
    assert not out.exists()


def test_a_damaged_comparison_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "compare.json").write_text("{}")
    ended = command("report", tmp_path / "compare.json", "--out", tmp_path / "r.html")
    assert ended.status == 2
    assert "paceline compare" in ended.err


def test_a_mistyped_table_is_not_made(command: Command, found: list[Path], tmp_path: Path) -> None:
    ended = command("compare", *found, "--table", tmp_path / "typo.jsonl", "--out", tmp_path / "compared")
    assert ended.status == 2
    assert "profile-device" in ended.err
    assert not (tmp_path / "typo.jsonl").exists()


def test_a_result_whose_name_is_a_path_is_refused(command: Command, found: list[Path]) -> None:
    found[0].write_text(found[0].read_text().replace('"name": "macs"', '"name": "../macs"'))
    ended = command("show", found[0])
    assert ended.status == 2
    assert "no plain file name" in ended.err


def test_a_searched_network_is_shown_at_its_own_size_only(command: Command, found: list[Path]) -> None:
    assert command("show", found[0], "--json").json["input_size"] == [32, 64]
    assert command("show", found[0], "--input", "64x64").status == 2
