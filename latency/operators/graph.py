"""Networks that are no chain: layers that read sums or rows of what others wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, final

from devices import WrongUse
from latency.operators.contract import operator_of
from latency.operators.network import WholeOperator, spelled
from latency.workload import Shape, Value, Workload

if TYPE_CHECKING:
    from torch import nn

Junction = Literal["sum", "concatenate", "zeros"]
"""How outputs become one: added up; one after another along the channels; or zeros in the shape of one of them."""

_JUNCTIONS: tuple[str, ...] = ("sum", "concatenate", "zeros")


@final
class NetworkGraph:
    """A network being laid out, layer by layer.

    Args:
        image: shape of what it reads, which is node 0.
    """

    def __init__(self, image: Shape) -> None:
        self._image = image
        self._nodes: list[tuple[Value, ...]] = []
        self._first: Workload | None = None

    def add(self, layer: Workload, *reads: int) -> int:
        """Append a layer that reads these nodes; returns the number of its node.

        The shapes that the layer was made with are not kept: they follow from what it reads.
        """
        self._first = self._first or layer
        self._nodes.append((*spelled(layer), reads))
        return len(self._nodes)

    def join(self, junction: Junction, *reads: int) -> int:
        """Append what makes one of these nodes; returns the number of its node.

        It is wiring: it counts nothing, is no part, and takes time only in the network as a whole.
        """
        if junction != "zeros" and len(reads) == 1:
            return reads[0]
        self._nodes.append((junction, (), reads))
        return len(self._nodes)

    def workload(self) -> Workload:
        """The network, which writes what the node that was added last does: a workload of the operator ``graph``.

        Raises:
            WrongUse: nothing was added.
        """
        if self._first is None:
            raise WrongUse("A network needs at least one layer.")
        attributes: dict[str, Value] = {"nodes": tuple(self._nodes)}
        return Workload("graph", (self._image,), attributes, self._first.precision, self._first.batch)


def chain_workload(layers: Sequence[Workload]) -> Workload:
    """The workload of a network whose layers each read what the one before them wrote."""
    graph = NetworkGraph(layers[0].inputs[0])
    for index, layer in enumerate(layers):
        graph.add(layer, index)
    return graph.workload()


@final
class GraphOperator(WholeOperator):
    """Layers that read what others wrote, or sums or rows of it; the last one's output is the network's.

    ``nodes`` holds (operator, ((attribute, value), ...), (node, ...)) for each: what it reads, where 0 is the image. In
    place of an operator there may be a junction, without attributes.
    """

    name = "graph"
    attributes = {"nodes": tuple}

    def parts(self, workload: Workload) -> tuple[Workload, ...]:
        """The layers in order, with the shapes that they read; junctions are no parts.

        Raises:
            WrongUse: there is no layer, one reads something that is not there before it, or shapes do not fit.
        """
        listed: Any = workload.attributes["nodes"]
        if not listed or listed[-1][0] in _JUNCTIONS:
            raise WrongUse("A graph ends with a layer; got none.")
        shapes, found = [workload.inputs[0]], []
        for number, (name, attributes, reads) in enumerate(listed, 1):
            read = [shapes[node] for node in _earlier(number, reads)]
            if name in _JUNCTIONS:
                shapes.append(_joined(number, name, read))
                continue
            part = Workload(name, tuple(read), dict(attributes), workload.precision, workload.batch)
            shapes.append(operator_of(part).output(part))
            found.append(part)
        return tuple(found)

    def build(self, workload: Workload) -> nn.Module:
        """Images (N, C, H, W) -> what the last layer writes."""
        from latency.operators import graph_modules

        listed: Any = workload.attributes["nodes"]
        built = iter([operator_of(part).build(part) for part in self.parts(workload)])
        return graph_modules.Graph(
            [graph_modules.Junction(name) if name in _JUNCTIONS else next(built) for name, _, _ in listed],
            [reads for _, _, reads in listed],
        )


def _earlier(number: int, reads: Sequence[int]) -> Sequence[int]:
    """What a node reads, once it is sure that it is there."""
    if not reads or not all(0 <= node < number for node in reads):
        raise WrongUse(f"Node {number} of a graph reads nodes before it, where 0 is the image; got {tuple(reads)}.")
    return reads


def _joined(number: int, junction: str, read: Sequence[Shape]) -> Shape:
    """The shape of what a junction makes of these."""
    alike = {shape[1:] for shape in read} if junction == "concatenate" else set(read)
    if len(alike) > 1:
        raise WrongUse(f"Node {number} of a graph is the {junction} of shapes that do not fit: {list(read)}.")
    channels = sum(shape[0] for shape in read) if junction == "concatenate" else read[0][0]
    return (channels, *read[0][1:])
