"""The benchmark of supernet steps: what its counter of tensors counts, and its tables at the smallest size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search import Objective, SearchRecipe, TrainRecipe, open_space

torch = pytest.importorskip("torch", reason="torch is not installed; the benchmark makes steps with it")

from benchmarks.supernet_step import WAYS, Contest, LiveTensors, Way, memory, times  # noqa: E402 - needs torch

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "supernet_step.py"
MEGABYTE = 1_000_000


def test_live_tensors_are_counted_while_they_live_and_the_most_is_kept() -> None:
    given = torch.ones(250_000, requires_grad=True)
    with LiveTensors() as live:
        doubled = given * 2
        whole = doubled.exp()
        view = whole.view(500, 500)
        assert live.live_bytes == 2 * MEGABYTE  # A view is nothing new.
        del doubled
        assert live.live_bytes == MEGABYTE  # The exponential keeps its own output.
        view.sum().backward()
        del whole, view
        assert given.grad is not None
        assert live.live_bytes == pytest.approx(MEGABYTE, abs=100)
        assert live.most_bytes >= 3 * MEGABYTE
        given.detach().mul_(0.5)
        assert live.live_bytes == pytest.approx(MEGABYTE, abs=100)  # What was there before is never counted.


def test_every_way_makes_steps_and_few_paths_need_less() -> None:
    space = open_space("demo", (32, 64), 3)
    taken = times(space, ["soft", "two"], 2, rounds=1, repeats=1)
    assert {name: seconds.shape for name, seconds in taken.items()} == {"soft": (1, 2), "two": (1, 2)}
    found = {name: memory(space, WAYS[name], 2, 1) for name in ("soft", "two")}
    assert found["two"]["tensors"] < 0.5 * found["soft"]["tensors"]
    assert all(each["resident"] >= 1 for each in found.values())
    assert next(iter(WAYS.values())) == Way("soft")


@pytest.mark.slow
def test_the_table_of_steps_is_printed_with_its_ratios(tmp_path: Path) -> None:
    steps = ["--space", "demo", "--size", "32", "64", "--batch", "1", "--rounds", "1", "--repeats", "1"]
    more = ["--part", "steps", "--memory-steps", "1", "--ways", "two", "--threads", "1"]
    command = [sys.executable, str(SCRIPT), *steps, *more]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("machine: ")
    rows = {line[:22].strip(): line[22:].split() for line in lines if line.startswith(("soft  ", "two  "))}
    assert set(rows) == {"soft", "two"}
    assert [float(rows["soft"][column]) for column in (1, 3, 6, 8)] == [1.0] * 4


def test_networks_are_searched_in_equal_steps_and_in_equal_time_and_trained_alike(tmp_path: Path) -> None:
    objective = Objective.macs(open_space("demo", (32, 64), 11))
    recipe = SearchRecipe(warm_up_steps=1, alternating_steps=1, batch_size=2, candidates=1, score_images=2)
    train = TrainRecipe(steps=1, batch_size=2, images=4, test_images=2)
    contest = Contest(objective, objective.limit("80%"), "scenes", recipe, train)
    rows = contest.rows(0, tmp_path)
    assert list(rows) == ["soft", "two", "two, equal time", "random"]
    assert [rows[name]["steps"] for name in ("soft", "two", "random")] == [1, 1, 0]
    assert rows["two, equal time"]["steps"] >= 1
    assert all(row["cost"] <= contest.limit and 0 <= row["miou"] <= 1 for row in rows.values())
