"""How the candidates of a unit become one output: which are computed, on which images, and what is kept of them.

An output of weight 0 is worth computing where the weight's gradient is asked for: it is the gradient
(docs/decisions/0007-gradient-of-the-undrawn.md). It needs no graph of its own, and it may be asked for of two
candidates alone (docs/decisions/0022-two-paths.md). Images that draw different candidates are computed apart, so that
eight images on eight paths cost what eight on one path cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from search.supernet import Supernet

Layers = Sequence[nn.Module | None]
"""Of the candidates of a unit, in index order; None for one that computes nothing, and writes zeros."""

Read = Callable[[int], Tensor]
"""What the candidate of that index reads, (N, channels, height, width)."""

Mix = Callable[[Layers, Read, Tensor, Tensor, Tensor], Tensor | None]
"""Mixes candidates; arguments as of ``mixed``."""


def mixed(layers: Layers, read: Read, weights: Tensor, left_out: Tensor, known: Tensor | None = None) -> Tensor | None:
    """Weighted sum of what the candidates of a unit write.

    The gradient of a weight is the output of its candidate against the loss's gradient, for those of weight 0 as well.
    Leaving them out would leave the gradient of the drawn candidate's own scale, which the next batch norm cancels.

    Args:
        layers: of the candidates.
        read: what each reads.
        weights: (candidates,) for the whole batch or (N, candidates) for each image; may be wider than ``layers``.
        left_out: True for what is not computed although its weight's gradient may be asked for: (candidates,) or (N,
            candidates). Its weight must be 0. On the CPU.
        known: ``weights`` on the CPU, so that what is computed is decided without waiting for a GPU; ``weights``
            are asked when None.

    Returns:
        What one candidate would write, mixed; None where no layer computes anything.
    """
    known = weights.detach().cpu() if known is None else known
    rows, numbers, never = (each.reshape(-1, each.shape[-1]) for each in (weights, known, left_out))
    drawn = numbers.ne(0)
    asked = ~drawn & ~never if rows.requires_grad else torch.zeros_like(drawn)
    total: Tensor | None = None
    for index, layer in enumerate(layers):
        for which, graph in ((drawn[:, index], True), (asked[:, index], False)):
            images = _images(which, rows.device)
            if images is None or layer is None:
                continue
            with nullcontext() if graph else torch.no_grad():
                x = read(index)
                output = layer(x if isinstance(images, slice) else x[images])
            if rows.requires_grad or not bool(numbers[which, index].eq(1).all()):
                output = _weighted(rows[images, index], output)
            total = _added(total, output, images, len(x))
    return total


def checkpointed(
    layers: Layers, read: Read, weights: Tensor, left_out: Tensor, known: Tensor | None = None
) -> Tensor | None:
    """``mixed``, of which only the input is kept; the backward pass computes the rest anew (Chen et al., 2016).

    Batch-norm statistics are renewed by the first pass only, so that nothing but time and memory tells the difference.
    """
    contexts = partial(_once_and_again, layers)
    output: Tensor | None = checkpoint(
        *(mixed, layers, read, weights, left_out, known),
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=contexts,
    )
    return output


@final
@dataclass(frozen=True)
class Thrift:
    """What makes a step of a supernet cheaper and leaves its mathematics alone; see the settings of the same names.

    Attributes:
        checkpointing: keep the input of each unit and compute the rest twice.
        channels_last: order of the activations in memory.
        bf16: compute convolutions in bfloat16; weights, batch-norm statistics and the loss stay in fp32.
    """

    checkpointing: bool = False
    channels_last: bool = False
    bf16: bool = False

    def prepare(self, supernet: Supernet) -> None:
        """Make a supernet ready, once; its weights stay as and where they are."""
        supernet.mix = checkpointed if self.checkpointing else mixed
        if self.channels_last:
            for part in supernet.modules():
                if isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.stride != (1, 1):
                    part.register_forward_pre_hook(_in_usual_order)

    def scores(self, supernet: Supernet, images: Tensor, mixture: Tensor, left_out: Tensor | None = None) -> Tensor:
        """What ``supernet`` gives, in fp32; arguments as of ``Supernet.forward``.

        Weights are not reordered: a convolution takes its order from its input, and writes in the same.
        """
        if self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            scores: Tensor = supernet(images, mixture, left_out)
        return scores.float()


def _in_usual_order(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A strided 1x1 convolution in channels-last order may end the process (oneDNN issue 6035)."""
    return tuple(each.contiguous() for each in inputs)


def _images(which: Tensor, device: torch.device) -> Tensor | slice | None:
    """The images that are True in a column of (N,) or, for the whole batch, (1,); None where there are none."""
    if bool(which.all()):
        return slice(None)
    return which.nonzero().squeeze(1).to(device, non_blocking=True) if bool(which.any()) else None


def _weighted(own: Tensor, output: Tensor) -> Tensor:
    """Outputs times their own weights, one for all or one for each image."""
    return own.to(output.dtype).reshape(-1, *(1,) * (output.dim() - 1)) * output


def _added(total: Tensor | None, term: Tensor, images: Tensor | slice, count: int) -> Tensor:
    if isinstance(images, slice):
        return term if total is None else total + term
    base = term.new_zeros((count, *term.shape[1:])) if total is None else total
    return base.index_add(0, images, term)


def _once_and_again(layers: Layers) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _statistics_kept(layers)


@contextmanager
def _statistics_kept(layers: Layers) -> Iterator[None]:
    """Batch normalisation as ever, but that running statistics and counts stay as they are."""
    found = (part for layer in layers if layer is not None for part in layer.modules())
    norms = [part for part in found if isinstance(part, nn.BatchNorm2d)]
    before = [(norm.momentum, None if (n := norm.num_batches_tracked) is None else n.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
