"""The sentinel: what is usual, what is slow, and how long a look is."""

from __future__ import annotations

import random

import pytest

from agent.sentinel import TOLERANCE, Sentinel


class Machine:
    """Takes ``call_s`` for each call."""

    def __init__(self, call_s: float = 1e-4) -> None:
        self.call_s = call_s
        self.runs: list[int] = []

    def __call__(self, calls: int) -> float:
        self.runs.append(calls)
        return calls * self.call_s


def test_a_look_is_seconds_per_call() -> None:
    assert Sentinel(Machine(2e-4)).look() == pytest.approx(2e-4)


@pytest.mark.parametrize(("call_s", "calls"), [(1e-3, 1), (1e-4, 3), (1e-5, 30), (3.0, 1)])
def test_a_look_spans_a_third_of_a_millisecond_twice_after_a_call_that_is_not_timed(call_s: float, calls: int) -> None:
    machine = Machine(call_s)
    sentinel = Sentinel(machine)
    machine.runs.clear()
    sentinel.look()
    assert machine.runs == [1, calls, calls]


def test_a_look_is_the_faster_of_its_two_timings() -> None:
    times_s = iter([*[1e-3] * 80, 9e-3, 1.5e-3, 1.2e-3, 9e-3, 1.2e-3, 1.5e-3])
    sentinel = Sentinel(lambda calls: calls * next(times_s))
    assert [sentinel.look(), sentinel.look()] == [1.2e-3, 1.2e-3]


def test_a_clock_that_stands_still_is_looked_at_with_one_call() -> None:
    machine = Machine(0.0)
    sentinel = Sentinel(machine)
    machine.runs.clear()
    assert sentinel.look() == 0.0
    assert machine.runs == [1, 1, 1]


def test_the_usual_time_is_near_the_fastest_and_not_at_the_mercy_of_one() -> None:
    draw = random.Random(4)
    machine = Machine()
    sentinel = Sentinel(machine)
    for _ in range(100):
        machine.call_s = 1e-4 * (1 + abs(draw.gauss(0, 0.01)) + 0.2 * (draw.random() < 0.5))
        sentinel.look()
    machine.call_s = 1e-6  # A clock that jumped.
    sentinel.look()
    assert sentinel.usual_s == pytest.approx(1e-4, rel=0.01)


def test_the_usual_time_is_that_quantile_of_all_looks_in_whatever_order_they_came() -> None:
    looks = [1e-4 * (1 + step / 100) for step in range(80)]
    random.Random(5).shuffle(looks)
    machine = Machine(2e-4)
    sentinel = Sentinel(machine)
    for look in looks:
        machine.call_s = look
        sentinel.look()
    everything = sorted([*looks, *[2e-4] * 20])
    assert sentinel.usual_s == pytest.approx(everything[10])


def test_what_earlier_processes_saw_is_kept_where_it_is_less() -> None:
    assert Sentinel(Machine(1e-4), 0.8e-4).usual_s == 0.8e-4
    assert Sentinel(Machine(1e-4), 1.2e-4).usual_s == pytest.approx(1e-4)


def test_a_process_that_begins_in_a_disturbed_moment_knows_it_from_earlier_ones() -> None:
    machine = Machine(1.3e-4)
    assert Sentinel(machine, 1e-4).is_disturbed(1.3e-4)
    assert not Sentinel(machine).is_disturbed(1.3e-4)  # Nobody told it.


def test_a_process_that_began_in_a_disturbed_moment_learns_better() -> None:
    machine = Machine(1.3e-4)
    sentinel = Sentinel(machine)
    machine.call_s = 1e-4
    for _ in range(5):
        sentinel.look()
    assert sentinel.is_disturbed(1.3e-4)


@pytest.mark.parametrize(
    ("earlier", "later", "disturbed"),
    [(0.0, 0.0, False), (0.0, 1.9, False), (0.0, 2.1, True), (5.0, 0.0, True), (0.9, 0.9, False), (1.1, 1.1, True)],
)
def test_a_moment_is_disturbed_when_the_looks_around_it_are_slow_on_average(
    earlier: float, later: float, disturbed: bool
) -> None:
    sentinel = Sentinel(Machine(1.0))
    assert sentinel.is_disturbed(1 + earlier * TOLERANCE, 1 + later * TOLERANCE) is disturbed
