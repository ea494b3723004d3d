"""Times what is launched on a CUDA stream, by the device's clock."""

import time
from typing import Callable, List, Optional

from agent.runtimes.cuda_stream import Cuda
from agent.sampling import median

LEAST_FLUSH_BYTES = 64 * 2**20
"""Clearing this takes long enough to queue some launches behind it: 0.6 ms on a Xavier, some 30 us on an H100."""

FLUSH_PER_L2 = 4
"""A cache that is not purely least-recently-used keeps some of what it held when only its own size is written."""


class LaunchTimer:
    """Times launches with events around them.

    The device is first given memory to clear. It does that while the host queues what is to be timed, so that short
    kernels follow each other without waiting for the host. A workload whose launch takes longer than its kernels is
    still timed at the rate of its launches once the queue runs dry: ``enqueue_s`` tells.

    Args:
        cuda: whose stream ``launch`` uses.
        launch: puts one call into the stream and does not wait.
        cold: clear the second-level cache before every call; otherwise each call finds what the last one left.
    """

    def __init__(self, cuda: Cuda, launch: Callable[[], None], *, cold: bool) -> None:
        self._cuda = cuda
        self._launch = launch
        self._cold = cold
        self._scratch_bytes = max(LEAST_FLUSH_BYTES, FLUSH_PER_L2 * cuda.l2_bytes)
        self._scratch = cuda.allocate(self._scratch_bytes)
        self._start, self._end = cuda.event(), cuda.event()
        self._enqueues_s: List[float] = []

    def __call__(self, calls: int) -> float:
        """Seconds that ``calls`` calls took on the device together."""
        return sum(self._one_cold() for _ in range(calls)) if self._cold else self._warm(calls)

    @property
    def enqueue_s(self) -> Optional[float]:
        """Seconds the host needs to launch one call onto an empty queue; None before the first."""
        return median(self._enqueues_s) if self._enqueues_s else None

    def _warm(self, calls: int) -> float:
        self._cuda.clear(self._scratch, self._scratch_bytes)
        self._first_launch()  # Not timed: it brings back into the cache what clearing threw out.
        self._cuda.record(self._start)
        for _ in range(calls):
            self._launch()
        self._cuda.record(self._end)
        return self._cuda.elapsed_s(self._start, self._end)

    def _one_cold(self) -> float:
        self._cuda.clear(self._scratch, self._scratch_bytes)
        self._cuda.record(self._start)
        self._first_launch()
        self._cuda.record(self._end)
        return self._cuda.elapsed_s(self._start, self._end)

    def _first_launch(self) -> None:
        started = time.perf_counter()
        self._launch()
        self._enqueues_s.append(time.perf_counter() - started)
