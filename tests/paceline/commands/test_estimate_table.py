"""A table in which nothing was measured: made from peak figures, and every command that shows a time of it says so."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices import Connection, Peaks, Target, WrongUse
from latency import Estimate, Source, roofline_environment
from lut import Table, appending
from paceline.commands.estimate_table import estimate_table, refuse_measuring_options
from search import Comparison, SearchResult, open_space
from tests.contracts.examples import ENVIRONMENT, block, measurement
from tests.lut.written_tables import write
from tests.paceline.conftest import Command

NOTE = "Estimated from peak figures of Example Board; nothing was measured."
PEAKS = Peaks({"fp32": 1.4e12, "fp16": 11e12}, 137e9, "a datasheet", 5e-6)
TARGET = Target("board", "jetson", "Example Board", "trtexec", "fp16", peaks=PEAKS)
SPACE = open_space("demo", (32, 64), 11)

QUICK = """
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


@pytest.fixture
def table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The demo space at 32x64, estimated."""
    path = tmp_path / "board.jsonl"
    estimate_table(TARGET, SPACE, path, as_json=True)
    capsys.readouterr()
    return path


@pytest.fixture
def search(command: Command, tmp_path: Path) -> Callable[..., Path]:
    """Searches in as few steps as can be."""
    pytest.importorskip("torch", reason="torch is not installed; supernets are trained with it")
    (tmp_path / "quick.toml").write_text(QUICK)

    def run(table: Path, *words: str, objective: str = "latency", limit: str = "80%") -> Path:
        out = tmp_path / f"{objective}.json"
        options = ("--config", tmp_path / "quick.toml", "--out", out, *words)
        ended = command(
            "search", "--input", "32x64", "--objective", objective, "--limit", limit, "--table", table, *options
        )
        assert ended.status == 0, ended.err
        assert (NOTE in ended.out) == (objective == "latency" and not words)
        return out

    return run


def test_it_fills_every_row_and_says_that_nothing_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "board.jsonl"
    estimate_table(TARGET, SPACE, path, as_json=False)
    said = capsys.readouterr().out
    assert said.startswith("NOTHING WAS MEASURED")
    for words in ("128 blocks estimated", "1,400 G operations/s in fp32", "137 GB/s", "a datasheet", "from 1/7.1"):
        assert words in said
    assert "`paceline targets add board --host USER@HOST`" in said
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 128
    assert {row["source"] for row in rows} == {"roofline"}
    assert {row["is_inside"] for row in rows} == {False}
    assert {row["environment"]["runtime"]["name"] for row in rows} == {"roofline"}


def test_a_device_whose_host_is_known_need_not_be_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = replace(TARGET, connection=Connection("10.0.0.5"))
    estimate_table(there, SPACE, tmp_path / "board.jsonl", as_json=False)
    assert "targets add" not in capsys.readouterr().out


def test_programs_are_told_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for added in (128, 0):
        estimate_table(TARGET, SPACE, tmp_path / "board.jsonl", as_json=True)
        found = json.loads(capsys.readouterr().out)
        assert (found["measured"], found["estimated"], found["added"], found["note"]) == (0, 128, added, NOTE)
        assert found["peaks"]["peaks from"] == "a datasheet"
        assert found["interval_95_factor"] == pytest.approx(7.1, abs=0.01)


def test_spaces_sizes_and_precisions_share_a_table(table: Path) -> None:
    estimate_table(TARGET, open_space("demo", (64, 64), 5, "fp16"), table, as_json=True)
    read = Table.read(table)
    assert {row.workload.precision for row in read.unmeasured()} == {"fp32", "fp16"}
    assert len(read.environments()) == 1


def test_what_has_no_peaks_is_refused_before_a_table_is_made(tmp_path: Path) -> None:
    path = tmp_path / "board.jsonl"
    with pytest.raises(WrongUse, match="without --estimate"):
        estimate_table(replace(TARGET, peaks=None), SPACE, path, as_json=False)
    with pytest.raises(WrongUse, match="fp32, fp16"):
        estimate_table(TARGET, open_space("demo", (32, 64), 11, "int8"), path, as_json=False)
    assert not path.exists()


def test_measurements_and_estimates_never_share_a_table(command: Command, table: Path, tmp_path: Path) -> None:
    measured = tmp_path / "measured.jsonl"
    before = write(measured, measurement(block()))
    with pytest.raises(WrongUse, match="another table"):
        estimate_table(TARGET, SPACE, measured, as_json=False)
    assert measured.read_bytes() == before
    estimated = table.read_bytes()
    ended = command("profile-device", "--input", "32x64", "--space", "demo", "--runtime", "dummy", "--out", table)
    assert ended.status == 2
    assert "another" in ended.err
    assert table.read_bytes() == estimated


def test_options_that_say_how_to_measure_are_refused_by_name() -> None:
    refuse_measuring_options(fraction=None, time_limit=None)
    with pytest.raises(WrongUse, match="--fraction and --time-limit say how to measure"):
        refuse_measuring_options(fraction=0.2, time_limit=3.0, budget=None)


def test_a_look_at_the_table_says_it_on_every_row_and_above(command: Command, table: Path) -> None:
    ended = command("table", "show", table)
    assert ended.out.count("roofline") == 128 + 1, "a row each, and the environment"
    assert NOTE in ended.out
    assert "128 of 128 estimated from peak figures" in ended.out
    rows = command("table", "show", table, "--json").json
    assert {row["source"] for row in rows} == {"roofline"}


def test_a_check_ends_with_1(command: Command, table: Path) -> None:
    ended = command("table", "check", table)
    assert ended.status == 1
    assert NOTE in ended.out
    assert "0 measured, 0 failed, 128 estimated from peak figures" in ended.out
    assert "SERIOUS: estimated from peak figures, 128 of 128 rows" in ended.out
    assert command("table", "check", table, "--json").json["trusted"] is False


def test_tables_are_not_compared_by_it(command: Command, table: Path, tmp_path: Path) -> None:
    measured = tmp_path / "measured.jsonl"
    write(measured, measurement(block()))
    for pair, which in (((table, measured), "first"), ((measured, table), "second")):
        ended = command("table", "diff", *pair)
        assert ended.status == 2
        assert f"the {which} one has none. {NOTE}" in ended.err


def test_an_export_says_it_on_every_row_and_an_import_keeps_it(command: Command, table: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "board.csv", tmp_path / "again.jsonl"
    ended = command("table", "export", table, "--out", out)
    assert NOTE in ended.out
    assert out.read_text().count(",roofline,false,") == 128
    assert NOTE in command("table", "import", out, "--out", again).out
    read, known = Table.read(again), Table.read(table)
    assert read.environments() == known.environments()
    assert {row.estimate.source for row in read.unmeasured()} == {"roofline"}
    assert command("table", "import", out, "--out", again).out.count("128 known already") == 1


def test_a_format_that_cannot_say_it_writes_nothing(command: Command, table: Path, tmp_path: Path) -> None:
    ended = command("table", "export", table, "--out", tmp_path / "board.yaml", "--format", "ofa")
    assert ended.status != 0
    assert not (tmp_path / "board.yaml").exists()


def test_nothing_is_carried_over_from_it(command: Command, table: Path, tmp_path: Path) -> None:
    ended = command("table", "transfer", "--from", table, "--out", tmp_path / "new.jsonl", "--runtime", "dummy")
    assert ended.status == 2
    assert "no measured block to learn from" in ended.err


def test_it_is_not_calibrated(command: Command, table: Path) -> None:
    ended = command("table", "calibrate", table, "--space", "demo", "--input", "32x64", "--classes", 11)
    assert ended.status == 2
    assert NOTE in ended.err


def test_what_is_missing_is_estimated_by_the_command_that_is_named(command: Command, table: Path) -> None:
    ended = command("predict", "lat_small", "--input", "32x64", "--table", table)
    assert ended.status == 2
    words = shlex.split(ended.err.split("This command fills them: ")[1])
    assert words[words.index("--target") + 1] == "board"
    assert "--estimate" in words
    assert words.count("--target") == 1


def test_a_search_and_a_prediction_say_it(command: Command, table: Path, search: Callable[..., Path]) -> None:
    found = search(table)
    result = SearchResult.read(found)
    assert result.note == NOTE
    assert json.loads(found.read_text())["note"] == NOTE
    ended = command("predict", found, "--table", table)
    assert NOTE in ended.out
    assert "estimated blocks" in ended.out
    values = command("predict", found, "--table", table, "--json").json
    assert (values["source"], values["is_inside"], values["note"]) == ("roofline", False, NOTE)
    low_s, high_s = values["interval_s"]
    assert high_s / values["mean_s"] == pytest.approx(7.1, abs=0.01)
    assert values["mean_s"] / low_s == pytest.approx(7.1, abs=0.01)


def test_a_search_on_macs_shows_no_time_and_needs_no_note(table: Path, search: Callable[..., Path]) -> None:
    assert SearchResult.read(search(table, objective="macs")).note == ""


def test_with_confidence_the_interval_is_held_against_the_limit(
    command: Command, table: Path, search: Callable[..., Path], tmp_path: Path
) -> None:
    plain = SearchResult.read(search(table, limit="0.5ms"))
    sure = tmp_path / "sure.json"
    options = ("--config", tmp_path / "quick.toml", "--out", sure, "--table", table, "--confidence", "95%")
    ended = command("search", "--input", "32x64", "--limit", "2.5ms", *options)
    assert ended.status == 0, ended.err
    bounded = SearchResult.read(sure)
    predicted = command("predict", sure, "--table", table, "--json").json["mean_s"]
    assert bounded.cost == pytest.approx(predicted * 5.18, rel=1e-3), "exp(1.645)"
    assert plain.cost <= 0.5e-3


def test_a_comparison_measures_nothing_and_its_report_says_so(
    command: Command, table: Path, search: Callable[..., Path], tmp_path: Path
) -> None:
    networks = [search(table), search(table, objective="macs")]
    out, before = tmp_path / "compared", table.read_bytes()
    compare = ("compare", *networks, "--table", table, "--config", tmp_path / "quick.toml", "--out", out)
    ended = command(*compare)
    assert ended.status == 0, ended.err
    assert NOTE in ended.out
    assert "not measured" in ended.out
    assert table.read_bytes() == before
    found = Comparison.read(out / "compare.json")
    assert [(network.measured, network.failure) for network in found.networks] == [(None, None)] * 2
    assert found.reference_networks == ()
    assert found.problems[0] == NOTE
    page = (out / "report.html").read_text()
    assert NOTE in page
    assert (out / "latency.onnx").stat().st_size > 0
    refused = command(*compare, "--runtime", "dummy", "--again")
    assert refused.status == 2
    assert "give one that was, or leave out --runtime and --again" in refused.err


@pytest.mark.parametrize("source", ["predicted", "reported"])
def test_other_times_that_were_not_measured_bring_no_such_note(
    command: Command, tmp_path: Path, source: Source
) -> None:
    path = tmp_path / "t.jsonl"
    with appending(path) as writer:
        writer.add_estimate(block(), ENVIRONMENT, Estimate(1e-3, 1e-4, source))
    assert "peak figures" not in command("table", "show", path).out
    assert roofline_environment(TARGET) not in Table.read(path).environments()
