"""Zero-cost proxies: what an untrained network tells of how well it would train. Larger is better.

They are cheap, and rough: ``benchmarks/zero_cost.py`` says how well each orders networks whose accuracy is known.
"""

from __future__ import annotations

import abc
import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, final

from latency import Shape, build_module
from search.cost import Picks
from search.data import Batches, LabelledImages
from search.evaluators.evaluator import Evaluator, network_digest, space_identity
from search.spaces import Architecture, Space

if TYPE_CHECKING:
    from torch import Tensor, nn


class ZeroCostProxy(Evaluator):
    """Builds a network with weights drawn from a seed, and looks at it without training.

    Args:
        space: whose networks are scored.
        seed: of the weights.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    @final
    def score(self, picks: Picks) -> float:
        """The proxy of the network with weights from the seed."""
        network = build_module(self._space.network(Architecture(self._space.name, picks)), seed=self._seed)
        return self._look_at(network)

    def identity(self) -> Mapping[str, object]:
        """Space and seed."""
        return {**space_identity(self._space), "seed": self._seed}

    @final
    def digest(self, picks: Picks) -> str:
        """Of all that the network computes."""
        return network_digest(self._space, picks)

    @abc.abstractmethod
    def _look_at(self, network: nn.Module) -> float:
        """The proxy of a network in training mode, which may be changed."""


@final
class Synflow(ZeroCostProxy):
    """How much signal the weights let through; see ``synflow``."""

    name = "synflow"
    meaning = "logarithm of 1 + synflow, of an untrained network"

    def _look_at(self, network: nn.Module) -> float:
        return math.log1p(synflow(network, self._space.stem[0].inputs[0]))


@final
class Naswot(ZeroCostProxy):
    """How differently the ReLUs answer to the images of a batch; see ``naswot``.

    Args:
        space: whose networks are scored.
        seed: of the weights and the choice of images.
        images: at the size of the space's input; labels are not looked at.
        batch_size: images that are compared, at least 2. Mellor et al. use 128, and find that it matters little.
    """

    name = "naswot"
    meaning = "log determinant of the kernel of ReLU codes, of an untrained network"

    def __init__(self, space: Space, seed: int, images: LabelledImages, batch_size: int = 32) -> None:
        super().__init__(space, seed)
        self._images, self._batch_size = images, batch_size
        self._pictures: Tensor | None = None

    def identity(self) -> Mapping[str, object]:
        """Space, seed and images."""
        images = [self._images.name, len(self._images)]
        return {**super().identity(), "images": images, "batch_size": self._batch_size}

    def _look_at(self, network: nn.Module) -> float:
        if self._pictures is None:
            batches = Batches(self._images, self._batch_size, seed=self._seed, augment=False)
            self._pictures = next(batches.take(1))[0]
        return naswot(network, self._pictures)


def synflow(network: nn.Module, input_shape: Shape) -> float:
    """How much signal the weights of a network let through, all layers together.

    The sum over the weights w of convolutions and linear layers of the absolute value of w * dR/dw, where R is the sum
    of the outputs for an input of ones and absolute weights (Tanaka et al., Pruning neural networks without any data by
    iteratively conserving synaptic flow, NeurIPS 2020, equation 3).

    As Abdelfattah et al. (Zero-cost proxies for lightweight NAS, ICLR 2021) score architectures with it: batch
    normalisation is left out, whose statistics of a constant input would be all there is to see, and numbers are of
    double precision, because the sum grows with every layer.

    Args:
        network: of one input; it is left as it was.
        input_shape: channels, height and width.

    Returns:
        At least 0; 0 where no signal gets through.
    """
    import torch

    linear = _without_norms(copy.deepcopy(network)).double()
    with torch.no_grad():
        for parameter in linear.parameters():
            parameter.abs_()
    linear(torch.ones((1, *input_shape), dtype=torch.float64)).sum().backward()
    return sum(float((w * w.grad).detach().abs().sum()) for w in _weights(linear.modules()) if w.grad is not None)


def naswot(network: nn.Module, pictures: Tensor) -> float:
    """How differently the ReLUs of a network answer to different images.

    The logarithm of the determinant of K, where K counts for each pair of images the ReLUs that are on for both or off
    for both (Mellor et al., Neural architecture search without training, ICML 2021, equation 2).

    Batch normalisation uses the statistics of the batch, as in the authors' code.

    Args:
        network: in training mode; the statistics of its batch norms change.
        pictures: a batch, (N, channels, height, width).

    Returns:
        NaN where two images have the same codes everywhere, or there is no ReLU: the determinant is 0 then.
    """
    import torch

    kernel = torch.zeros((len(pictures), len(pictures)), dtype=torch.float64)

    def compare(before: Tensor) -> None:
        on = (before.detach().flatten(1) > 0).float()
        off = 1 - on
        kernel.add_((on @ on.T + off @ off.T).double())

    with torch.no_grad(), _watching_relus(compare):
        network(pictures)
    # The sign of the determinant of a positive semidefinite matrix is 1, or rounding.
    value = float(torch.linalg.slogdet(kernel).logabsdet)
    return value if math.isfinite(value) else math.nan


def _watching_relus(watch: Callable[[Tensor], None]) -> Any:
    """A context in which ``watch`` is told of what every ReLU reads, be it a module or a function."""
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    relus = (functional.relu, functional.relu6)

    class Watching(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            # The module ReLU6 calls hardtanh from 0 to 6. Of both, what counts is whether the input is above 0.
            if func in relus or (func is functional.hardtanh and (kwargs or {}).get("min_val") == 0):
                watch(args[0])
            return func(*args, **(kwargs or {}))

    return Watching()


def _without_norms(network: nn.Module) -> nn.Module:
    """The network with every batch normalisation replaced by nothing, in place."""
    from torch import nn

    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network


def _weights(modules: Iterable[nn.Module]) -> list[Tensor]:
    from torch import nn

    return [module.weight for module in modules if isinstance(module, nn.Conv2d | nn.Linear)]
