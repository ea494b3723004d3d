"""NAS-Bench-201: cells of six edges, one of five operations each (Dong and Yang, NAS-Bench-201, ICLR 2020)."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np

from devices import WrongUse
from latency import ArchitectureCodes, candidate_counts, one_hot
from search.known_architectures.measured import Integers, MeasuredArchitectures, latencies_s, read_arrays
from search.spaces.nasbench201_cells import CELL_OPERATIONS, is_live, reaches_output, read_cells

_PREFIX = "latency_ms/"
_COMPUTED = len(CELL_OPERATIONS) - 1
"""Operations that are computed: all but the first, ``none``."""


@final
class NasBench201Cells:
    """Cells as one operation for each of six edges, in the order of ``CELL_EDGES``."""

    @staticmethod
    def codes(cells: Integers) -> ArchitectureCodes:
        """What is computed on each edge and how often each operation is, as written and after pruning.

        PyTorch computes every edge that is written; TensorFlow Lite drops what the output does not depend on. A model
        finds out which of the two a device does.

        Args:
            cells: indices into ``CELL_OPERATIONS``, shape (n, 6).
        """
        written = cells - 1  # `none` is no operation, which is written -1 here.
        pruned = np.where(reaches_output(cells), written, -1)
        return ArchitectureCodes.of(
            {"edge": one_hot(written, _COMPUTED), "pruned edge": one_hot(pruned, _COMPUTED)},
            {
                "operation": candidate_counts(written, _COMPUTED),
                "pruned operation": candidate_counts(pruned, _COMPUTED),
            },
        )

    @staticmethod
    def read(file: Path) -> MeasuredArchitectures:
        """An npz file with ``arch`` (rows,), strings of cells, and ``latency_ms/DEVICE`` (rows,).

        Cells without a path from input to output are left out: they compute a constant, which some runtimes fold to
        nothing and others work for.

        Raises:
            WrongUse: it cannot be read, has not these arrays, or a string is no cell.
        """
        arrays = read_arrays(file, ("arch",), _PREFIX)
        if arrays["arch"].ndim != 1 or arrays["arch"].dtype.kind != "U":
            raise WrongUse(f"arch of {file} must be strings of shape (rows,); got {arrays['arch'].dtype}.")
        cells = read_cells(arrays["arch"].tolist()).astype(np.int64)
        dead = np.flatnonzero(~is_live(cells).any(axis=1)).tolist()
        problems = dict.fromkeys(dead, "no path from input to output")
        time_s = latencies_s(arrays, _PREFIX, len(cells))
        return MeasuredArchitectures.checked(NasBench201Cells.codes(cells), time_s, cells, problems)
