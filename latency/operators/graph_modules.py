"""Torch modules of networks that are no chain. Imported only where one is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Junction(nn.Module):
    """Makes one tensor of several: their ``sum``, their channels one after another, or ``zeros`` like the first."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, *read: Tensor) -> Tensor:
        """Join tensors (N, C, H, W)."""
        if self.kind == "concatenate":
            return torch.cat(read, dim=1)
        if self.kind == "zeros":
            return torch.zeros_like(read[0])
        total = read[0]
        for other in read[1:]:
            total = total + other
        return total

    def extra_repr(self) -> str:
        """What it does, for people."""
        return self.kind


class Graph(nn.Module):
    """Modules that read what others wrote.

    Args:
        nodes: in an order in which they can run; the last one's output is that of the graph.
        reads: which nodes each reads; 0 is the image.
    """

    def __init__(self, nodes: Sequence[nn.Module], reads: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(nodes)
        self.reads = tuple(tuple(read) for read in reads)
        self.last_readers = {node: reader for reader, read in enumerate(self.reads, 1) for node in read}

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) -> what the last node writes."""
        written = {0: x}
        for number, (node, reads) in enumerate(zip(self.nodes, self.reads, strict=True), 1):
            written[number] = node(*(written[read] for read in reads))
            # What nobody reads any more is let go, so that memory is that of the widest place and not of all.
            for read in {r for r in reads if self.last_readers[r] == number}:
                del written[read]
        return written[len(self.nodes)]
