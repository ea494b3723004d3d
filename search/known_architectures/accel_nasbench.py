"""Accel-NASBench: seven blocks of MobileNet layers (Ahmad et al., Accel-NASBench, DAC 2024, section III)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency import ArchitectureCodes, one_hot
from search.known_architectures.measured import Integers, MeasuredArchitectures, matrix, outside, read_arrays

Array: TypeAlias = npt.NDArray[np.float64]

BLOCKS = 7
EXPANSIONS, KERNELS, LAYERS, EXCITATIONS = (1, 4, 6), (3, 5), (1, 2, 3, 4), (0, 1)
COLUMNS = tuple(f"block{block}_{name}" for block in range(BLOCKS) for name in ("e", "k", "l", "se"))

_CHOICES = (EXPANSIONS, KERNELS, LAYERS, EXCITATIONS)
_LATENCY, _THROUGHPUT = "perf/latency_", "perf/throughput_"


@final
class AccelNasBench:
    """Architectures as expansion, kernel, number of layers and squeeze-and-excitation of each block."""

    @staticmethod
    def codes(values: Integers) -> ArchitectureCodes:
        """Each choice by itself, and each block as a whole.

        Args:
            values: shape (n, 28), in the order of ``COLUMNS``.

        Raises:
            WrongUse: the shape is another one, or a row has a value that there is not.
        """
        wrong = _wrong(matrix(values, "Accel-NASBench architectures", len(COLUMNS)))
        if wrong:
            raise WrongUse(f"Every value must be one of the space's; {len(wrong)} rows have others: {wrong}.")
        return _codes(values)

    @staticmethod
    def read(file: Path) -> MeasuredArchitectures:
        """An npz file with ``arch`` (rows, 28), ``columns``, ``perf/latency_*`` (ms), ``perf/throughput_*`` (images/s).

        A throughput is of batches of a size that the file does not say, so it is no latency. What is learned is the
        time per image, 1 / throughput, and the device is called ``throughput_*`` so that nobody takes it for one.

        Raises:
            WrongUse: it cannot be read or has not these arrays.
        """
        arrays = read_arrays(file, ("arch", "columns"), "perf/")
        if tuple(arrays["columns"].tolist()) != COLUMNS:
            raise WrongUse(f"{file} must have the columns {', '.join(COLUMNS[:4])} to block6_se, in this order.")
        values = matrix(arrays["arch"], f"arch of {file}", len(COLUMNS))
        return MeasuredArchitectures.checked(_codes(values), _times_s(arrays, len(values)), values, _wrong(values))


def _times_s(arrays: Mapping[str, npt.NDArray[Any]], rows: int) -> dict[str, Array]:
    """By device: latencies, and times per image where the file has a throughput."""
    wrong = {name: a.shape for name, a in arrays.items() if name.startswith("perf/") and a.shape != (rows,)}
    if wrong:
        raise WrongUse(f"Each device must have one number for each of the {rows} rows; got {wrong}.")
    times_s = {}
    for name, values in arrays.items():
        if name.startswith(_LATENCY):
            times_s[name.removeprefix("perf/")] = values.astype(np.float64) / 1e3
        if name.startswith(_THROUGHPUT):
            positive = np.where(values > 0, values, np.nan)
            times_s[name.removeprefix("perf/")] = 1 / positive.astype(np.float64)
    return times_s


def _wrong(values: Integers) -> dict[int, str]:
    names = ("expansion", "kernel", "number of layers", "squeeze-and-excitation")
    found: dict[int, str] = {}
    for place, (name, choices) in enumerate(zip(names, _CHOICES, strict=True)):
        found.update(outside(values[:, place::4], choices, name))
    return found


def _codes(values: Integers) -> ArchitectureCodes:
    """One-hot choices, and one-hot combinations of the four choices of each block."""
    choices = [np.searchsorted(_CHOICES[place % 4], values[:, place]) for place in range(len(COLUMNS))]
    single = [one_hot(c[:, None], len(_CHOICES[place % 4])) for place, c in enumerate(choices)]
    combined = np.zeros((len(values), BLOCKS), dtype=np.int64)
    for place, chosen in enumerate(choices):
        combined[:, place // 4] = combined[:, place // 4] * len(_CHOICES[place % 4]) + chosen
    kinds = int(np.prod([len(options) for options in _CHOICES]))
    return ArchitectureCodes.of({"choice": np.concatenate(single, axis=1)}, {"block": one_hot(combined, kinds)})
