from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from devices.errors import ConnectionLost
from devices.transports.event_loop import EventLoopThread
from tests.devices.transports.interrupts import interrupting


@pytest.fixture
def loop() -> Iterator[EventLoopThread]:
    loop = EventLoopThread("test")
    yield loop
    loop.stop()


async def thread_name() -> str:
    return threading.current_thread().name


async def failing() -> None:
    raise KeyError("here")


def test_work_runs_in_the_thread_of_the_loop(loop: EventLoopThread) -> None:
    assert loop.run(thread_name()) == "test"


def test_what_work_raises_reaches_who_waits(loop: EventLoopThread) -> None:
    with pytest.raises(KeyError, match="here"):
        loop.run(failing())


def test_a_call_is_made_without_waiting_for_it(loop: EventLoopThread) -> None:
    called = threading.Event()
    loop.soon(called.set)
    assert called.wait(60)


def test_stopping_twice_ends_the_thread_once() -> None:
    loop = EventLoopThread("to be stopped")
    loop.stop()
    loop.stop()
    assert "to be stopped" not in [thread.name for thread in threading.enumerate()]


def test_stopping_frees_who_waits(loop: EventLoopThread) -> None:
    waiting = threading.Event()

    async def work() -> None:
        waiting.set()
        await asyncio.sleep(100)

    stopping = threading.Thread(target=lambda: waiting.wait(60) and loop.stop())
    stopping.start()
    with pytest.raises(ConnectionLost, match="closed meanwhile"):
        loop.run(work())
    stopping.join()


def test_one_that_was_stopped_says_so_and_calls_nothing(loop: EventLoopThread) -> None:
    loop.stop()
    called = threading.Event()
    loop.soon(called.set)
    with pytest.raises(ConnectionLost, match="was closed"):
        loop.run(thread_name())
    assert not called.is_set()


def test_whoever_comes_while_it_is_stopped_is_answered() -> None:
    for _ in range(50):
        loop = EventLoopThread("stopped")
        stopping = threading.Thread(target=loop.stop)
        stopping.start()
        with suppress(ConnectionLost):
            assert loop.run(thread_name()) == "stopped"
        stopping.join()


def test_ctrl_c_cancels_what_is_waited_for(loop: EventLoopThread) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(100)
        finally:
            cancelled.set()

    killer = interrupting(begun)
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    killer.join()
    assert cancelled.wait(60)
