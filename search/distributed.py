"""Processes that train one network together, as torchrun starts them: each on its own part of every batch.

torchrun tells each process its number in the environment. On GPUs they talk by nccl, on CPUs by gloo.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from devices import WrongUse
from search.compute_device import training_device


@final
@dataclass(frozen=True)
class Ranks:
    """One of the processes that train together.

    Attributes:
        own: its number, from 0.
        count: how many there are.
        device: where it trains, ``cpu`` or ``cuda:0``.
        here: how many of them are on this machine.
    """

    own: int = 0
    count: int = 1
    device: str = "cpu"
    here: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.own == 0

    @property
    def share(self) -> tuple[int, int]:
        """Its number, and how many there are, as ``Batches`` wants to know it."""
        return self.own, self.count

    def total(self, value: Tensor) -> Tensor:
        """The sum of what all processes have; they must all ask."""
        if self.count > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def total_counts(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum of counts of all processes; they must all ask."""
        return self.total(torch.from_numpy(counts).to(self.device)).cpu().numpy()

    def settle(self, network: nn.Module) -> None:
        """Give batch-norm statistics their mean over all processes, each of which saw other images.

        The variance between the parts of a batch is missing in it; on GPUs, where statistics are those of the
        whole batch, nothing is.
        """
        statistics = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        if self.count == 1 or not statistics:
            return
        together = self.total(torch.cat([buffer.flatten() for buffer in statistics])) / self.count
        parts = together.split([buffer.numel() for buffer in statistics])
        for buffer, part in zip(statistics, parts, strict=True):
            buffer.copy_(part.view_as(buffer))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


ALONE = Ranks()
"""A process that trains by itself on the CPU."""

_MEETING = ("RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells beside the number of processes, and torch needs to have them meet."""


@contextmanager
def joined(device: str = "auto") -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, if it did.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; see ``training_device``.

    Yields:
        This process among them, with its device.

    Raises:
        NotAvailable: there is no GPU, or there are more processes here than GPUs.
        WrongUse: there is no such device, or the environment speaks of several processes and not of how they meet.
    """
    local, count = (int(os.environ.get(name, default)) for name, default in (("LOCAL_RANK", "0"), ("WORLD_SIZE", "1")))
    _refuse_lonely(count)
    found = torch.device(training_device(device, local))
    if count == 1:
        yield Ranks(device=str(found))
        return
    if found.type == "cuda":
        torch.cuda.set_device(found)
    distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
    try:
        here = int(os.environ.get("LOCAL_WORLD_SIZE", count))
        ranks = Ranks(distributed.get_rank(), count, str(found), here)
        yield ranks
        ranks.wait()  # A process that leaves closes connections that others may be reading from.
    finally:
        distributed.destroy_process_group()


def _refuse_lonely(count: int) -> None:
    """Refuse an environment that is half of torchrun's, as that of a batch system may be."""
    if count > 1 and (unset := [name for name in _MEETING if name not in os.environ]):
        raise WrongUse(
            f"WORLD_SIZE says {count} processes, and {' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not "
            "set: start them by torchrun, or unset WORLD_SIZE."
        )


def together(network: nn.Module, ranks: Ranks) -> tuple[nn.Module, nn.Module]:
    """A network that processes train together.

    On GPUs batch normalisation sees the whole batch (SyncBatchNorm, which there is for GPUs only); elsewhere each
    process's part.

    Args:
        network: the same in all processes; it is left as it is on GPUs, and trained in place elsewhere.
        ranks: the processes.

    Returns:
        What to call, and what holds the weights; both are ``network`` where there is one process.
    """
    if ranks.count == 1:
        return network, network
    if torch.device(ranks.device).type == "cuda":
        synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(deepcopy(network))
        return _parallel(synchronised, [torch.device(ranks.device)]), synchronised
    return _parallel(network, None), network


def _parallel(network: nn.Module, devices: list[torch.device] | None) -> nn.Module:
    """Statistics are settled after each step, and need not be sent before it: torch 2.13 has a new name for that."""
    kind: Any = nn.parallel.DistributedDataParallel
    names = signature(kind.__init__).parameters
    unsent = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    made: nn.Module = kind(network, device_ids=devices, **{unsent: False})
    return made
