"""A CUDA stream that is simulated: what is launched takes the time it is told, by a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.runtimes.cuda_stream import Cuda
from latency.cuda_memory import Bytes


class FakeCuda(Cuda):
    """Memory that only has addresses; a clock that moves when something is put into the stream.

    Attributes:
        launch_s: what the next launches take.
        log: names of what was asked for, in order.
        inputs: what was copied in, by address.
    """

    name = "fake"

    def __init__(self, launch_s: float = 1e-3, l2_bytes: int = 2**20) -> None:
        self.launch_s = launch_s
        self.log: list[str] = []
        self.inputs: dict[int, Bytes] = {}
        self.allocated: dict[int, int] = {}
        self.closed = False
        self._l2_bytes = l2_bytes
        self._now_s = 0.0

    @classmethod
    def count_devices(cls) -> int:
        return 1

    @property
    def stream(self) -> int:
        self.log.append("launch")  # A launch asks for the stream it goes to, and nothing else does.
        self._now_s += self.launch_s
        return 77

    @property
    def l2_bytes(self) -> int:
        return self._l2_bytes

    def allocate(self, size_bytes: int) -> int:
        address = 4096 * (len(self.allocated) + 1)
        self.allocated[address] = size_bytes
        return address

    def copy_in(self, address: int, data: Bytes) -> None:
        assert data.nbytes == self.allocated[address]
        self.inputs[address] = data

    def clear(self, address: int, size_bytes: int) -> None:
        assert size_bytes <= self.allocated[address]
        self.log.append("clear")
        self._now_s += 1.0

    def event(self) -> list[float]:
        return []

    def record(self, event: Any) -> None:
        event[:] = [self._now_s]
        self.log.append("record")

    def elapsed_s(self, start: Any, end: Any) -> float:
        return float(end[0] - start[0])

    def synchronise(self) -> None:
        self.log.append("synchronise")

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        self.log.append("capture")
        launch()
        self.log.append("captured")

        def replay() -> None:
            self.log.append("replay")
            self._now_s += self.launch_s

        return replay

    def close(self) -> None:
        self.closed = True
