"""The benchmark of supernet steps: its ways, and its tables at the smallest size."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from search import Space, open_space

torch = pytest.importorskip("torch", reason="torch is not installed; the benchmark makes steps with it")

from benchmarks import supernet_step  # noqa: E402 - needs torch
from benchmarks.supernet_memory import memory_of  # noqa: E402 - needs torch
from benchmarks.supernet_step import WAYS, Steps, Way, times  # noqa: E402 - needs torch

SMALL = ["--space", "demo", "--size", "32", "64", "--batch", "1", "--rounds", "1", "--repeats", "1", "--threads", "1"]


@pytest.fixture(scope="module")
def space() -> Space:
    """The demo space with five candidates for each unit in place of 13."""
    demo = open_space("demo", (32, 64), 3)
    units = tuple(replace(unit, candidates=unit.candidates[::3]) for unit in demo.units)
    return replace(demo, units=units, reference=(0,) * len(units))


def test_steps_are_made_and_few_paths_need_less(space: Space) -> None:
    taken = times(space, ["soft", "two"], 2, rounds=1, repeats=1)
    assert {name: seconds.shape for name, seconds in taken.items()} == {"soft": (1, 2), "two": (1, 2)}
    assert all((seconds > 0).all() for seconds in taken.values())
    found = {name: memory_of(Steps(space, WAYS[name], 2), 1) for name in ("soft", "two")}
    assert found["two"]["tensors"] < 0.7 * found["soft"]["tensors"]
    assert next(iter(WAYS.values())) == Way("soft")


def test_the_table_of_steps_is_printed_with_its_ratios(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mib = {"soft": 40.0, "two": 10.0}
    monkeypatch.setattr(
        supernet_step, "_memory_apart", lambda name: {"tensors": mib[name], "tensors_most": 44.0, "held": 2 * mib[name]}
    )
    monkeypatch.setattr(sys, "argv", ["supernet_step.py", *SMALL, "--part", "steps", "--ways", "two"])
    supernet_step.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("machine: ")
    rows = {line[:22].strip(): line[22:].split() for line in lines if line.startswith(("soft  ", "two  "))}
    assert set(rows) == {"soft", "two"}
    assert [float(rows["soft"][column]) for column in (1, 3, 6, 8)] == [1.0] * 4
    assert rows["two"][4:] == ["10", "(44)", "4.00", "20", "4.00"]


def test_memory_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["supernet_step.py", *SMALL, "--memory-steps", "1"])
    found = supernet_step._memory_apart("two")
    assert set(found) == {"tensors", "tensors_most", "held"}
    assert found["tensors"] == found["tensors_most"] > 0


class Event:
    """Of a GPU that reaches every event five milliseconds after the one before."""

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        """Be reached some time."""

    def elapsed_time(self, other: Event) -> float:
        """Milliseconds."""
        return 5.0


def test_on_a_gpu_a_step_is_timed_by_a_clock_that_waits_and_by_events(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(len(waited)))
    steps = Steps(space, WAYS["two"], 1)
    steps._device = "cuda:0"  # By name alone; its tensors are here.
    clock_s, events_s = steps()
    assert (clock_s > 0, events_s, waited) == (True, 0.005, [0, 1])


@pytest.mark.gpu
def test_steps_are_made_on_a_gpu(space: Space) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    taken = times(space, ["soft", "two"], 2, rounds=1, repeats=1, device="cuda:0")
    assert all(0 < events_s <= 1.01 * clock_s for seconds in taken.values() for clock_s, events_s in seconds)
    found = {name: memory_of(Steps(space, WAYS[name], 2, "cuda:0"), 1, "cuda:0") for name in ("soft", "two")}
    assert found["two"]["tensors"] < found["soft"]["tensors"]
