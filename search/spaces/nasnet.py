"""Cells in the style of NASNet (Zoph et al., CVPR 2018, arXiv 1707.07012): a normal and a reduction cell, in blocks.

A cell reads the outputs of the two cells before it. Each of its five blocks adds up two operations, each on one of
these two or on the output of a block before it in the cell. For both operations of a block, what is picked is the
input and the operation together, as ``1:separable_3x3``: in the reduction cell an operation has stride 2 on the cells
before it and stride 1 on blocks, so what it costs depends on both, and on nothing else. Units so have different
numbers of candidates. Inputs are counted from 0, the cell before the last; 1 is the last cell, 2 the first block.

Two departures from the paper. The output of a cell is all five blocks one after another, as DARTS has it, and not only
those that nothing reads: then shapes do not depend on what is picked, and costs add up. The operations are those 11 of
the paper's 13 with square kernels. The network is that for small images: two normal cells in each of three stages with
reductions between them; filters double at each reduction.

The sum of a table over the units is exact in MACs; additions and concatenations are wiring and in no entry of a table.

A supernet mixes inputs and operations together. It is large: 3520 operations with 69 million parameters. A step on the
weights computes a single path, one on the policy all of them; searches that need no supernet are the cheaper ones here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, final

from latency import OPERATORS, Shape, Value, Workload
from lut import activated_convolution, classifier
from search.spaces.chains import output_of, refuse_small
from search.spaces.space import Candidate, Space, Unit
from search.spaces.wiring import Parts, Signal, Wiring

_LEAST_SIZE = 8
"""Least height and width: two reductions leave two pixels."""

BLOCKS = 5
_STAGES, _CELLS = 3, 2
_FILTERS, _STEM_FACTOR = 32, 3

_KERNELS: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        "identity": ("identity", 1, 1),
        "average_pool_3x3": ("average_pool", 3, 1),
        "max_pool_3x3": ("max_pool", 3, 1),
        "max_pool_5x5": ("max_pool", 5, 1),
        "max_pool_7x7": ("max_pool", 7, 1),
        "convolution_1x1": ("relu_convolution", 1, 1),
        "convolution_3x3": ("relu_convolution", 3, 1),
        "dilated_3x3": ("relu_convolution", 3, 2),
        "separable_3x3": ("separable_convolution", 3, 1),
        "separable_5x5": ("separable_convolution", 5, 1),
        "separable_7x7": ("separable_convolution", 7, 1),
    }
)
"""The operations: operator, kernel and dilation."""

NASNET_OPERATIONS = tuple(_KERNELS)

_REFERENCE = "1:separable_3x3"
"""In every place, the hand-made network that limits in percent refer to."""


class _Cell(NamedTuple):
    """Where a cell stands in the network.

    Attributes:
        first: shape of the output of the cell before the last.
        second: shape of the output of the last cell.
        filters: channels of each block.
        reduces: whether it is a reduction cell.
    """

    first: Shape
    second: Shape
    filters: int
    reduces: bool

    @property
    def read(self) -> Shape:
        """Shape of both inputs after the cell has made them alike."""
        return (self.filters, *self.second[1:])

    @property
    def written(self) -> Shape:
        """Shape of each block's output."""
        stride = 2 if self.reduces else 1
        return (self.filters, -(-self.second[1] // stride), -(-self.second[2] // stride))


@final
@dataclass(frozen=True)
class BlockWiring(Wiring):
    """Cells of blocks, each reading the two cells before it.

    The head of the frame holds two workloads for each cell, which make its inputs alike, then what closes the last
    cell. Units are those of the normal cell, then those of the reduction cell, two for each block. A picked candidate
    has a workload for every cell of its kind.

    Attributes:
        reduces: for each cell, in order, whether it is a reduction cell.
        blocks: how many blocks a cell has.
        operations: how many there are; the index of a candidate is input x operations + operation.
    """

    reduces: tuple[bool, ...]
    blocks: int
    operations: int

    def wire(self, parts: Parts[Signal], image: Signal) -> Signal:
        """The stem, all cells, what closes the last, the classifier."""
        before = last = parts.stem(image)
        for cell in range(len(self.reduces)):
            alike = [parts.head(2 * cell, before), parts.head(2 * cell + 1, last)]
            before, last = last, self._cell(parts, cell, alike)
        for layer in range(2 * len(self.reduces), len(parts.frame.head)):
            last = parts.head(layer, last)
        return parts.decoder(last)

    def _cell(self, parts: Parts[Signal], cell: int, alike: Sequence[Signal]) -> Signal:
        """The blocks of a cell one after another; ``alike`` are its two inputs."""
        reduces = self.reduces[cell]
        place = sum(other == reduces for other in self.reduces[:cell])
        states = list(alike)
        for block in range(self.blocks):
            first = 2 * (block + self.blocks * reduces)
            both = [
                parts.place(unit, place, lambda pick: states[pick // self.operations]) for unit in (first, first + 1)
            ]
            states.append(parts.total(both, alike[0]))
        return parts.concatenated(states[len(alike) :])


def nasnet(name: str, input_size: tuple[int, int], classes: int, precision: str = "fp32") -> Space:
    """Build the space.

    Args:
        name: its name.
        input_size: height and width of the input image, each at least 8 pixels.
        classes: number of classes.
        precision: number format of all workloads.

    Raises:
        WrongUse: the input is too small, or there is no class.
    """
    refuse_small(name, input_size, classes, _LEAST_SIZE)
    width = _STEM_FACTOR * _FILTERS
    stem = activated_convolution((3, *input_size), width, activation="none", kernel=3, precision=precision)
    cells = _cells(output_of(stem))
    alike = tuple(_alike(shape, cell.read, precision) for cell in cells for shape in (cell.first, cell.second))
    end = (BLOCKS * cells[-1].filters, *cells[-1].written[1:])
    closing = Workload("normalised_activation", (end,), {"norm": 0, "activation": "relu"}, precision)
    last = classifier(end, classes, pool=True, precision=precision)
    units = (*_units("normal", cells, precision), *_units("reduction", cells, precision))
    reference = tuple(unit.names.index(_REFERENCE) for unit in units)
    wiring = BlockWiring(tuple(cell.reduces for cell in cells), BLOCKS, len(_KERNELS))
    return Space(name, input_size, classes, (stem,), units, (*alike, closing), None, last, reference, wiring)


def _cells(stem: Shape) -> list[_Cell]:
    cells, first, second, filters = list[_Cell](), stem, stem, _FILTERS
    for stage in range(_STAGES):
        reductions = [True] if stage else []
        for reduces in [*reductions, *[False] * _CELLS]:
            filters *= 2 if reduces else 1
            cells.append(_Cell(first, second, filters, reduces))
            first, second = second, (BLOCKS * filters, *cells[-1].written[1:])
    return cells


def _units(kind: str, cells: Sequence[_Cell], precision: str) -> tuple[Unit, ...]:
    mine = [cell for cell in cells if cell.reduces == (kind == "reduction")]
    return tuple(
        Unit(
            f"{kind} block {block + 1}, {side}",
            tuple(
                Candidate(f"{source}:{operation}", tuple(_operation(operation, source, c, precision) for c in mine))
                for source in range(2 + block)
                for operation in _KERNELS
            ),
        )
        for block in range(BLOCKS)
        for side in ("first", "second")
    )


def _operation(name: str, source: int, cell: _Cell, precision: str) -> Workload:
    """An operation in a cell: with stride 2 where it reads another cell's output and the cell reduces."""
    operator, kernel, dilation = _KERNELS[name]
    is_block = source >= 2
    shape = cell.written if is_block else cell.read
    stride = 2 if cell.reduces and not is_block else 1
    if (operator == "identity" and stride == 2) or (operator == "relu_convolution" and kernel == stride == 1):
        return _alike(shape, cell.written, precision)
    all_: dict[str, Value] = {"channels": shape[0], "kernel": kernel, "stride": stride, "dilation": dilation}
    taken = OPERATORS[operator].attributes
    return Workload(operator, (shape,), {key: all_[key] for key in taken}, precision)


def _alike(shape: Shape, wanted: Shape, precision: str) -> Workload:
    """What turns an output into one of the wanted shape: of half the size, or of the same."""
    operator = "projection" if shape[1:] == wanted[1:] else "factorized_reduce"
    return Workload(operator, (shape,), {"channels": wanted[0]}, precision)
