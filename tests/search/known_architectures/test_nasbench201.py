"""NAS-Bench-201's cells: what is computed as written and after pruning, and which cells are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from search import CELL_OPERATIONS, NasBench201Cells, read_cells

STRAIGHT = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
ASIDE = "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"
"""Its first edge leads nowhere."""
DEAD = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"


def write(file: Path, cells: list[str], **latencies_ms: list[float]) -> Path:
    times = {f"latency_ms/{name}": np.array(values) for name, values in latencies_ms.items()}
    np.savez(file, arch=np.array(cells), **times)
    return file


def test_an_edge_that_leads_nowhere_is_computed_as_written_and_pruned_otherwise() -> None:
    codes = NasBench201Cells.codes(read_cells([ASIDE]).astype(np.int64))
    by_group = {group: codes.values[0, [g == group for g in codes.groups]] for group in set(codes.groups)}
    assert by_group["edge"].sum() == 2
    assert by_group["pruned edge"].sum() == 1
    conv = CELL_OPERATIONS.index("nor_conv_3x3") - 1
    assert (by_group["operation"][conv], by_group["pruned operation"][conv]) == (1, 0)


def test_cells_without_a_path_and_repeated_ones_are_left_out_by_row(tmp_path: Path) -> None:
    file = write(tmp_path / "cells.npz", [STRAIGHT, DEAD, STRAIGHT, ASIDE], phone=[1.0, 0.001, 1.1, 2.0])
    measured = NasBench201Cells.read(file)
    assert measured.row.tolist() == [0, 3]
    assert measured.time_s["phone"].tolist() == [1e-3, 2e-3]
    assert measured.problems == {1: "no path from input to output", 2: "the same architecture as row 0"}


def test_what_is_no_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="A cell is"):
        NasBench201Cells.read(write(tmp_path / "cells.npz", ["|conv~0|"], phone=[1.0]))
    np.savez(tmp_path / "numbers.npz", arch=np.arange(3), **{"latency_ms/phone": np.ones(3)})
    with pytest.raises(WrongUse, match="must be strings"):
        NasBench201Cells.read(tmp_path / "numbers.npz")
