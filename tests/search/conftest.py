"""Small worlds to search in: a space with four units, spaces without any work in them, and images of two colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from latency import Workload
from search import Candidate, LabelledImages, Objective, Space, Unit, open_images
from search.spaces import Stage, squeezenas
from search.spaces.squeezenas import Macro

try:
    import torch
except ImportError:  # The tests of what needs no torch run without it.
    torch = None  # type: ignore[assignment]

SIZE = (32, 64)
CLASSES = ("left", "right", "frame")


class Patches(LabelledImages):
    """Images of two colours, one on each side of a border that wanders, with a frame that does not count."""

    def __init__(self, count: int, size: tuple[int, int] = SIZE) -> None:
        self.name = "patches"
        self.classes = CLASSES
        self.palette = ((200, 40, 40), (40, 40, 200), (0, 0, 0))
        self.size = size
        self.reads: list[int] = []
        self._count = count

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.reads.append(index)
        height, width = self.size
        labels = np.ones(self.size, dtype=np.uint8)
        labels[:, : width // 4 + (7 * index) % (width // 2)] = 0
        picture = np.array(self.palette, dtype=np.uint8)[labels]
        labels[[0, height - 1]] = 255
        return picture + np.random.default_rng(index).integers(0, 20, picture.shape, dtype=np.uint8), labels


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads, and sums of one thread are always the same."""
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny() -> Space:
    """All kinds of units of the SqueezeNAS spaces (stride 2, change of width, neither), at 32x64 with 3 classes."""
    stages = (Stage(4, 1, 2), Stage(8, 1, 2), Stage(12, 2, 1))
    macro = Macro(stem=4, stages=stages, head=8, tap=0, decoder="lr_aspp", middle=8)
    return squeezenas("tiny", macro, SIZE, len(CLASSES))


@pytest.fixture(scope="session")
def patches() -> Callable[[int], Patches]:
    """Makes that many images."""
    return Patches


@pytest.fixture(scope="session")
def objects() -> Callable[..., LabelledImages]:
    """Makes that many generated images with one class each of ten, at a size that a network of cells can have."""

    def make(count: int, size: tuple[int, int] = (8, 8), split: str = "train") -> LabelledImages:
        return open_images("objects", split, size, count=count)

    return make


@pytest.fixture(scope="session")
def costing() -> Callable[..., Objective]:
    """Makes an objective with the costs given, on a space that has units and candidates and nothing else."""

    def make(costs: np.ndarray, fixed: float = 0.0, name: str = "macs") -> Objective:
        nothing = Workload("identity", ((1, 1, 1),))
        candidates = tuple(Candidate(f"c{index}", (nothing,)) for index in range(costs.shape[1]))
        units = tuple(Unit(f"unit {index}", candidates) for index in range(len(costs)))
        space = Space("bare", (1, 1), 1, (), units, (), 0, nothing, (0,) * len(units))
        return Objective(name, space, np.asarray(costs, dtype=np.float64), fixed)

    return make
