"""Scalars for TensorBoard, read back by TensorBoard's own reader."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from devices import NotAvailable, WrongUse
from search import Objective, Trial
from search.scalars import ScalarLog

TRIALS = [
    Trial((0, 0), 3e6, feasible=True, score=0.25),
    Trial((1, 1), 9e6, feasible=False),
    Trial((0, 1), 2e6, feasible=True, score=0.5),
]


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the package tensorboard is not installed"
    )
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(event.step, round(event.value, 6)) for event in events.Scalars(tag)] for tag in tags}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_trial_is_a_step_and_a_search_that_goes_on_draws_nothing_twice(
    costing: Callable[..., Objective], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    objective = costing(np.ones((2, 2)))
    with ScalarLog(tmp_path, objective) as tell:
        tell([])
        tell(TRIALS[:1])
        tell(TRIALS[:2])
    with ScalarLog(tmp_path, objective) as tell:
        tell(TRIALS[:2])
        tell(TRIALS)
        tell(TRIALS)
    scalars = read(tmp_path)
    assert scalars["search/best_score"] == [(1, 0.25), (2, 0.25), (3, 0.5)]
    assert scalars["search/best_macs"] == [(1, 3e6), (2, 3e6), (3, 2e6)]
    assert scalars["search/feasible_share"] == [(1, 1.0), (2, 0.5), (3, pytest.approx(2 / 3, abs=1e-6))]


def test_a_folder_that_cannot_be_is_refused(costing: Callable[..., Objective], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUse, match="another folder for --tensorboard"):
        ScalarLog(tmp_path / "file", costing(np.ones((2, 2))))


def test_without_tensorboard_the_way_to_get_it_is_said(
    costing: Callable[..., Objective], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(NotAvailable, match=r"pip install 'paceline\[tensorboard\]'"):
        ScalarLog(tmp_path / "runs", costing(np.ones((2, 2))))
    assert not (tmp_path / "runs").exists()
