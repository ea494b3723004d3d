"""How much memory steps take: of all tensors that live at once, and of the process or of the GPU."""

from __future__ import annotations

import resource
import statistics
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

MIB = 2**20


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while it is entered, and the most that lived at once.

    Activations that are kept for the backward pass, gradients, and what lives for a moment in between; momenta of the
    optimiser, once made. What an operation allocates inside and frees again does not show.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_bytes, self.most_bytes = 0, 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what is new."""
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._known.setdefault(tensor.untyped_storage(), 0)  # Was there before, or is counted already.
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and tensor.untyped_storage() not in self._known:
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        size = storage.nbytes()
        self._known[storage] = size
        self.live_bytes += size
        self.most_bytes = max(self.most_bytes, self.live_bytes)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.live_bytes -= size


def memory_of(step: Callable[[], object], count: int, device: str = "cpu") -> dict[str, float]:
    """Memory of steps in this process, which should have made none before.

    Args:
        step: makes one.
        count: how many to make.
        device: where their tensors are, ``cpu`` or torch's name of a GPU.

    Returns:
        MiB: ``tensors``, mean over steps of the most that lived at once; ``tensors_most``, in the worst step; ``held``,
        at least 1: what the process's peak is above what it held before, or, on a GPU, what torch took from it. A GPU's
        tensors are what torch's allocator had given out above what it had before the step, which counts what an
        operation allocates inside, too.
    """
    peaks, held = (_of_process if device == "cpu" else _of_gpu)(step, count)
    return {"tensors": statistics.mean(peaks), "tensors_most": max(peaks), "held": max(1.0, held)}


def _of_process(step: Callable[[], object], count: int) -> tuple[list[float], float]:
    before, peaks = _resident_mib(), list[float]()
    for _ in range(count):
        with LiveTensors() as live:
            step()
        peaks.append(live.most_bytes / MIB)
    return peaks, _peak_resident_mib() - before


def _of_gpu(step: Callable[[], object], count: int) -> tuple[list[float], float]:
    reserved, peaks = torch.cuda.memory_reserved(), list[float]()
    for _ in range(count):
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        peaks.append((torch.cuda.max_memory_allocated() - before) / MIB)
    return peaks, (torch.cuda.memory_reserved() - reserved) / MIB


def _resident_mib() -> float:
    """What the process holds; its peak where the system does not tell."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * resource.getpagesize() / MIB if file.exists() else _peak_resident_mib()


def _peak_resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)
