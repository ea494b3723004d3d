"""A file in the layout of nasbench201.npz: 96 cells, accuracies that follow their MACs, three invented devices."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from search.spaces.nasbench201_cells import write_cells

CELLS = np.array(list(itertools.product((1, 3), (0, 1), (1, 2, 3), (1, 3), (0, 3), (1, 3))))
"""Shape (96, 6); the space's reference is one of them."""

WORK = np.array([0, 0, 1, 9, 0])[CELLS].sum(axis=1)
"""Of each cell: a 1x1 convolution is 1, a 3x3 convolution 9; MACs are in this order."""

ACCURACY = 40 + WORK / 2 + np.random.default_rng(0).permutation(len(CELLS)) / 1000
"""That searches see, in percent, without any two that are the same."""


def tiny_cells(path: Path, images: str = "cifar100") -> Path:
    """Write the file.

    On ``sum`` time is MACs, on ``flat`` nearly all cells are as fast, and ``dear`` takes longer for fewer MACs. Test
    accuracy after 200 epochs is 5 above validation accuracy after 12.
    """
    np.savez(
        path,
        arch=np.array(write_cells(CELLS)),
        **{
            f"accuracy_12ep_val/{images}": ACCURACY,
            f"accuracy_200ep_test/{images}": ACCURACY + 5,
            "latency_ms/sum": 1.0 + WORK,
            "latency_ms/flat": 8.0 + WORK / 1000,
            "latency_ms/dear": 60.0 - WORK,
        },
    )
    return path
