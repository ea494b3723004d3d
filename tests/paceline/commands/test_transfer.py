from __future__ import annotations

import json
from pathlib import Path

import pytest

from lut import Table
from tests.paceline.conftest import Command

DUMMY = ("--runtime", "dummy", "--rounds", 1)


def as_on(table: Path, name: str, factor: float) -> Path:
    """The same table as if another machine had filled it."""
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    for row in rows:
        row["environment"]["device"]["name"] = name
        for burst in row["bursts"]:
            burst["samples_s"] = [factor * sample_s for sample_s in burst["samples_s"]]
    path = table.with_name(f"{name}.jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def sources(dummy_table: Path) -> tuple[Path, Path]:
    return as_on(dummy_table, "slow", 5.0), as_on(dummy_table, "fast", 0.5)


def test_a_table_is_filled_from_two_others_and_five_measurements(
    command: Command, sources: tuple[Path, Path], dummy_table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new.jsonl"
    ended = command("table", "transfer", "--from", *sources, "--measure", 5, "--out", out, *DUMMY, "--json")
    assert ended.status == 0, ended.err
    truth, found = Table.read(dummy_table), Table.read(out)
    assert ended.json["measured"] == len(found) == 5
    assert ended.json["predicted"] == len(found.unmeasured()) == len(truth) - 5
    assert ended.json["blocks"] == len(truth)
    assert ended.json["expected_error"] < 0.2
    for workload, environment, estimate in found.unmeasured():
        known = truth.estimate(workload, truth.environment())
        assert known is not None
        assert environment == found.environment()
        assert estimate.mean_s == pytest.approx(known.mean_s, rel=0.2)


def test_the_result_for_people_says_what_is_known_and_what_to_do_next(
    command: Command, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "new.jsonl"
    ended = command("table", "transfer", "--from", sources[0], "--from", sources[1], "--out", out, *DUMMY)
    assert ended.status == 0, ended.err
    words = " ".join(ended.out.split())
    for part in ("measured here", "predicted", "90 % interval", "left out", "--measure", "profile-device --out"):
        assert part in words
    assert "known on 2 other device(s)" in ended.err


def test_the_table_can_be_searched_like_any_other(command: Command, sources: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "new.jsonl"
    assert command("table", "transfer", "--from", *sources, "--measure", 5, "--out", out, *DUMMY).status == 0
    shown = command("table", "show", out, "--json").json
    assert "predicted" in json.dumps(shown)
    assert command("table", "check", out).status in (0, 1)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("--measure", 2), "At least 3 blocks"),
        (("--precision", "fp16"), "--precision fp32"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(
    words: tuple[object, ...], advice: str, command: Command, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "new.jsonl"
    ended = command("table", "transfer", "--from", *sources, "--out", out, *DUMMY, *words)
    assert ended.status == 2
    assert advice in ended.err
    assert not out.exists() or not len(Table.read(out))


def test_the_own_table_is_no_source_and_no_file_is_named_twice(
    command: Command, dummy_table: Path, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "new.jsonl"
    own = command("table", "transfer", "--from", dummy_table, "--out", out, *DUMMY)
    assert own.status == 2
    assert "Leave it out of --from" in own.err
    twice = command("table", "transfer", "--from", sources[0], sources[0], "--out", out, *DUMMY)
    assert twice.status == 2
    assert "named twice" in twice.err
    assert command("table", "transfer", "--from", sources[0], "--out", sources[0], *DUMMY).status == 2


def test_the_help_teaches_with_an_example(command: Command) -> None:
    ended = command("table", "transfer", "--help")
    assert ended.status == 0
    for word in ("--from", "--measure", "Example", "Interrupted"):
        assert word in ended.out
