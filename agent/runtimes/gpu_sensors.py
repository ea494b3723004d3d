"""What a driver tells of the GPU whose time is taken: its versions, and what happened while a program ran."""

import os
import threading
import time
from types import TracebackType
from typing import Callable, Dict, List, NamedTuple, Optional, Type, Union

from agent.gpu import GpuDisturbances, gpu_versions, read_gpu_state
from agent.jetson import is_jetson
from agent.nvml import GpuUnavailable
from agent.watch import EVERY_S, Watch

ROOT_VARIABLE = "PACELINE_ROOT"
"""Environment variable that names the root of the file system that the device is read from, where it is not ``/``."""


def root() -> str:
    """Root of the file system that the device is read from."""
    return os.environ.get(ROOT_VARIABLE) or "/"


def driver_versions() -> Dict[str, str]:
    """Versions of the driver and of its CUDA; nothing where it cannot be asked, as on most Jetsons."""
    try:
        return gpu_versions()
    except GpuUnavailable:
        return {}


def gpu_disturbances() -> Callable[[], int]:
    """A count that grows when the GPU is found slowed down by heat or hardware; 0 for ever where nothing tells."""
    try:
        return GpuDisturbances()
    except GpuUnavailable:
        return int


class _Look(NamedTuple):
    """What was seen at a moment of ``time.monotonic``."""

    at_s: float
    disturbances: int
    power_w: Optional[float]


class GpuWatch:
    """Looks at the GPU from ``with`` to its end, by NVML; nobody looks where that is not there.

    Of a board that is not a Jetson: there the processor's own heat says nothing of the GPU.

    Args:
        every_s: seconds from one look to the next.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._disturbances = gpu_disturbances()
        self._looks: List[_Look] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> "GpuWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._over.set()
        self._thread.join()

    def slowed(self, since: float, until: float) -> bool:
        """Whether heat or hardware was seen holding the clock down between two moments of ``time.monotonic``."""
        within = self._within(since, until)
        return bool(within) and within[-1].disturbances > within[0].disturbances

    def power_w(self, since: float, until: float) -> Optional[float]:
        """Mean power between two moments, in watts; None where nobody looked, or the driver does not tell."""
        found = [look.power_w for look in self._within(since, until) if look.power_w is not None]
        return sum(found) / len(found) if found else None

    def _within(self, since: float, until: float) -> List[_Look]:
        return [look for look in list(self._looks) if since - self._every_s <= look.at_s <= until + self._every_s]

    def _look_on(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                power_w = read_gpu_state().get("power_w")
            except GpuUnavailable:
                return
            self._looks.append(_Look(time.monotonic(), self._disturbances(), power_w))


def device_watch() -> Union[Watch, GpuWatch]:
    """What watches the GPU of this machine while a program runs on it."""
    return Watch(root()) if is_jetson(root()) else GpuWatch()
