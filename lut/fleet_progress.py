"""How far several devices together are, for one bar on the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from latency import Outcome, Workload
from lut.filling import Progress


class StoppedError(Exception):
    """Another device, or the user, ended the run."""


@final
@dataclass
class FleetProgress:
    """How far all devices together are.

    Attributes:
        tell: told of every burst.
        done: bursts taken.
        waiting: bursts that nobody has been asked for yet.
        left: bursts that each device has still to take.
        taken: workloads of which each device took bursts, or failed to.
        is_stopped: whether everybody shall stop after the burst they are at.
    """

    tell: Callable[[str, Progress], None]
    done: int = 0
    waiting: int = 0
    left: dict[str, int] = field(default_factory=dict)
    taken: dict[str, dict[Workload, Outcome]] = field(default_factory=dict)
    is_stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, host: str, progress: Progress) -> None:
        """Take what a device tells, and tell it on."""
        if self.is_stopped.is_set():
            raise StoppedError
        with self._lock:
            self.left[host] = progress.wanted - progress.done
            if progress.outcome is not None:
                self.done += 1
                self.taken.setdefault(host, {})[progress.outcome.workload] = progress.outcome
            wanted = self.done + sum(self.left.values()) + self.waiting
            self.tell(host, Progress(self.done, wanted, progress.outcome))
