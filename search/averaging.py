"""A moving average of a network's weights, which is steadier than the weights of the last step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn


@final
class WeightAverage:
    """Exponential moving average of weights and batch-norm statistics (Polyak and Juditsky, 1992).

    The first steps are averaged over a shorter past, ``min(decay, (1 + step) / (10 + step))``, as TensorFlow's
    ``ExponentialMovingAverage`` does: else short trainings would keep much of the random weights they began with.

    Args:
        network: whose weights are averaged; at first the average is what they are.
        decay: weight of the past in each step, from 0 to 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._kept = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step.

        Args:
            network: its weights now.
            step: the number of the step, from 0.
        """
        keep = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                if tensor.is_floating_point():
                    self._kept[name].lerp_(tensor, 1 - keep)
                else:  # Counts are no weights.
                    self._kept[name].copy_(tensor)

    def put_into(self, network: nn.Module) -> None:
        """Give the average to a network of the same build."""
        network.load_state_dict(self._kept)

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """The average under ``prefix``, as ``module_tensors`` names a network's."""
        return {f"{prefix}.{name}": tensor for name, tensor in self._kept.items()}

    def restore(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` gave."""
        for name, tensor in self._kept.items():
            tensor.copy_(tensors[f"{prefix}.{name}"])
