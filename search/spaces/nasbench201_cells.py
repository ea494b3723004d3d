"""Cells of NAS-Bench-201 as arrays: reading their strings, and what of them a runtime executes.

A cell has four nodes and an operation on each of the six edges between them (Dong and Yang, NAS-Bench-201: Extending
the scope of reproducible neural architecture search, ICLR 2020); the operation ``none`` gives zeros. There are 15 625.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices import WrongUse

Array: TypeAlias = npt.NDArray[np.float64]
Cells: TypeAlias = npt.NDArray[np.intp]
Flags: TypeAlias = npt.NDArray[np.bool_]

CELL_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""What may be on an edge; cells hold the index. The first computes nothing."""

CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From which node to which, in the order in which strings name them. Node 0 is the input, node 3 the output."""

_NODES = re.compile(r"\|([^|+]+)~0\|\+\|([^|+]+)~0\|([^|+]+)~1\|\+\|([^|+]+)~0\|([^|+]+)~1\|([^|+]+)~2\|")

_EDGE_SHARE = 0.1
"""An operation costs about the same on every edge: where it stands may matter a tenth as much as that it is there."""


def read_cells(strings: Sequence[str]) -> Cells:
    """The operations of cells, indices into ``CELL_OPERATIONS``, shape (n, 6).

    Args:
        strings: such as ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|``.

    Raises:
        WrongUse: one is not of that form, or has another operation.
    """
    return np.array([_read(text) for text in strings], dtype=np.intp).reshape(len(strings), len(CELL_EDGES))


def write_cells(cells: Cells) -> tuple[str, ...]:
    """The strings of cells, which ``read_cells`` reads back.

    Args:
        cells: indices into ``CELL_OPERATIONS``, shape (n, 6).
    """
    return tuple(_write([CELL_OPERATIONS[operation] for operation in cell]) for cell in cells)


def _write(names: Sequence[str]) -> str:
    nodes = [
        "".join(f"{name}~{start}|" for name, (start, end) in zip(names, CELL_EDGES, strict=True) if end == node)
        for node in (1, 2, 3)
    ]
    return "+".join(f"|{node}" for node in nodes)


def _read(text: str) -> list[int]:
    found = _NODES.fullmatch(str(text))
    if found is None or not set(found.groups()) <= set(CELL_OPERATIONS):
        raise WrongUse(
            "A cell is |OP~0|+|OP~0|OP~1|+|OP~0|OP~1|OP~2| where each OP is one of "
            f"{', '.join(CELL_OPERATIONS)}; got {text!r}."
        )
    return [CELL_OPERATIONS.index(name) for name in found.groups()]


def reaches_output(cells: Cells) -> Flags:
    """Whether something depends on each edge: no ``none`` on it, and a path from it to the output, shape (n, 6)."""
    works = cells > 0
    from_node = np.zeros((len(cells), 4), dtype=np.bool_)
    from_node[:, 3] = True
    for edge, (start, end) in reversed([*enumerate(CELL_EDGES)]):
        from_node[:, start] |= works[:, edge] & from_node[:, end]
    return works & from_node[:, [end for _, end in CELL_EDGES]]


def is_live(cells: Cells) -> Flags:
    """Whether each edge lies on a path from the input to the output without ``none``, shape (n, 6).

    A cell without any, as 341 are, computes a constant.
    """
    works = cells > 0
    to_node = np.zeros((len(cells), 4), dtype=np.bool_)
    to_node[:, 0] = True
    for edge, (start, end) in enumerate(CELL_EDGES):
        to_node[:, end] |= works[:, edge] & to_node[:, start]
    return reaches_output(cells) & to_node[:, [start for start, _ in CELL_EDGES]]


def cell_features(cells: Cells) -> tuple[Array, Array]:
    """Two descriptions of cells, one for each kind of runtime, each of shape (n, 28).

    A runtime that executes a network as it is written (PyTorch) computes every edge, also those that lead nowhere; one
    that compiles it first (TensorFlow Lite) prunes what the output does not depend on. Neither notices that an
    operation has zeros as its input. Columns: how often each operation but ``none`` is computed, and on which edges.

    Returns:
        As it is written; pruned.
    """
    return _features(cells, cells > 0), _features(cells, reaches_output(cells))


def _features(cells: Cells, computed: Flags) -> Array:
    operations = np.arange(1, len(CELL_OPERATIONS))
    on_edge = (cells[:, :, None] == operations) & computed[:, :, None]
    edges = on_edge.reshape(len(cells), len(CELL_EDGES) * len(operations))
    return np.hstack([on_edge.sum(axis=1), _EDGE_SHARE * edges])
