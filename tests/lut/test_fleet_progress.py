"""Progress of several devices as one."""

from __future__ import annotations

import pytest

from lut import Progress
from lut.fleet_progress import FleetProgress, StoppedError
from tests.contracts.examples import BLOCKS, measurement


def test_bursts_of_all_devices_are_counted_together_with_those_that_nobody_was_asked_for() -> None:
    told: list[tuple[str, int, int]] = []
    progress = FleetProgress(lambda host, p: told.append((host, p.done, p.wanted)), waiting=10)
    progress.note("a", Progress(0, 2))
    progress.note("b", Progress(0, 3))
    progress.note("a", Progress(1, 2, measurement(BLOCKS[0])))
    progress.note("b", Progress(1, 4, measurement(BLOCKS[1])))  # It needs one more than it thought.
    assert told == [("a", 0, 12), ("b", 0, 15), ("a", 1, 15), ("b", 2, 16)]
    assert {host: list(taken) for host, taken in progress.taken.items()} == {"a": [BLOCKS[0]], "b": [BLOCKS[1]]}


def test_who_tells_after_the_end_is_stopped() -> None:
    told: list[str] = []
    progress = FleetProgress(lambda host, p: told.append(host))
    progress.is_stopped.set()
    with pytest.raises(StoppedError):
        progress.note("a", Progress(1, 2))
    assert told == []
