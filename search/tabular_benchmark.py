"""Tabular benchmarks: every network of a space with the accuracy it was trained to and what it costs on devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse, unknown_name
from search.known_architectures.accel_nasbench import COLUMNS, EXCITATIONS, EXPANSIONS, KERNELS, LAYERS
from search.known_architectures.measured import read_arrays
from search.listed import ListedCost, ListedNetworks
from search.objective import Objective
from search.spaces import open_space
from search.spaces.nasbench201_cells import read_cells

Array: TypeAlias = npt.NDArray[np.float64]
Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

_SIZES = {"cifar10": ((32, 32), 10), "cifar100": ((32, 32), 100), "imagenet16": ((16, 16), 120)}
"""Input and classes of NAS-Bench-201's data sets."""

_IMAGENET = ((224, 224), 1000)


@final
@dataclass(frozen=True, eq=False)
class TabularBenchmark:
    """What a file of a tabular benchmark holds.

    Attributes:
        file: where it was read from.
        networks: every network of the space, or those that were evaluated.
        scores: accuracies in percent, larger is better, each of shape (networks,), by name.
        latency_s: latency in seconds by device, NaN where one was not run.
        counts: other costs (``macs``, ``parameters``), each of shape (networks,), by name.
    """

    file: Path
    networks: ListedNetworks
    scores: Mapping[str, Array]
    latency_s: Mapping[str, Array]
    counts: Mapping[str, Array]

    @staticmethod
    def read(file: Path) -> TabularBenchmark:
        """An npz file of NAS-Bench-201 or of Accel-NASBench.

        The first has ``arch`` (strings of cells), ``accuracy_*`` in percent and ``latency_ms/DEVICE``; the second
        ``arch`` (values of ``columns``), ``val_top1``, ``macs_m``, ``params_m`` and ``perf/latency_DEVICE`` in ms.

        Raises:
            WrongUse: it cannot be read, or is neither.
        """
        arrays = read_arrays(file, ("arch",), "")
        for name, (needed, read) in _FORMATS.items():
            if all(any(array.startswith(prefix) for array in arrays) for prefix in needed):
                return read(file, name, arrays)
        raise WrongUse(
            f"{file} must hold accuracies beside architectures, as NAS-Bench-201 (accuracy_*) and Accel-NASBench "
            f"(columns, val_top1) do; got {', '.join(list(arrays)[:6])}. Searches on it need another --evaluator."
        )

    def cost(self, name: str, device: str | None = None, on: str = "") -> ListedCost:
        """One cost of all networks.

        Args:
            name: ``latency``, ``macs`` or ``parameters``.
            device: whose latency.
            on: what the device is called, where several are searched for at once.

        Raises:
            WrongUse: the file does not hold it.
        """
        known = self.latency_s if name == "latency" else self.counts
        column = (device or "") if name == "latency" else name
        if column not in known:
            raise unknown_name(f"device in {self.file}" if name == "latency" else f"cost in {self.file}", column, known)
        return ListedCost(name, self.networks, known[column], on)

    def meaning(self, column: str) -> str:
        """What a score is, in words, without its unit."""
        kind, _, images = column.partition("/")
        return _MEANINGS.get(kind, kind) + (f" on {images}" if images else "")

    def data(self, column: str) -> tuple[tuple[int, int], int]:
        """Height and width of the images that a score is about, and the number of classes."""
        return _SIZES.get(column.partition("/")[2], _IMAGENET)


_MEANINGS = {
    "accuracy_12ep_val": "validation accuracy after 12 epochs",
    "accuracy_12ep_test": "test accuracy after 12 epochs",
    "accuracy_200ep_test": "test accuracy after 200 epochs",
    "val_top1": "validation accuracy on ImageNet",
}


def _cells(file: Path, name: str, arrays: Arrays) -> TabularBenchmark:
    space = open_space(name)
    cells = read_cells(arrays["arch"].tolist())
    networks = ListedNetworks.of_units(name, space.units, cells, space.reference)
    costs = (Objective.macs(space), Objective.parameters(space))
    return TabularBenchmark(
        file,
        networks,
        {column: _numbers(file, arrays, column, len(cells)) for column in arrays if column.startswith("accuracy_")},
        _latencies(file, arrays, "latency_ms/", len(cells)),
        {cost.name: cost.cost(cells) for cost in costs},
    )


def _accel(file: Path, name: str, arrays: Arrays) -> TabularBenchmark:
    if tuple(arrays["columns"].tolist()) != COLUMNS:
        raise WrongUse(f"{file} must have the columns {', '.join(COLUMNS[:4])} to block6_se, in this order.")
    choices = dict(zip(COLUMNS, (EXPANSIONS, KERNELS, LAYERS, EXCITATIONS) * (len(COLUMNS) // 4), strict=True))
    values = np.asarray(arrays["arch"], dtype=np.int64)
    columns = [*zip(choices.values(), values.T, strict=True)]
    if not all(np.isin(column, known).all() for known, column in columns):
        raise WrongUse(f"{file} must have values of the space alone, such as expansions {EXPANSIONS}; some are others.")
    picks = np.column_stack([np.searchsorted(known, column) for known, column in columns])
    # The same network twice: the first is kept, so that one network has one accuracy.
    kept = np.sort(np.unique(picks, axis=0, return_index=True)[1])
    candidates = {column: tuple(map(str, known)) for column, known in choices.items()}
    macs = _numbers(file, arrays, "macs_m", len(values)) * 1e6
    networks = ListedNetworks(name, candidates, picks[kept], tuple(picks[kept][_middle(macs[kept])].tolist()))
    latency_s = _latencies(file, arrays, "perf/latency_", len(values))
    return TabularBenchmark(
        file,
        networks,
        {"val_top1": _numbers(file, arrays, "val_top1", len(values))[kept]},
        {device: times[kept] for device, times in latency_s.items()},
        {"macs": macs[kept], "parameters": _numbers(file, arrays, "params_m", len(values))[kept] * 1e6},
    )


def _middle(amounts: Array) -> int:
    """The row of the median: a benchmark without a hand-made network has limits in percent of its usual one."""
    return int(np.argsort(amounts, kind="stable")[len(amounts) // 2])


def _latencies(file: Path, arrays: Arrays, prefix: str, rows: int) -> dict[str, Array]:
    """Seconds by device, from milliseconds; what is not above 0 is a failure that was written as a number."""
    found = {
        name.removeprefix(prefix): _numbers(file, arrays, name, rows) for name in arrays if name.startswith(prefix)
    }
    return {device: np.where(times > 0, times / 1e3, np.nan) for device, times in found.items()}


def _numbers(file: Path, arrays: Arrays, name: str, rows: int) -> Array:
    if name not in arrays or arrays[name].shape != (rows,):
        raise WrongUse(f"{file} must have one {name} for each of its {rows} networks.")
    return np.asarray(arrays[name], dtype=np.float64)


_FORMATS: Mapping[str, tuple[tuple[str, ...], Callable[[Path, str, Arrays], TabularBenchmark]]] = {
    "nasbench201": (("accuracy_",), _cells),
    "accel_nasbench": (("columns", "val_top1", "macs_m", "params_m"), _accel),
}
"""What tells a format from others: beginnings of names of arrays; and how it is read. The name is the space's."""
