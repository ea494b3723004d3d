"""An asyncio event loop in a thread of its own, behind calls that wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, final

from devices.errors import ConnectionLost

T = TypeVar("T")


@final
class EventLoopThread:
    """Runs coroutines for threads that know nothing of asyncio. Its own begins with the object and ends by ``stop``."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._end = asyncio.Event()
        self._stopping = False
        self._order = threading.Lock()
        """Held while the loop is given something, so that nothing is given to one that has been told to end."""
        # A daemon: who forgets to stop it can still leave Python.
        self._thread = threading.Thread(target=self._serve, args=(started,), name=name, daemon=True)
        self._thread.start()
        started.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in the loop, wait for it, and hand on what it returns or raises; Ctrl-C cancels it.

        Raises:
            ConnectionLost: another thread stopped the loop, before or meanwhile.
        """
        with self._order:
            if self._stopping:
                work.close()
                raise ConnectionLost("The connection was closed.")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError as error:
            raise ConnectionLost("The connection was closed meanwhile.") from error
        finally:
            future.cancel()  # Only work that was left by Ctrl-C still runs.

    def soon(self, call: Callable[[], object]) -> None:
        """Call something in the loop, without waiting for it; a loop that was stopped calls nothing."""
        with self._order:
            if not self._stopping:
                self._loop.call_soon_threadsafe(call)

    def stop(self) -> None:
        """Cancel what still runs, and end the thread. Nothing happens the second time."""
        with self._order:
            if not self._stopping and self._thread.is_alive():  # In a process that was forked it does not live.
                self._loop.call_soon_threadsafe(self._end.set)
                self._stopping = True
        self._thread.join()

    def _serve(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._wait(started))

    async def _wait(self, started: threading.Event) -> None:
        started.set()
        await self._end.wait()
