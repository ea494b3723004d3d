"""Calls of this process, timed by the host's clock."""

import gc
import resource
import time
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, ContextManager, Iterator


def timed_calls(
    call: Callable[[], Any], running: Callable[[], ContextManager[Any]] = ExitStack
) -> Callable[[int], float]:
    """What runs ``call`` so many times and returns the seconds they took together.

    Python collects no garbage meanwhile: a collection looks at every object of the process, and would hit one sample
    in many.

    Args:
        call: is done when it returns.
        running: what is in force while calls run, and not between samples: entered and left outside of the timed span;
            nothing unless it is given.
    """

    def run(calls: int) -> float:
        with running(), without_collection():
            started = time.perf_counter()
            for _ in range(calls):
                call()
            return time.perf_counter() - started

    return run


@contextmanager
def without_collection() -> Iterator[None]:
    """Keep Python from collecting garbage, and leave the collector as it was found."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def lost_cores() -> int:
    """How often the kernel took a core away from this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
