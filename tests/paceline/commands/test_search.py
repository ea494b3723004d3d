from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lut import Lookup, Table
from search import SearchResult, open_images
from tests.paceline.conftest import Command

_QUICK = """
[search]
warm_up_steps = 2
alternating_steps = 2
batch_size = 2
candidates = 3
recalibration_batches = 1
score_images = 2

[train]
images = 4
"""


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    path = tmp_path / "quick.toml"
    path.write_text(_QUICK)
    return path


@pytest.mark.parametrize("objective", ["macs", "latency"])
def test_what_is_found_is_within_the_limit_and_written_down(
    command: Command, dummy_table: Path, quick: Path, tmp_path: Path, objective: str
) -> None:
    out = tmp_path / "found.json"
    ended = command(
        *("search", "--space", "demo", "--input", "32x64", "--objective", objective, "--limit", "70%"),
        *("--table", dummy_table, "--config", quick, "--out", out, "--json"),
    )
    assert ended.status == 0, ended.err
    result = SearchResult.read(out)
    assert ended.json == json.loads(out.read_text())
    assert result.cost <= result.limit
    assert result.objective == objective
    assert "70%" not in result.architecture


def test_running_it_again_trains_nothing_and_finds_the_same(
    command: Command, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ("search", "--input", "32x64", "--objective", "macs", "--limit", "70%", "--config", quick)
    search = (*search, "--out", tmp_path / "found.json", "--json")
    first = command(*search).json
    monkeypatch.setattr("search.differentiable.DifferentiableSearch._weights_step", None)
    assert command(*search).json == first


def test_a_warm_up_is_shared_by_searches_on_different_objectives(
    command: Command, dummy_table: Path, quick: Path, tmp_path: Path
) -> None:
    for objective in ("macs", "latency"):
        ended = command(
            *("search", "--input", "32x64", "--objective", objective, "--limit", "70%", "--table", dummy_table),
            *("--config", quick, "--warm-up", tmp_path / "warm.safetensors", "--out", tmp_path / f"{objective}.json"),
        )
        assert ended.status == 0, ended.err


def test_a_limit_below_the_fastest_network_is_answered_with_no_at_once(
    command: Command, dummy_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.differentiable.DifferentiableSearch.__init__", None)
    ended = command(
        *("search", "--input", "32x64", "--limit", "1us", "--table", dummy_table, "--out", tmp_path / "x.json")
    )
    assert ended.status == 1
    assert "cheapest" in ended.err
    assert "skip" in ended.err


def test_latency_without_a_table_is_answered_with_the_command_that_fills_one(command: Command, tmp_path: Path) -> None:
    ended = command("search", "--limit", "1ms", "--out", tmp_path / "x.json")
    assert ended.status == 2
    assert "profile-device --target local --space demo" in ended.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[search]\nwarm_up_step = 3", "warm_up_steps"),
        ("[serach]\nseed = 3", "search"),
        ("[search]\nwarm_up_steps = 'many'", "warm_up_steps"),
        ("[search\n", "TOML"),
    ],
)
def test_a_broken_config_is_refused_with_the_way_out(command: Command, tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "broken.toml"
    config.write_text(text)
    ended = command(
        *("search", "--objective", "macs", "--limit", "70%", "--config", config, "--out", tmp_path / "x.json")
    )
    assert ended.status == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("layout", ["CamVid", "Cityscapes"])
def test_a_folder_with_fewer_images_than_the_recipe_wants_is_searched_on(
    command: Command, quick: Path, tmp_path: Path, layout: str
) -> None:
    folder = tmp_path / layout
    for split in ("train", "val"):
        for index in range(3):
            picture, labels = open_images("scenes", split, (32, 64), count=3).read(index)
            if layout == "CamVid":
                image, label = f"{split}/images/{index}.png", f"{split}/labels/{index}.png"
            else:
                stem = f"{split}/town/town_{index:06d}_000000"
                image = f"leftImg8bit/{stem}_leftImg8bit.png"
                label, labels = f"gtFine/{stem}_gtFine_labelIds.png", labels + 7
            for name, array in ((image, picture), (label, labels)):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(folder / name)
    ended = command(
        *("search", "--input", "32x64", "--objective", "macs", "--limit", "70%", "--data", folder),
        *("--config", quick, "--out", tmp_path / "found.json"),
    )
    assert ended.status == 0, ended.err
    assert layout in SearchResult.read(tmp_path / "found.json").data


def test_a_candidate_that_failed_on_the_device_is_in_no_network(
    command: Command, dummy_table: Path, quick: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in dummy_table.read_text().splitlines()]
    for row in rows:
        if row["workload"]["attributes"].get("kernel") == 5:
            measured_at = row.pop("bursts")[0]["measured_at"]
            del row["plan"], row["stopped"], row["adds"]
            row.update(kind="failure", stage="load", reason="no kernel of 5 here", measured_at=measured_at)
    dummy_table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for objective in ("macs", "latency"):
        ended = command(
            *("search", "--input", "32x64", "--objective", objective, "--limit", "90%", "--table", dummy_table),
            *("--config", quick, "--warm-up", tmp_path / "warm.safetensors", "--out", tmp_path / f"{objective}.json"),
        )
        assert ended.status == 0, ended.err
        found = SearchResult.read(tmp_path / f"{objective}.json").architecture
        assert not any(name.startswith("k5") for name in found)


def test_an_output_that_cannot_be_written_is_said_before_anything_is_trained(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.differentiable.DifferentiableSearch.search", None)
    ended = command("search", "--objective", "macs", "--limit", "70%", "--out", tmp_path)
    assert ended.status == 2
    assert "--out" in ended.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--device", "cuda"), 3, "finds no GPU to train on. Give --device cpu"),
        (("--device", "cuda", "--evaluator", "train"), 3, "finds no GPU to train on. Give --device cpu"),
        (("--device", "gpu"), 2, "no device to train on 'gpu'"),
        (("--device", "cpu", "--evaluator", "synflow"), 2, "--evaluator synflow does not train. Leave it out."),
    ],
)
def test_a_device_that_cannot_train_is_refused_before_anything_is_trained(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("search.differentiable.DifferentiableSearch.search", None)
    macs = ("--objective", "macs", "--limit", "70%", "--out", tmp_path / "found.json")
    ended = command("search", "--input", "32x64", *macs, *words)
    assert ended.status == status, ended.err
    assert said in ended.err
    assert list(tmp_path.iterdir()) == []


def test_with_a_confidence_the_upper_bound_is_within_the_limit(
    command: Command, dummy_table: Path, quick: Path, tmp_path: Path
) -> None:
    search = ("search", "--input", "32x64", "--limit", "70%", "--table", dummy_table, "--config", quick)
    ended = command(*search, "--confidence", "95%", "--out", tmp_path / "sure.json")
    assert ended.status == 0, ended.err
    result = SearchResult.read(tmp_path / "sure.json")
    assert result.confidence == pytest.approx(0.95)
    assert "95.0% sure" in ended.out
    space, network = result.open()
    lookup = Lookup.read(Table.read(dummy_table), space.grid, space.fixed)
    known = lookup.estimate(network.picks)
    assert known.mean_s + 1.64 * known.standard_deviation_s <= result.cost <= result.limit
    # The share is one of what the reference takes, not of its bound.
    assert result.limit == pytest.approx(0.7 * lookup.estimate(space.reference).mean_s)


def test_macs_need_no_confidence(command: Command, quick: Path, tmp_path: Path) -> None:
    macs = ("--objective", "macs", "--limit", "70%", "--confidence", "95%")
    ended = command("search", "--input", "32x64", *macs, "--config", quick, "--out", tmp_path / "found.json")
    assert ended.status == 2
    assert "--confidence belongs to --objective latency" in ended.err
