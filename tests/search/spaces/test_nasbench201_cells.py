from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from search.spaces.nasbench201_cells import CELL_OPERATIONS, cell_features, is_live, reaches_output, read_cells

CHAIN = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
DEAD_END = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|"
FED_BY_ZEROS = "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
NOTHING = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|"


def test_operations_are_read_in_the_order_of_the_string() -> None:
    names = [CELL_OPERATIONS[k] for k in read_cells([CHAIN])[0]]
    assert names == ["nor_conv_3x3", "none", "skip_connect", "none", "none", "avg_pool_3x3"]


@pytest.mark.parametrize("text", ["", CHAIN.replace("avg_pool", "max_pool"), CHAIN.replace("~2", "~1"), CHAIN + "|"])
def test_a_string_that_is_no_cell_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(WrongUse, match=r"nor_conv_1x1.*; got"):
        read_cells([CHAIN, text])


def test_no_cells_are_no_rows() -> None:
    assert read_cells([]).shape == (0, 6)
    assert [view.shape for view in cell_features(read_cells([]))] == [(0, 28), (0, 28)]


def test_what_leads_nowhere_does_not_reach_the_output() -> None:
    cells = read_cells([CHAIN, DEAD_END, FED_BY_ZEROS, NOTHING])
    assert reaches_output(cells).tolist() == [
        [True, False, True, False, False, True],
        [False, False, False, True, False, False],
        [False, False, True, True, False, True],
        [False] * 6,
    ]


def test_a_live_edge_also_comes_from_the_input() -> None:
    cells = read_cells([CHAIN, FED_BY_ZEROS])
    assert is_live(cells).tolist() == [
        [True, False, True, False, False, True],
        [False, False, False, True, False, False],
    ]


def test_of_all_cells_341_have_no_path_from_input_to_output() -> None:
    every = np.stack(np.meshgrid(*[np.arange(5)] * 6), axis=-1).reshape(-1, 6)
    assert len(every) == 15625
    assert int((~is_live(every).any(axis=1)).sum()) == 341


def test_features_count_what_is_computed_as_written_and_pruned() -> None:
    written, pruned = cell_features(read_cells([DEAD_END]))
    skip, conv1, conv3, pool = range(4)
    assert written[0, [skip, conv1, conv3, pool]].tolist() == [1, 1, 2, 0]
    assert pruned[0, [skip, conv1, conv3, pool]].tolist() == [1, 0, 0, 0]
    # Beside the counts, each edge a little: as many as are computed.
    assert written[0, 4:].sum() == pytest.approx(0.1 * 4)
    assert pruned[0, 4:].sum() == pytest.approx(0.1 * 1)
