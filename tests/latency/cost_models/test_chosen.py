"""The choice by cross-validation: the better model gets the weight, and what it promises holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from latency.cost_models.chosen import ChosenByCrossValidation, _folds, _mixed_members, _weights
from latency.cost_models.cost_model import Timings
from latency.cost_models.files import load_cost_model, save_cost_model
from latency.cost_models.log_times import LogTimes
from latency.cost_models.registry import known_cost_models
from tests.contracts.cost_model_contract import CostModelContract, blocks, measured, times_s


class TestChosenByCrossValidation(CostModelContract):
    kind = ChosenByCrossValidation
    most_error = 0.1


def said(errors: np.ndarray, deviation: float) -> LogTimes:
    return LogTimes(np.asarray(errors, dtype=np.float64), np.full(len(errors), deviation))


def weights_by_name(model: ChosenByCrossValidation) -> Mapping[str, float]:
    return {member.model.name: member.weight for member in model.members}


def test_few_points_leave_only_the_model_that_needs_fewest() -> None:
    assert weights_by_name(ChosenByCrossValidation().fit(measured(blocks()[:6]))) == {"power-law": 1.0}


def test_weights_add_up_to_one_and_the_heaviest_comes_first() -> None:
    model = ChosenByCrossValidation().fit(measured(blocks()))
    weights = list(weights_by_name(model).values())
    assert sum(weights) == pytest.approx(1.0)
    assert weights == sorted(weights, reverse=True)
    assert min(weights) >= 0.05


def test_the_model_that_errs_least_gets_the_weight() -> None:
    errors = np.random.default_rng(0).standard_normal((2, 100))
    close, far = said(0.01 * errors[0], 0.01), said(0.1 * errors[1], 0.1)
    assert _weights([far, close], np.zeros(100), np.zeros(2)).tolist() == [0.0, 1.0]


def test_a_model_that_knows_where_it_errs_is_better_than_one_that_does_not() -> None:
    wild = np.arange(100) < 10
    errors = np.random.default_rng(0).standard_normal(100) * np.where(wild, 1.0, 0.05)
    aware = LogTimes(errors, np.where(wild, 1.0, 0.05))
    assert _weights([aware, said(errors, float(errors.std()))], np.zeros(100), np.zeros(2))[0] > 0.9


def test_one_row_that_nobody_predicts_does_not_decide() -> None:
    errors = np.random.default_rng(0).standard_normal((2, 100))
    good, bad = 0.02 * errors[0], 0.1 * errors[1]
    good[0], bad[0] = 3.0, 2.0
    assert _weights([said(good, 0.02), said(bad, 0.1)], np.zeros(100), np.zeros(2))[0] > 0.9


def test_belief_decides_where_rows_are_few_and_not_where_they_are_many() -> None:
    believed, better = np.full(500, 0.12), np.full(500, 0.1)
    for rows, favoured in ((6, True), (500, False)):
        given = [said(believed[:rows], 0.1), said(better[:rows], 0.1)]
        assert (_weights(given, np.zeros(rows), np.array([5.0, 0.0]))[0] > 0.5) == favoured


def test_where_no_straight_line_fits_the_process_is_chosen() -> None:
    bent = np.array([3.0 if w.attributes["kernel"] == 5 and w.inputs[0][1] == 8 else 1.0 for w in blocks()])
    time_s = times_s(blocks()) * bent
    model = ChosenByCrossValidation().fit(Timings(blocks(), time_s, 0.01 * time_s))
    assert weights_by_name(model)["gaussian-process"] > 0.8


def test_models_for_many_rows_are_not_tried_on_few() -> None:
    slow = {kind.name for kind in known_cost_models().values() if kind.considered_from > len(blocks())}
    assert slow
    assert not slow & weights_by_name(ChosenByCrossValidation().fit(measured(blocks()))).keys()


def test_rows_of_one_workload_are_in_one_fold() -> None:
    table = measured([*blocks()[:20], *blocks()[:20]])
    folds = _folds(table)
    assert (folds[:20] == folds[20:]).all()
    assert sorted(set(folds.tolist())) == [0, 1, 2, 3, 4]


def test_the_members_are_saved_with_it(tmp_path: Path) -> None:
    model = ChosenByCrossValidation().fit(measured(blocks()))
    save_cost_model(model, tmp_path / "model.json")
    again = load_cost_model(tmp_path / "model.json")
    assert isinstance(again, ChosenByCrossValidation)
    assert weights_by_name(again) == weights_by_name(model)


def test_while_rows_are_few_deviations_hold_how_far_models_of_parts_of_them_are_apart() -> None:
    known, others = measured(blocks()[:20]), blocks()[20:]
    model = ChosenByCrossValidation().fit(known)
    assert len(model._parts) == 5
    apart = np.std([_mixed_members(part, others).mean for part in model._parts], axis=0)
    assert (model.log_times(others).standard_deviation >= apart).all()
    assert ChosenByCrossValidation().fit(measured(blocks()))._parts == ()
