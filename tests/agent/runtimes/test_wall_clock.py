"""Calls timed by the host's clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.runtimes.wall_clock import lost_cores, timed_calls, without_collection


def test_calls_are_made_as_often_as_asked_and_their_times_added_up() -> None:
    calls: list[float] = []
    before = time.perf_counter()
    took_s = timed_calls(lambda: calls.append(time.perf_counter()))(5)
    after = time.perf_counter()
    assert len(calls) == 5
    assert calls[-1] - calls[0] <= took_s <= after - before


def test_what_is_in_force_while_calls_run_is_so_for_each_sample_and_not_between_them() -> None:
    events: list[str] = []

    @contextmanager
    def running() -> Iterator[None]:
        events.append("on")
        yield
        events.append("off")

    run = timed_calls(lambda: events.append("call"), running)
    run(2)
    run(1)
    assert events == ["on", "call", "call", "off", "on", "call", "off"]


def test_no_garbage_is_collected_while_calls_run_and_it_is_afterwards() -> None:
    seen: list[bool] = []
    timed_calls(lambda: seen.append(gc.isenabled()))(2)
    assert seen == [False, False]
    assert gc.isenabled()


def test_a_collector_that_was_on_is_on_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), without_collection():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_lost_cores_only_grow() -> None:
    assert 0 <= lost_cores() <= lost_cores()
