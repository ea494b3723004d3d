"""Every benchmark explains itself; those of the lookup and of fills run in their smallest form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import lookup, peers_plan
from benchmarks.cost_of_a_table import Cost, Verdict, above_0, climb, expected_s
from benchmarks.fills import Fill, Fills, Spread, Subject, our_plan
from benchmarks.peers_plan import CALLS, block_count, sample_of_blocks, time_in_sequence
from benchmarks.repeatability import Pair, Target, share, targets_of
from devices import DeviceState, WrongUse, read_device
from latency import DummyProfiler

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))
TAG = "PACELINE_TEST_RUN"


def run(script: str, *options: str, within: Path, tag: str = "") -> subprocess.CompletedProcess[str]:
    # From another folder: a script finds the packages by itself.
    command = [sys.executable, str(FOLDER / script), *options]
    environment = {**os.environ, TAG: tag}
    return subprocess.run(command, cwd=within, capture_output=True, text=True, check=False, env=environment)


def test_there_are_benchmarks() -> None:
    assert set(SCRIPTS) >= {"lookup.py", "repeatability.py", "cost_of_a_table.py"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_explains_itself(script: str, tmp_path: Path) -> None:
    done = run(script, "--help", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert f"    python benchmarks/{script}" in (FOLDER / script).read_text(encoding="utf-8")  # how to run it


def test_the_lookup_benchmark_prints_rates_ratios_and_the_machine(tmp_path: Path) -> None:
    done = run("lookup.py", "--architectures", "50", "--repeats", "1", within=tmp_path)
    assert done.returncode == 0, done.stderr
    machine, versions, _, *rows = done.stdout.splitlines()
    assert machine.startswith("machine: ")
    assert "numpy" in versions
    assert [row[:16].rstrip() for row in rows] == ["sum_of_picks", "loop in Python", "loop with numpy"]
    assert all(row.endswith("x") and float(row.split()[-2].replace(",", "")) > 0 for row in rows)


@pytest.mark.parametrize("option", ["--architectures", "--repeats"])
@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_the_lookup_benchmark_refuses_numbers_below_1(
    option: str, number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lookup.py", option, number])
    with pytest.raises(SystemExit) as ended:
        lookup.main()
    assert ended.value.code == 2
    assert f"must be a whole number of at least 1; got '{number}'" in capsys.readouterr().err


# Fills by our plan and by the peers'. The runtime is `dummy`, which invents times: processes, load and files are real.

SMALL = ("--runtime", "dummy", "--blocks", "2", "--rounds", "1")

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")


def processes(tag: str) -> list[str]:
    """Command lines of the processes that run with that tag in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
        except OSError:
            continue  # It is gone, or somebody else's.
        if f"{TAG}={tag}".encode() in environment.split(b"\0"):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < until_s, "waited for five minutes"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def repeatability(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, list[str]]:
    """What the smallest form says, the file of its fills, and the processes that were left when it had ended."""
    folder = tmp_path_factory.mktemp("repeatability")
    kept = folder / "fills.jsonl"
    done = run("repeatability.py", *SMALL, "--fills", str(kept), "--json", within=folder, tag=str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), kept, processes(str(folder))


@pytest.mark.slow
def test_repeatability_fills_by_both_plans_in_turns_with_seeds_of_their_own(
    repeatability: tuple[dict[str, Any], Path, list[str]],
) -> None:
    said, _, _ = repeatability
    names = [f"{side} {when}" for when in ("A", "B", "under load") for side in ("ours", "peers")]
    assert list(said["fills"]) == names
    fills = said["fills"].values()
    assert len({fill["seed"] for fill in fills}) == len(names)
    assert all(set(fill["times_s"]) == set(said["blocks"]) and len(fill["times_s"]) == 2 for fill in fills)
    assert [fill["load_cores"] is not None for fill in fills] == [False] * 4 + [True] * 2


@pytest.mark.slow
def test_repeatability_gives_the_peers_as_much_time(repeatability: tuple[dict[str, Any], Path, list[str]]) -> None:
    # How much more than the plan's least fits into the time depends on how busy this machine is.
    fills = repeatability[0]["fills"]
    assert all(fills[f"peers {when}"]["calls"] >= 2 * CALLS for when in ("A", "B", "under load"))
    assert all(fills[f"peers {when}"]["seconds"] > 0 for when in ("A", "B", "under load"))


@pytest.mark.slow
def test_repeatability_says_every_spread_and_target(repeatability: tuple[dict[str, Any], Path, list[str]]) -> None:
    said, _, _ = repeatability
    for situation, second in (("both idle", "B"), ("second under load", "under load")):
        for side in ("ours", "peers"):
            first, other = (Fill(**said["fills"][f"{side} {when}"]) for when in ("A", second))
            assert Spread(**said["spreads"][situation][side]) == Spread.between(first, other)
    assert [target["at_most"] for target in said["targets"]] == [0.5, 0.5, 0.02]


@needs_proc
@pytest.mark.slow
def test_repeatability_leaves_no_process_behind(repeatability: tuple[dict[str, Any], Path, list[str]]) -> None:
    assert repeatability[2] == []


@pytest.mark.slow
def test_repeatability_prints_the_machine_the_load_and_ratios_and_goes_on_with_kept_fills(
    repeatability: tuple[dict[str, Any], Path, list[str]], tmp_path: Path
) -> None:
    done = run("repeatability.py", *SMALL, "--fills", str(repeatability[1]), within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("known already") == 6
    lines = done.stdout.splitlines()
    starts = [line.split(":")[0] for line in lines[:6]]
    assert starts == ["machine", "runtime", "blocks", "ours", "peers", "load"]
    assert "copies of 64 MiB" in lines[5]
    (median,) = (line for line in lines if line.startswith("second under load, median"))
    ours, peers = (repeatability[0]["spreads"]["second under load"][side]["median"] for side in ("ours", "peers"))
    assert median.split()[-3:-1] == [f"{ours:.2%}", f"{peers:.2%}"]
    assert sum("target <=" in line for line in lines) == 3


@pytest.mark.slow
def test_kept_fills_of_other_options_are_refused(
    repeatability: tuple[dict[str, Any], Path, list[str]], tmp_path: Path
) -> None:
    done = run("repeatability.py", *SMALL, "--seed", "9", "--fills", str(repeatability[1]), within=tmp_path)
    assert done.returncode == 2
    assert "name another --fills file" in done.stderr


@needs_proc
@pytest.mark.slow
def test_ctrl_c_ends_repeatability_and_its_load(
    repeatability: tuple[dict[str, Any], Path, list[str]], tmp_path: Path
) -> None:
    idle = repeatability[1].read_text(encoding="utf-8").splitlines(keepends=True)[:5]
    kept = tmp_path / "fills.jsonl"

    def is_under_load() -> bool:
        # A load that is still being started ends otherwise; once a fill has begun, all of it is there.
        running = " ".join(processes(str(tmp_path)))
        return "background_load.py --member" in running and "latency.worker" in running

    for _ in range(5):  # This process may sleep through the second that it waits for.
        kept.write_text("".join(idle), encoding="utf-8")
        with tagged("repeatability.py", *SMALL, "--fills", str(kept), tag=str(tmp_path)) as process:
            wait_until(lambda: is_under_load() or process.poll() is not None)
            process.send_signal(signal.SIGINT)  # Nothing is sent to one that has ended.
            _, errors = process.communicate()
        if process.returncode:
            break
    assert process.returncode == 130
    assert "Traceback" not in errors
    wait_until(lambda: not processes(str(tmp_path)))  # A process of a round ends when it notices that it is alone.


@contextmanager
def tagged(script: str, *options: str, tag: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(FOLDER / script), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, TAG: tag}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_proc
def test_a_load_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    options = ("--seconds", "600", "--processes", "2")
    with tagged("background_load.py", *options, tag=str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("2 processes in turns computing")
        assert sum("--member" in command for command in processes(str(tmp_path))) == 2
        process.kill()
    wait_until(lambda: processes(str(tmp_path)) == [])


def test_a_load_says_what_it_took(tmp_path: Path) -> None:
    done = run("background_load.py", "--seconds", "0.5", "--processes", "1", within=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.splitlines()
    assert after.startswith(before)
    assert after.endswith("cores on average")


@pytest.mark.slow
def test_the_cost_of_a_table_prints_seconds_ratios_and_a_verdict(tmp_path: Path) -> None:
    done = run("cost_of_a_table.py", *SMALL, "--cap", "0.01", within=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("machine: ")
    (ours,) = (line.split() for line in lines if line.startswith("ours  ") and "%" in line)
    (fixed,) = (line.split() for line in lines if line.startswith("10 + mean of 50  "))
    assert ours[-1] == "1.00"
    fixed_s, ours_s, printed = float(fixed[-4]), float(ours[-4]), 0.05  # Seconds are rounded to tenths, and few.
    assert (fixed_s - printed) / (ours_s + printed) - 0.005 <= float(fixed[-1])
    assert ours_s <= printed or float(fixed[-1]) <= (fixed_s + printed) / (ours_s - printed) + 0.005
    assert lines[-1].startswith("the fixed plan: ")


def test_the_peers_plan_times_blocks_with_onnx_runtime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = run("peers_plan.py", "--blocks", "1", "--calls", "3", within=tmp_path)
    assert done.returncode == 0, done.stderr
    machine, block = done.stdout.splitlines()
    assert "onnxruntime-cpu" in machine
    assert float(block.split()[0]) > 0
    assert "mean of       3 calls" in block


def test_a_runtime_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    done = run("cost_of_a_table.py", "--runtime", "onnx", within=tmp_path)
    assert done.returncode == 2
    assert "onnxruntime-cpu" in done.stderr


# Arithmetic.


def fill_of(*times_s: float, seconds: float = 1.0) -> Fill:
    return Fill(0, seconds, 1, {str(index): time_s for index, time_s in enumerate(times_s)})


def test_a_spread_is_that_of_ratios_with_and_without_what_they_share() -> None:
    spread = Spread.between(fill_of(1, 2, 4, 10, 20), fill_of(1.1, 2.2, 4.4, 11, 26))
    assert spread.common == pytest.approx(1.1)
    assert spread.median == pytest.approx(0.1)
    assert spread.p90 == pytest.approx(0.1 + 0.6 * 0.2)  # between the fourth and the fifth of five
    assert spread.relative_median == pytest.approx(0, abs=1e-12)
    assert spread.relative_p90 == pytest.approx(0.6 * (1.3 / 1.1 - 1))


def test_blocks_are_matched_whatever_their_order() -> None:
    assert Spread.between(Fill(0, 1, 1, {"a": 1, "b": 2}), Fill(1, 1, 1, {"b": 2, "a": 1})).p90 == 0


def test_targets_are_reached_up_to_their_bound() -> None:
    assert Target("x", 0.5, 0.5).is_reached
    assert not Target("x", 0.5, 0.51).is_reached
    assert not Target("x", 0.5, share(0.0, 0.0)).is_reached


def test_the_targets_look_at_medians_that_keep_the_common_factor() -> None:
    spread = Spread.between
    ours, peers = spread(fill_of(1, 1), fill_of(1.01, 1.01)), spread(fill_of(1, 1), fill_of(1.04, 1.04))
    targets = targets_of({"both idle": Pair(ours, peers), "second under load": Pair(peers, ours)})
    assert [target.got for target in targets] == pytest.approx([0.25, 4, 0.04])
    assert [target.is_reached for target in targets] == [True, False, False]


def peers_that(spread_after: int) -> Any:
    """A subject whose fills by the peers' plan agree from that many calls on; a block takes 1 ms a call."""

    class Stub:
        def peers(self, seed: int, calls: int) -> Fill:
            time_s = 1e-3 if calls >= spread_after or seed % 2 else 1.1e-3
            return Fill(seed, 0.5 + calls * 1e-3, calls, {"block": time_s})

    return Stub()


@pytest.mark.parametrize(("agree_from", "tried"), [(50, [50]), (200, [50, 100, 200]), (10_000, [50, 100, 200, 400])])
def test_calls_are_doubled_until_fills_agree_or_the_cap_is_near(agree_from: int, tried: list[int]) -> None:
    ours = Cost.of(None, fill_of(1.0), fill_of(1.02, seconds=1.0))
    costs = climb(cast(Subject, peers_that(agree_from)), Fills(None, {}, lambda: None), ours, cap=1.2, seed=1)
    assert [cost.calls for cost in costs] == tried
    verdict = Verdict.on(ours, costs, 1.2)
    assert verdict.calls == (agree_from if agree_from in tried else None)
    assert verdict.ratio == pytest.approx(0.5 + tried[-1] * 1e-3)
    assert ("not reached within 1.2 times" in verdict.describe()) == (agree_from not in tried)


def test_the_next_fill_is_expected_to_take_as_much_longer_as_its_further_calls() -> None:
    assert expected_s(fill_of(0.001, 0.003, seconds=2.0), 100, 200) == pytest.approx(2.4)


def test_a_sample_of_blocks_is_the_same_for_the_same_seed() -> None:
    assert sample_of_blocks(5, 1) == sample_of_blocks(5, 1) != sample_of_blocks(5, 2)
    assert len(sample_of_blocks(None, 0)) == len(sample_of_blocks(10_000, 0)) > 100


def test_calls_are_repeated_until_the_time_is_over_and_taken_once_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = DummyProfiler(read_device(), DeviceState)
    blocks = sample_of_blocks(3, 0)
    assert [timed.calls for timed in time_in_sequence(profiler, blocks)] == [CALLS] * 3
    ticks = count()
    monkeypatch.setattr(peers_plan, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 1e-3))
    repeated = list(time_in_sequence(profiler, blocks, until_s=0.03))
    assert next(ticks) * 1e-3 >= 0.03
    assert all(timed.calls > CALLS and timed.calls % CALLS == 0 for timed in repeated)


def test_a_short_run_takes_no_more_rounds_than_asked_for() -> None:
    assert (our_plan(2).least_bursts, our_plan(2).most_bursts) == (2, 2)
    assert (our_plan(9).least_bursts, our_plan(9).most_bursts) == (6, 9)


def test_a_damaged_file_of_fills_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fills.jsonl"
    file.write_text('{"seed": 1}\n{"name": "A"', encoding="utf-8")
    with pytest.raises(WrongUse, match="damaged"):
        Fills(file, {"seed": 1})


def test_all_blocks_are_asked_for_by_name() -> None:
    assert (block_count("all"), block_count("7")) == (None, 7)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_a_number_above_0_is_one(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="must be a number above 0"):
        above_0(text)
