"""The NAS-Bench-201 space (Dong and Yang, ICLR 2020, arXiv 2001.00326) as networks that can be built and measured.

One cell of six edges, in the order of ``CELL_EDGES``, with one of five operations on each. It is stacked five times in
each of three stages of 16, 32 and 64 channels, with a residual block of stride 2 between stages. So what is picked for
an edge is computed 15 times in a network, at three shapes. A supernet has weights of its own for each of these times,
and one mixture for an edge, which holds in all cells.

The sum of a table over the edges is an additive model: it has every edge that is written, as PyTorch computes every
edge. A runtime that compiles a network first leaves out what its output does not depend on (``reaches_output`` in
``nasbench201_cells`` says what), and is faster than the sum for such cells. Additions at the nodes are wiring: they
are in the network and in no entry of a table. A calibration with networks measured whole makes up for part of it.

MACs are those of convolutions and of the fully connected layer, without biases, of every edge that is written; for
cells without pooling these are the benchmark's own FLOPs less one for each class, which it counts for the biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

from devices import WrongUse
from latency import Shape, Value, Workload
from lut import activated_convolution, classifier
from search.spaces.chains import output_of, refuse_small
from search.spaces.nasbench201_cells import CELL_EDGES, CELL_OPERATIONS, read_cells
from search.spaces.space import Candidate, Space, Unit
from search.spaces.wiring import Parts, Signal, Wiring

_LEAST_SIZE, _MULTIPLE = 8, 4
"""Two reductions halve the input, which must be even both times."""

_WIDTHS = (16, 32, 64)
_CELLS = 5

_RESIDUAL = ("nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "skip_connect")
"""The hand-made network that limits in percent refer to: ResNet's block, as the benchmark's authors write it."""


@final
@dataclass(frozen=True)
class CellWiring(Wiring):
    """Stages of equal cells with a reduction between stages.

    The head of the frame holds the reductions, then what closes the last cell. A picked candidate has its workloads for
    every cell of every stage in order, or none.

    Attributes:
        stages: how many stages there are.
        cells: how many cells each has.
    """

    stages: int
    cells: int

    def names(self, text: str) -> tuple[str, ...]:
        """The operations of a string as the benchmark writes it, or as everywhere.

        Raises:
            WrongUse: it is neither.
        """
        if "~" not in text:
            return super().names(text)
        (cell,) = read_cells([text.strip()])
        return tuple(CELL_OPERATIONS[operation] for operation in cell)

    def wire(self, parts: Parts[Signal], image: Signal) -> Signal:
        """The stem, the cells of all stages with reductions between them, what closes the last, the classifier."""
        last = parts.stem(image)
        for stage in range(self.stages):
            for cell in range(stage * self.cells, (stage + 1) * self.cells):
                last = _cell(parts, cell, last)
            if stage < self.stages - 1:
                last = parts.head(stage, last)
        for layer in range(self.stages - 1, len(parts.frame.head)):
            last = parts.head(layer, last)
        return parts.decoder(last)


def nasbench201(name: str, input_size: tuple[int, int], classes: int, precision: str = "fp32") -> Space:
    """Build the space.

    Args:
        name: its name.
        input_size: height and width of the input image, multiples of 4 and at least 8; 32x32 for CIFAR, 16x16 for
            ImageNet16-120.
        classes: number of classes.
        precision: number format of all workloads.

    Raises:
        WrongUse: the input is too small or no multiple of 4, or there is no class.
    """
    refuse_small(name, input_size, classes, _LEAST_SIZE)
    if input_size[0] % _MULTIPLE or input_size[1] % _MULTIPLE:
        raise WrongUse(
            f"{name} needs an input whose sides are multiples of {_MULTIPLE}; got {input_size[0]}x{input_size[1]}."
        )
    stem = activated_convolution((3, *input_size), _WIDTHS[0], activation="none", kernel=3, precision=precision)
    reductions = list[Workload]()
    shapes = [output_of(stem)]
    for width in _WIDTHS[1:]:
        reductions.append(Workload("residual_reduction", (shapes[-1],), {"channels": width}, precision))
        shapes.append(output_of(reductions[-1]))
    closing = Workload("normalised_activation", (shapes[-1],), {"norm": 1, "activation": "relu"}, precision)
    last = classifier(shapes[-1], classes, pool=True, precision=precision)
    units = tuple(
        Unit(
            f"edge {start} to {end}",
            tuple(Candidate(operation, _operation(operation, shapes, precision)) for operation in CELL_OPERATIONS),
        )
        for start, end in CELL_EDGES
    )
    reference = tuple(CELL_OPERATIONS.index(operation) for operation in _RESIDUAL)
    wiring = CellWiring(len(_WIDTHS), _CELLS)
    return Space(name, input_size, classes, (stem,), units, (*reductions, closing), None, last, reference, wiring)


def _operation(name: str, shapes: Sequence[Shape], precision: str) -> tuple[Workload, ...]:
    """What an operation on an edge computes: for each cell of each stage."""
    if name == "none":
        return ()
    return tuple(_edge(name, shape, precision) for shape in shapes for _ in range(_CELLS))


def _edge(name: str, shape: Shape, precision: str) -> Workload:
    convolution: dict[str, Value] = {"channels": shape[0], "kernel": 3, "stride": 1, "dilation": 1}
    made: dict[str, tuple[str, dict[str, Value]]] = {
        "skip_connect": ("identity", {}),
        "nor_conv_1x1": ("projection", {"channels": shape[0]}),
        "nor_conv_3x3": ("relu_convolution", convolution),
        "avg_pool_3x3": ("average_pool", {"kernel": 3, "stride": 1}),
    }
    operator, attributes = made[name]
    return Workload(operator, (shape,), attributes, precision)


def _cell(parts: Parts[Signal], cell: int, source: Signal) -> Signal:
    """What the last node of a cell has; all nodes have the shape of the source."""
    within = [source]
    for node in (1, 2, 3):
        arriving = [
            parts.place(edge, cell, partial(_same_for_all, within[start]))
            for edge, (start, end) in enumerate(CELL_EDGES)
            if end == node
        ]
        within.append(parts.total(arriving, source))
    return within[3]


def _same_for_all(signal: Signal, _: int) -> Signal:
    """What a candidate of an edge reads, whichever it is."""
    return signal
