"""Energy of calls on a board that tells its power."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.loop import TimedRun
from agent.runtimes import energy
from agent.runtimes.energy import costs_with_energy
from agent.watch import Watch
from tests.agent.boards import AGX_XAVIER, build
from tests.devices.machines import VIRTUAL_MACHINE

CALL_S = 0.002


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "_SPAN_S", 0.05)


def run(made: list[int]) -> TimedRun:
    """Calls that really take their time."""

    def calls(count: int) -> float:
        made.append(count)
        time.sleep(count * CALL_S)
        return count * CALL_S

    return TimedRun(calls, lambda: {"enqueue_s": 1e-5})


def test_energy_is_the_power_of_the_board_times_the_time_of_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "_SPAN_S", 0.5)  # Several sleeps, however late they end.
    root = build(tmp_path, AGX_XAVIER)
    made: list[int] = []
    with Watch(root) as watch:
        power_w = watch.power_w(0.0, time.monotonic())
    assert power_w is not None
    costs = costs_with_energy(run(made), CALL_S, Watch(root))
    assert costs["enqueue_s"] == 1e-5
    # A sleep is never shorter than it was asked for, and often longer.
    assert costs["energy_j"] >= power_w * CALL_S * (1 - 1e-9)
    assert set(made) == {10}
    assert len(made) >= 2


def test_where_nobody_tells_the_power_the_other_costs_are_left_as_they_are(tmp_path: Path) -> None:
    assert costs_with_energy(run([]), CALL_S, Watch(build(tmp_path, VIRTUAL_MACHINE))) == {"enqueue_s": 1e-5}


def test_a_long_call_is_made_one_at_a_time(tmp_path: Path) -> None:
    made: list[int] = []
    costs_with_energy(run(made), 1.0, Watch(build(tmp_path, VIRTUAL_MACHINE)))
    assert set(made) == {1}
