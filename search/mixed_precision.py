"""Training in half the bits: what is computed in them, and how gradients too small for them are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@final
class MixedPrecision:
    """Computes scores in a number format, and takes steps that fit it (Micikevicius et al., arXiv:1710.03740).

    Weights stay in fp32. fp16 has no numbers for small gradients: the loss is multiplied by a scale that doubles while
    gradients stay finite for long, and a step where they do not is left out and the scale halved.

    Args:
        precision: fp32, bf16 or fp16.
        device: where the network is, ``cpu`` or ``cuda``.
    """

    def __init__(self, precision: str, device: str) -> None:
        self._device, self._dtype = device, _DTYPES[precision]
        self._scaler = torch.amp.GradScaler(device) if precision == "fp16" else None

    def scores(self, network: nn.Module, pictures: Tensor) -> Tensor:
        """What ``network`` gives, in fp32."""
        if self._dtype is torch.float32:
            plain: Tensor = network(pictures)
            return plain
        with torch.autocast(self._device, self._dtype):
            scores: Tensor = network(pictures)
        return scores.float()

    def step(self, loss: Tensor, optimizer: Optimizer, clip: float = 0.0) -> None:
        """Backwards through ``loss``, then a step with gradients no longer than ``clip`` together; 0 leaves them."""
        scaler = self._scaler
        (loss if scaler is None else scaler.scale(loss)).backward()
        if clip:
            if scaler is not None:
                scaler.unscale_(optimizer)
            parameters = (weight for group in optimizer.param_groups for weight in group["params"])
            nn.utils.clip_grad_norm_(parameters, clip)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()

    def tensors(self) -> dict[str, Tensor]:
        """What a training has to remember; nothing but for fp16."""
        if self._scaler is None:
            return {}
        state = self._scaler.state_dict()
        return {
            "scaler.scale": torch.tensor(state["scale"], dtype=torch.float64),
            "scaler.growth_tracker": torch.tensor(state["_growth_tracker"]),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` gave."""
        if self._scaler is not None:
            known = {
                "scale": tensors["scaler.scale"].item(),
                "_growth_tracker": int(tensors["scaler.growth_tracker"].item()),
            }
            self._scaler.load_state_dict({**self._scaler.state_dict(), **known})
