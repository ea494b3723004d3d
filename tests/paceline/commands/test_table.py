from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from devices import read_device
from latency import Costs, Environment, Estimate, Measurement, Outcome, Runtime, known_profilers
from lut import appending
from tests.contracts.examples import ENVIRONMENT, OTHER_DEVICE, block, failure, measurement
from tests.paceline.conftest import Command

STEADY = [1e-3 * (1 + step / 1000) for step in (0, -3, 1, 3, -1, 2)]
WIDE = [1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3, 1.5e-3]


@pytest.fixture(autouse=True)
def wide_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def steady(count: int, factor: float = 1.0) -> list[Outcome]:
    """Rows of 8, 9, ... channels that take 1 ms, 2 ms, ..., times ``factor``."""
    return [measurement(block(8 + n), times=[(n + 1) * factor * time for time in STEADY]) for n in range(count)]


def write(path: Path, outcomes: Iterable[Outcome]) -> Path:
    with appending(path) as writer:
        for outcome in outcomes:
            writer.append(outcome)
    return path


def test_show_lists_every_row_with_its_interval(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*steady(3), failure(block(99))])
    rows = command("table", "show", path, "--json").json
    assert [row.get("failure") for row in rows] == [None, None, None, "not implemented"]
    assert all(row["interval_s"][0] <= row["time_s"] <= row["interval_s"][1] for row in rows[:3])
    assert (rows[0]["bursts"], rows[0]["samples"], rows[0]["discarded"]) == (6, 42, 0)
    assert "inverted_residual 8x8x8 c99 " in command("table", "show", path).out


def test_show_sorts_by_name_as_people_do_or_by_time_the_slowest_first(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [failure(block(5)), *steady(3)])

    def channels(*options: object) -> list[int]:
        rows = command("table", "show", path, "--json", *options).json
        return [row["workload"]["attributes"]["channels"] for row in rows]

    assert channels() == [5, 8, 9, 10]
    assert channels("--sort", "time") == [10, 9, 8, 5]
    assert channels("--sort", "time", "--limit", 2) == [10, 9]
    assert "2 more rows" in command("table", "show", path, "--limit", 2).out


def test_an_unknown_order_is_refused_with_the_known_ones(command: Command, tmp_path: Path) -> None:
    ended = command("table", "show", write(tmp_path / "a.jsonl", steady(1)), "--sort", "tine")
    assert ended.status == 2
    assert "Did you mean 'time'?" in ended.err


def test_show_has_columns_for_what_is_known_and_no_others(command: Command, tmp_path: Path) -> None:
    (plain,) = steady(1)
    assert isinstance(plain, Measurement)
    costs = Costs(peak_memory_bytes=3 * 2**20, energy_j=0.004)
    costly = replace(plain, bursts=tuple(replace(burst, costs=costs, discarded=2) for burst in plain.bursts))
    out = command("table", "show", write(tmp_path / "a.jsonl", [plain])).out
    assert not any(column in out for column in ("discarded", "MiB", "mJ"))
    out = command("table", "show", write(tmp_path / "b.jsonl", [costly])).out
    (row,) = (line for line in out.splitlines() if "inverted_residual 8x8x8" in line)
    assert [cell.strip() for cell in row.split("│")][3:-1] == [
        f"+-{costly.relative_half_width:.1%}",
        "6/42",
        "12",
        "3",
        "4",
    ]


def test_show_sums_up_what_speaks_against_the_rows(command: Command, tmp_path: Path) -> None:
    doubtful = [measurement(block(100 + n), times=WIDE) for n in range(30)]
    out = command("table", "show", write(tmp_path / "a.jsonl", [*steady(3), *doubtful, failure(block(99))])).out
    assert "30 of 33 wide intervals: +-" in out
    assert "1 of 34 failures: 1 failed at load: not implemented" in out
    assert out.count("wide intervals") == 1
    assert f"`paceline table check {tmp_path / 'a.jsonl'}`" in out


def test_check_ends_with_0_when_nothing_is_serious(command: Command, tmp_path: Path) -> None:
    ended = command("table", "check", write(tmp_path / "a.jsonl", steady(3)))
    assert ended.status == 0
    assert "Nothing serious" in ended.out
    assert "3 measured, 0 failed" in ended.out


def test_check_ends_with_1_and_the_command_that_mends_the_table(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [measurement(times=WIDE)])
    ended = command("table", "check", path)
    assert ended.status == 1
    assert "SERIOUS: wide intervals, 1 of 1 rows" in ended.out
    assert f"profile-device --runtime example --threads 1 --out {path} --again doubtful" in ended.out
    assert "--space" in ended.out


def test_the_command_that_mends_a_table_names_the_options_of_its_runtime(command: Command, tmp_path: Path) -> None:
    name, kind = next((name, kind) for name, kind in known_profilers().items() if kind.choices)
    chosen, values = next(iter(kind.choices.items()))
    runtime = Runtime(name, {}, 2, {chosen: values[-1], "opset": "17"})
    environment = Environment(OTHER_DEVICE, runtime)
    path = write(tmp_path / "a.jsonl", [measurement(times=WIDE, environment=environment)])
    out = command("table", "check", path).out
    assert f"profile-device --runtime {name} --threads 2 --option {chosen}={values[-1]} --out {path}" in out


def test_rows_of_a_gpu_that_is_not_here_are_not_compared(command: Command, tmp_path: Path) -> None:
    gpu = Environment(replace(OTHER_DEVICE, kind="cuda"), Runtime("example", {"numpy": "0.1"}, 1, {}))
    path = write(tmp_path / "a.jsonl", [measurement(times=STEADY, environment=gpu)])
    assert command("table", "check", path).status == 0


def test_check_tells_programs_the_same(command: Command, tmp_path: Path) -> None:
    ended = command("table", "check", write(tmp_path / "a.jsonl", [measurement(times=WIDE)]), "--json")
    assert ended.status == 1
    assert ended.json["trusted"] is False
    serious = [concern for concern in ended.json["concerns"] if concern["is_serious"]]
    assert [(concern["kind"], concern["count"]) for concern in serious] == [("wide intervals", 1)]
    assert serious[0]["examples"][0]["subject"] == block().describe()


def test_check_compares_versions_on_the_machine_that_rows_come_from(command: Command, tmp_path: Path) -> None:
    def checked(name: str, environment: Environment) -> str:
        path = write(tmp_path / name, [measurement(times=STEADY, environment=environment)])
        return command("table", "check", path).out

    stale, fresh = (Runtime("torch-eager", {"torch": version}, 1, {}) for version in ("0.1", metadata.version("torch")))
    here = read_device()
    found = f"torch: measured with 0.1, installed is {metadata.version('torch')}"
    assert found in checked("stale.jsonl", Environment(here, stale))
    assert "installed" not in checked("fresh.jsonl", Environment(here, fresh))
    assert "installed" not in checked("elsewhere.jsonl", Environment(OTHER_DEVICE, stale))


@pytest.mark.parametrize("runtime", ["nobody_has_this", "openvino", "dummy"])
def test_what_a_runtime_does_not_tell_now_is_not_guessed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    old = Environment(read_device(), Runtime(runtime, {"numpy": "0.1", "torch": "0.1"}, 1, {}))
    path = write(tmp_path / "a.jsonl", [measurement(times=STEADY, environment=old)])
    assert "installed" not in command("table", "check", path).out


def test_diff_of_equal_tables_ends_with_0(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", steady(8))
    ended = command("table", "diff", path, path)
    assert ended.status == 0
    assert "8 common rows, the same within 2 %: 0 slower, 0 faster, 8 same, 0 unclear" in ended.out
    assert "8 more rows: --all" in ended.out
    assert command("table", "diff", path, path, "--all").out.count("inverted_residual 8x8x8 c") == 8


def test_diff_ends_with_1_when_a_row_is_slower_and_with_0_when_it_is_faster(command: Command, tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", steady(8))
    second = write(tmp_path / "b.jsonl", [*steady(7), *steady(8, factor=1.1)[7:]])
    ended = command("table", "diff", first, second)
    assert ended.status == 1
    assert "1 slower, 0 faster, 7 same, 0 unclear" in ended.out
    (row,) = (line for line in ended.out.splitlines() if "slower │" in line)
    assert "c15" in row
    assert "1.100" in row
    assert command("table", "diff", second, first).status == 0
    assert command("table", "diff", first, second, "--tolerance", "20%").status == 0


def test_diff_ends_with_1_when_a_row_fails_that_did_not(command: Command, tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", steady(2))
    second = write(tmp_path / "b.jsonl", [*steady(1), failure(block(9))])
    ended = command("table", "diff", first, second)
    assert ended.status == 1
    assert f"measured in A, failed in B: {block(9).describe()}" in ended.out


def test_diff_tells_another_clock_from_other_blocks(command: Command, tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", steady(8))
    second = write(tmp_path / "b.jsonl", steady(8, factor=1.08))
    ended = command("table", "diff", first, second)
    assert ended.status == 1
    assert "common factor B / A: 1.080 (1.080 to 1.080): all rows alike" in ended.out
    ended = command("table", "diff", first, second, "--relative")
    assert ended.status == 0
    assert "taken out" in ended.out


def test_diff_tells_programs_the_same(command: Command, tmp_path: Path) -> None:
    other = replace(ENVIRONMENT, device=OTHER_DEVICE)
    first = write(tmp_path / "a.jsonl", steady(7))
    second = write(tmp_path / "b.jsonl", [replace(row, environment=other) for row in steady(6, factor=1.1)])
    ended = command("table", "diff", first, second, "--json", "--tolerance", "5%")
    assert ended.status == 1
    values = ended.json
    assert values["counts"] == {"slower": 6, "faster": 0, "same": 0, "unclear": 0}
    assert values["tolerance"] == pytest.approx(0.05)
    assert values["worse"] is True
    assert values["environments"] == {"device name": [ENVIRONMENT.device.name, OTHER_DEVICE.name]}
    assert [workload["attributes"]["channels"] for workload in values["only_first"]] == [14]
    assert all(row["interval"][0] <= row["ratio"] <= row["interval"][1] for row in values["rows"])
    assert values["rows"][0]["workload"]["operator"] == "inverted_residual"


def test_rows_of_one_process_are_compared_with_a_warning(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [measurement(block(8)), measurement(block(9))])
    assert "2 rows rest on a single process" in command("table", "diff", path, path).out


def test_repair_of_a_whole_table_changes_nothing(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", steady(2))
    before = path.read_bytes()
    assert "0 lines moved" in command("table", "repair", path).out
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", [("show",), ("check",), ("diff", "{path}")])
def test_a_missing_table_is_answered_with_the_command_that_fills_it(
    command: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    path = tmp_path / "none.jsonl"
    ended = command("table", *(word.format(path=path) for word in words), path)
    assert ended.status == 2
    assert "profile-device --out" in ended.err


def test_check_counts_what_was_not_measured(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", steady(20))
    with appending(path) as writer:
        writer.add_estimate(block(99), ENVIRONMENT, Estimate(1e-3, 1e-4, "predicted"))
    ended = command("table", "check", path)
    assert ended.status == 0
    assert "20 measured, 0 failed, 1 predicted\n" in ended.out
    assert "note: predicted, 1 of 21 rows" in ended.out
