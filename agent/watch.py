"""A look at the device every few hundredths of a second, while something runs on it.

``throttle_events`` before and after tells about a sample that this process takes. A run that another process takes
(``trtexec``, for seconds) has to be watched while it runs: heat that came and went is seen here, and so is the power.
"""

import threading
import time
from collections import deque
from types import TracebackType
from typing import Callable, Deque, List, NamedTuple, Optional, Type, TypeVar

from agent import jetson
from agent.gpu import GpuDisturbances, GpuUnavailable, gpu_power_w
from agent.tegrastats import Tegrastats
from agent.throttling import Throttles

EVERY_S = 0.05
"""From one look to the next: cooling acts within tenths of a second, and a look takes less than a millisecond, or some
where power is read from a Jetson's slow bus."""

_MOST_LOOKS = 12_000
"""Ten minutes; what is older is forgotten."""

_T = TypeVar("_T")
_Count = Callable[[], int]
_Power = Callable[[], Optional[float]]


class _Look(NamedTuple):
    """What was seen at a moment of ``time.monotonic``."""

    at_s: float
    events: int
    power_w: Optional[float]


class Watch:
    """Looks at the device from ``with`` to its end; nothing is left behind, neither a thread nor a program.

    Where the machine tells neither throttling nor power, there is no thread at all.

    Args:
        root: root of the file system to read.
        accelerator: what computes: ``cpu``, or ``cuda`` for the first GPU that CUDA shows.
        every_s: seconds from one look to the next.
    """

    def __init__(self, root: str = "/", accelerator: str = "cpu", every_s: float = EVERY_S) -> None:
        self._root = root
        self._accelerator = accelerator
        self._every_s = every_s
        self._counts: List[_Count] = []
        self._power: Optional[_Power] = None
        self._looks: Deque[_Look] = deque(maxlen=_MOST_LOOKS)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: List[threading.Thread] = []
        self._program: Optional[Tegrastats] = None
        self._said_w: Optional[float] = None

    def __enter__(self) -> "Watch":
        self._over.clear()
        self._counts = _counts(self._root, self._accelerator)
        self._power = _power(self._root, self._accelerator) or self._tegrastats()
        if self._counts or self._power is not None:
            self._look()
            self._start(self._look_on)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._threads:
            self._look()
        self._over.set()
        if self._program is not None:
            self._program.end()
        while self._threads:
            self._threads.pop().join()
        if self._program is not None:
            self._program.close()
        self._program = None

    def slowed(self, since: float, until: float) -> bool:
        """Whether something slowed the device down between two moments, or from the look before to the one after them.

        Args:
            since: first moment, of ``time.monotonic``.
            until: last moment; it must be in the past.

        Returns:
            False, too, where the device does not tell.
        """
        around = self._around(since, until)
        return len(around) > 1 and around[-1].events > around[0].events

    def power_w(self, since: float, until: float) -> Optional[float]:
        """Mean power between two moments, in watts.

        Args:
            since: first moment, of ``time.monotonic``.
            until: last moment; it must be in the past.

        Returns:
            The mean of the looks between them, or of those around where there is none between; None where nothing
            tells.
        """
        around = self._around(since, until)
        between = [look for look in around if since <= look.at_s <= until]
        found = [look.power_w for look in between or around if look.power_w is not None]
        return sum(found) / len(found) if found else None

    def _around(self, since: float, until: float) -> List[_Look]:
        """The looks between two moments, the last one before them and the first one after them."""
        if self._threads and self._looks[-1].at_s < until:
            self._look()
        found: List[_Look] = []
        with self._lock:
            for look in reversed(self._looks):
                if look.at_s >= until:
                    found.clear()
                found.append(look)
                if look.at_s <= since:
                    break
        return found[::-1]

    def _look(self) -> None:
        with self._lock:
            power_w = None if self._power is None else self._power()
            self._looks.append(_Look(time.monotonic(), sum(count() for count in self._counts), power_w))

    def _look_on(self) -> None:
        while not self._over.wait(self._every_s):
            self._look()

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _tegrastats(self) -> Optional[_Power]:
        """Start the program, on a Jetson whose files tell no power; what reads the last power it said."""
        if not jetson.is_jetson(self._root):
            return None
        try:
            self._program = Tegrastats(max(1, round(self._every_s * 1e3)))
        except OSError:
            return None
        self._start(self._listen)
        return lambda: self._said_w

    def _listen(self) -> None:
        reading = None if self._program is None else self._program.read()
        while self._program is not None and reading is not None:
            self._said_w = reading.power_w
            reading = self._program.read()
        self._said_w = None


def _counts(root: str, accelerator: str) -> List[_Count]:
    """What counts throttling: of the machine where it computes, and of the GPU.

    On a Jetson both are one; elsewhere heat of the processors says nothing of the GPU.
    """
    throttles = Throttles(root)
    counts: List[_Count] = [throttles.count] if throttles.tells else []
    if accelerator == "cpu":
        return counts
    board = counts if jetson.is_jetson(root) else []
    try:
        return [*board, _ignoring_loss(GpuDisturbances(), 0)]
    except GpuUnavailable:
        return board


def _power(root: str, accelerator: str) -> Optional[_Power]:
    """What reads the power of the GPU, or else of the board."""
    try:
        if accelerator == "cuda" and gpu_power_w() is not None:
            return _ignoring_loss(gpu_power_w, None)
    except GpuUnavailable:
        pass
    return (lambda: jetson.power_w(root)) if jetson.power_rails(root) else None


def _ignoring_loss(read: Callable[[], _T], lost: _T) -> Callable[[], _T]:
    """The same, and ``lost`` when the GPU is gone: who measures on it will say so."""

    def answer() -> _T:
        try:
            return read()
        except GpuUnavailable:
            return lost

    return answer
