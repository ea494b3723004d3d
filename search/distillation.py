"""What a network is trained on: the labels, and what a teacher says where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from search.data import IGNORE
from search.mixed_precision import MixedPrecision


def cross_entropy(
    scores: Tensor, labels: Tensor, reduction: str = "mean", class_weights: Tensor | None = None
) -> Tensor:
    """Cross entropy over the pixels that count, or over whole pictures.

    Args:
        scores: (N, classes, height, width), or (N, classes).
        labels: class ids, int64 (N, height, width), 255 where a pixel does not count; or (N,), which all count.
        reduction: ``mean`` or ``sum`` of what counts; with weights the mean is that of torch, over the weights.
        class_weights: what each class counts, (classes,); all alike without.
    """
    if labels.ndim == 1:
        return functional.cross_entropy(scores, labels, class_weights, reduction=reduction)
    return functional.cross_entropy(scores, labels, class_weights, ignore_index=IGNORE, reduction=reduction)


def counted(labels: Tensor) -> Tensor:
    """How many pixels, or pictures, count: float64 of shape (), on the device of ``labels``."""
    everything = labels.numel() if labels.ndim == 1 else (labels != IGNORE).sum()
    return torch.as_tensor(everything, dtype=torch.float64, device=labels.device)


def divergence(scores: Tensor, taught: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Sum of KL(teacher, network) over the pixels that count, or over whole pictures (Hinton et al., 2015, section 2).

    Both are softened by the temperature; its square keeps the gradient as large as that of cross entropy.

    Args:
        scores: of the network, (N, classes, height, width) or (N, classes).
        taught: of the teacher, of the same shape.
        labels: they only say what counts; a frame around a picture is nothing to be taught on.
        temperature: above 0.
    """
    soft, wanted = ((each / temperature).log_softmax(dim=1) for each in (scores, taught))
    apart = functional.kl_div(soft, wanted, reduction="none", log_target=True).sum(dim=1)
    if labels.ndim > 1:
        apart = apart[labels != IGNORE]
    return temperature**2 * apart.sum()


@final
@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network that another one learns from.

    Attributes:
        network: it stays as it is.
        share: of the loss; cross entropy has the rest.
        temperature: both networks' scores are divided by it.
    """

    network: nn.Module
    share: float
    temperature: float

    def mixed(self, plain: Tensor, scores: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
        """The loss with the teacher's share in it.

        Args:
            plain: sum of the cross entropy.
            scores: of the network.
            taught: of the teacher, from ``says``.
            labels: what counts.
        """
        return (1 - self.share) * plain + self.share * divergence(scores, taught, labels, self.temperature)

    def says(self, pictures: Tensor, precision: MixedPrecision) -> Tensor:
        """The teacher's scores; its statistics are those that it was trained with."""
        self.network.eval()
        with torch.no_grad():
            return precision.scores(self.network, pictures)
