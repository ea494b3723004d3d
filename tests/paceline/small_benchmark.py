"""A tabular benchmark in NAS-Bench-201's layout: few cells, made-up accuracies and times."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from search import CELL_EDGES, CELL_OPERATIONS
from search.spaces.nasbench201_cells import write_cells

SCORE = "accuracy_12ep_val/cifar10"

_REFERENCE = (3, 0, 3, 1, 0, 1)
"""The cell that limits in percent refer to: it has two of the convolutions that are counted as large below."""


def small_benchmark(path: Path, cells: int = 300) -> Path:
    """Accuracy grows with the number of convolutions; they cost time on the board and save some on the phone."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(CELL_OPERATIONS), size=(cells, len(CELL_EDGES)))
    picks = np.unique([(3,) * len(CELL_EDGES), _REFERENCE, *drawn], axis=0)
    large, small = (picks == 3).sum(axis=1), (picks == 2).sum(axis=1)
    np.savez(
        path,
        arch=np.array(write_cells(picks)),
        **{
            SCORE: 50 + 5.0 * large + 3.0 * small + rng.random(len(picks)),
            "latency_ms/board": 1.0 + 3.0 * large + 0.5 * small,
            "latency_ms/phone": 8.0 - large + 0.25 * small,
        },
    )
    return path
