from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from devices.errors import ConnectionLost
from devices.transports.event_loop import EventLoopThread


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
    assert called.wait(10)


def test_stopping_twice_ends_the_thread_once() -> None:
    loop = EventLoopThread("to be stopped")
    loop.stop()
    loop.stop()
    assert "to be stopped" not in [thread.name for thread in threading.enumerate()]


def test_stopping_frees_who_waits(loop: EventLoopThread) -> None:
    stopping = threading.Timer(0.05, loop.stop)
    stopping.start()
    with pytest.raises(ConnectionLost, match="closed meanwhile"):
        loop.run(asyncio.sleep(100))
    stopping.join()


def test_ctrl_c_cancels_what_is_waited_for(loop: EventLoopThread) -> None:
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            cancelled.set()

    killer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    killer.join()
    assert cancelled.wait(10)
