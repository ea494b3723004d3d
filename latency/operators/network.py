"""A whole network as one operator, so that it is counted, built, exported and timed like any block."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from devices import WrongUse
from latency.operators.contract import OPERATORS, Operator, integer, operator_of
from latency.operators.layer import Layer
from latency.workload import Value, Workload

if TYPE_CHECKING:
    from torch import nn


class WholeOperator(Operator, abc.ABC):
    """An operator made of workloads of other operators. It counts what they count together."""

    @abc.abstractmethod
    def parts(self, workload: Workload) -> tuple[Workload, ...]:
        """The workloads that it is made of, in the order in which they run."""

    @final
    def layers(self, workload: Workload) -> Sequence[Layer]:
        """The layers of all parts."""
        return [layer for part in self.parts(workload) for layer in operator_of(part).layers(part)]


def network_workload(encoder: Sequence[Workload], tap: int, decoder: Workload) -> Workload:
    """The workload of a network made of workloads.

    Args:
        encoder: the layers in order; each reads what the one before it writes.
        tap: index of the layer whose output the decoder reads beside the last one.
        decoder: a workload of two inputs.

    Returns:
        A workload of the operator ``network`` that reads what the first layer reads.
    """
    first = encoder[0]
    attributes: dict[str, Value] = {
        "encoder": tuple(spelled(layer) for layer in encoder),
        "tap": tap,
        "decoder": spelled(decoder),
    }
    return Workload("network", first.inputs, attributes, first.precision, first.batch)


@final
class NetworkOperator(WholeOperator):
    """Layers in a row, one of them tapped, and a decoder of two inputs.

    ``encoder`` holds (operator, ((attribute, value), ...)) for each layer, ``decoder`` the same once.
    """

    name = "network"
    attributes = {"encoder": tuple, "tap": int, "decoder": tuple}
    from_zero = frozenset({"tap"})

    def parts(self, workload: Workload) -> tuple[Workload, ...]:
        """Encoder layers in order, then the decoder.

        Raises:
            WrongUse: the tap is not one of the encoder's layers.
        """
        encoder: Any = workload.attributes["encoder"]
        decoder: Any = workload.attributes["decoder"]
        tap = integer(workload, "tap")
        if not 0 <= tap < len(encoder):
            raise WrongUse(f"The tap of a network must be one of its {len(encoder)} layers; got {tap}.")
        shape, low, found = workload.inputs[0], workload.inputs[0], []
        for index, (name, attributes) in enumerate(encoder):
            layer = Workload(name, (shape,), dict(attributes), workload.precision, workload.batch)
            shape = operator_of(layer).output(layer)
            low = shape if index == tap else low
            found.append(layer)
        name, attributes = decoder
        found.append(Workload(name, (shape, low), dict(attributes), workload.precision, workload.batch))
        return tuple(found)

    def build(self, workload: Workload) -> nn.Module:
        """Images (N, C, H, W) -> what the decoder writes."""
        from latency.operators import modules

        *encoder, decoder = self.parts(workload)
        built = [operator_of(part).build(part) for part in encoder]
        return modules.Network(built, integer(workload, "tap"), operator_of(decoder).build(decoder))


def parts(workload: Workload) -> tuple[Workload, ...]:
    """The workloads that a whole network is made of, in the order in which they run.

    Raises:
        WrongUse: it is no whole network, or one that does not fit together.
    """
    operator = OPERATORS[workload.operator]
    if not isinstance(operator, WholeOperator):
        raise WrongUse(f"Only a whole network has parts; got {workload.describe()}.")
    return operator.parts(workload)


def is_network(workload: Workload) -> bool:
    """Whether a workload is a network as a whole, and no block."""
    return workload.operator in OPERATORS and isinstance(OPERATORS[workload.operator], WholeOperator)


def spelled(workload: Workload) -> tuple[str, tuple[tuple[str, Value], ...]]:
    """Operator and attributes as the attribute of a whole network; shapes follow from where it stands."""
    return (workload.operator, tuple(sorted(workload.attributes.items())))
