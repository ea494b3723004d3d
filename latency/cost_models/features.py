"""Workloads as rows of physical numbers, for models that have many rows to learn from.

All columns follow from the workload alone, and there are the same ones for every operator. An operator of several
layers is described by sums over its layers (work, bytes, tiles) and by means weighted with multiply-accumulates (sizes
of the matrices, kernel, stride). Nothing is known of the device: how many tiles run at a time, or which algorithm is
chosen where, is for the model to learn.

A convolution is a matrix product of M = batch x output pixels rows, N = output channels / groups columns and a sum over
K = input channels / groups x kernel^2 terms, once for each group (im2col; Chellapilla, Puri, Simard 2006). Libraries
compute it in tiles, and pay for the whole tile at the edges (NVIDIA, Matrix Multiplication Background User's Guide,
"Tile Quantization"); or, for small kernels at stride 1, by Winograd's algorithm in patches of m x m output pixels
(Lavin and Gray 2016, arXiv 1509.09308).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.operators import operator_of
from latency.operators.layer import Window
from latency.workload import PRECISION_BYTES, Workload

Array: TypeAlias = npt.NDArray[np.float64]

_TILES = ((32, 32), (64, 64), (128, 64), (128, 128), (256, 128))
"""Rows and columns of the tiles that matrix products are commonly computed in."""

_WINOGRAD_PATCHES = (2, 4)
"""Output pixels along each axis of one patch: F(2x2, 3x3) and F(4x4, 3x3) are what libraries ship."""

_ALIGNMENTS = (8, 32)
"""Channels that vector and tensor instructions take at a time, for 16-bit and 8-bit numbers."""


@final
@dataclass(frozen=True, eq=False)
class Features:
    """Workloads as numbers.

    Attributes:
        names: what each column is.
        values: shape (n, columns); logarithms to base e but for ``inputs``, a count, and the ``filling``
            columns, shares from 0 to 1.
    """

    names: tuple[str, ...]
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> Array:
        """The column of that name, shape (n,)."""
        return self.values[:, self.names.index(name)]


def features(workloads: Sequence[Workload]) -> Features:
    """The features of each workload. The columns are the same for all workloads.

    Raises:
        WrongUse: a workload is of an unknown operator, or does not fit it.
    """
    layers = _Layers.of(workloads)
    found = {**_sizes(layers), **_work(layers), **_tiles(layers), **_patches(layers), **_alignment(layers)}
    return Features(tuple(found), np.column_stack(list(found.values())))


@final
@dataclass(frozen=True, eq=False)
class _Layers:
    """The layers of all workloads, one after the other, and what belongs to a workload as a whole.

    Attributes:
        of_workload: index of the workload that each layer belongs to, shape (layers,).
        table: numbers of each layer by their names, each of shape (layers,), for the whole batch.
        batch: images of each workload, shape (n,).
        element_bytes: bytes of one number, shape (n,).
        inputs: tensors that each reads, shape (n,).
        input_elements: numbers in all of them, shape (n,).
    """

    of_workload: npt.NDArray[np.intp]
    table: Mapping[str, Array]
    batch: Array
    element_bytes: Array
    inputs: Array
    input_elements: Array

    @staticmethod
    def of(workloads: Sequence[Workload]) -> _Layers:
        rows = [(place, *row) for place, workload in enumerate(workloads) for row in _rows(workload)]
        numbers = np.array(rows, dtype=np.float64).reshape(-1, 1 + len(_COLUMNS))
        elements = [workload.batch * sum(c * h * w for c, h, w in workload.inputs) for workload in workloads]
        return _Layers(
            of_workload=numbers[:, 0].astype(np.intp),
            table=dict(zip(_COLUMNS, numbers[:, 1:].T, strict=True)),
            batch=np.array([workload.batch for workload in workloads], dtype=np.float64),
            element_bytes=np.array([PRECISION_BYTES[workload.precision] for workload in workloads], dtype=np.float64),
            inputs=np.array([len(workload.inputs) for workload in workloads], dtype=np.float64),
            input_elements=np.array(elements, dtype=np.float64),
        )

    def __getitem__(self, name: str) -> Array:
        return self.table[name]

    def summed(self, values: Array) -> Array:
        """Sums over the layers of each workload, shape (n,)."""
        return np.asarray(np.bincount(self.of_workload, values, len(self.batch)), dtype=np.float64)

    def mean(self, values: Array) -> Array:
        """Means over the layers of each workload, weighted with multiply-accumulates, shape (n,)."""
        weights = self["macs"] + 1e-9  # So that layers without any still have a mean.
        # Shares come first: that of an only layer is exactly 1, and workloads of one size get exactly one value.
        return self.summed(weights / self.summed(weights)[self.of_workload] * values)


_COLUMNS = (
    *("is_convolution", "batch", "source", "source_pixels", "channels", "height", "width"),
    *("kernel", "stride", "groups", "macs", "parameters"),
)


def _rows(workload: Workload) -> Iterator[tuple[float, ...]]:
    """Numbers of each layer, in the order of ``_COLUMNS``; what is no convolution reads as much as it writes."""
    for layer in operator_of(workload).layers(workload):
        reads = layer.window or Window(layer.output, kernel=1, stride=1, groups=layer.output[0])
        channels, height, width = reads.source
        size = (channels, height * width, *layer.output, reads.kernel, reads.stride, reads.groups)
        yield (layer.window is not None, workload.batch, *size, layer.macs * workload.batch, layer.parameters)


def _log(values: Array) -> Array:
    """Logarithms of amounts; none at all counts as one."""
    return np.log(np.maximum(values, 1.0))


def _matrix(layers: _Layers) -> tuple[Array, Array, Array]:
    """M, N and K of each layer."""
    rows = layers["batch"] * layers["height"] * layers["width"]
    terms = layers["source"] / layers["groups"] * layers["kernel"] ** 2
    return rows, layers["channels"] / layers["groups"], terms


def _sizes(layers: _Layers) -> dict[str, Array]:
    matrix = dict(zip(("rows", "columns", "terms"), _matrix(layers), strict=True))
    names = ("source", "channels", "source_pixels", "height", "width", "kernel", "stride", "groups")
    means = {f"mean_{name}": layers.mean(np.log(layers[name])) for name in names}
    return {
        "batch": np.log(layers.batch),
        "element_bytes": np.log(layers.element_bytes),
        "inputs": layers.inputs,
        "layers": _log(layers.summed(np.ones(len(layers.of_workload)))),
        "convolutions": _log(layers.summed(layers["is_convolution"])),
        **means,
        "mean_ratio_of_channels": means["mean_source"] - means["mean_channels"],
        **{f"mean_{name}": layers.mean(np.log(values)) for name, values in matrix.items()},
    }


def _work(layers: _Layers) -> dict[str, Array]:
    """Multiply-accumulates, bytes that must be moved, and the former for each of the latter."""
    rows, columns, terms = _matrix(layers)
    macs, is_dense = layers["macs"], layers["groups"] == 1
    read = layers.summed(layers["batch"] * layers["source"] * layers["source_pixels"])
    read = np.maximum(read, layers.input_elements) * layers.element_bytes
    written = layers.summed(layers["batch"] * layers["channels"] * layers["height"] * layers["width"])
    written = written * layers.element_bytes
    weights = layers.summed(layers["parameters"]) * layers.element_bytes
    moved = read + written + weights
    return {
        "macs": _log(layers.summed(macs)),
        "dense_macs": _log(layers.summed(macs * is_dense)),
        "grouped_macs": _log(layers.summed(macs * ~is_dense)),
        "read_bytes": _log(read),
        "written_bytes": _log(written),
        "weight_bytes": _log(weights),
        "moved_bytes": _log(moved),
        "macs_per_byte": _log(layers.summed(macs)) - _log(moved),
        "gathered_elements": _log(layers.summed(rows * terms * layers["groups"])),
        "weight_elements": _log(layers.summed(columns * terms * layers["groups"])),
    }


def _tiles(layers: _Layers) -> dict[str, Array]:
    """Tiles of each size, and by how much they are more work than what is in them."""
    rows, columns, terms = _matrix(layers)
    found = {}
    for height, width in _TILES:
        tiles = np.ceil(rows / height) * np.ceil(columns / width) * layers["groups"] * layers["is_convolution"]
        padded = layers.summed(tiles * height * width * terms)
        found[f"tiles_{height}x{width}"] = _log(layers.summed(tiles))
        found[f"padding_{height}x{width}"] = _log(padded) - _log(layers.summed(layers["macs"]))
    return found


def _patches(layers: _Layers) -> dict[str, Array]:
    """Multiplications of Winograd's algorithm, and by how much its patches are larger than the image."""
    found = {}
    for size in _WINOGRAD_PATCHES:
        patches = np.ceil(layers["height"] / size) * np.ceil(layers["width"] / size)
        per_patch = layers["source"] / layers["groups"] * layers["channels"] * (size + layers["kernel"] - 1) ** 2
        work = layers["batch"] * patches * per_patch * layers["is_convolution"]
        found[f"winograd_{size}x{size}"] = _log(layers.summed(work))
        overhang = np.log(patches * size**2 / (layers["height"] * layers["width"]))
        found[f"overhang_{size}x{size}"] = layers.mean(overhang)
    return found


def _alignment(layers: _Layers) -> dict[str, Array]:
    """Shares of channels that are not padding, where they are padded to a multiple."""
    found = {}
    for name in ("source", "channels"):
        for multiple in _ALIGNMENTS:
            share = layers[name] / (np.ceil(layers[name] / multiple) * multiple)
            found[f"{name}_filling_{multiple}"] = layers.mean(share)
    return found
