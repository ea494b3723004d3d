"""What all cost models share: timings that are checked, and a base that turns logarithms into estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import pytest

from devices import WrongUse
from latency import Workload
from latency.cost_models.cost_model import CostModel, Timings, unknown_deviations_filled
from latency.cost_models.log_times import LogTimes
from tests.contracts.cost_model_contract import blocks, measured
from tests.contracts.examples import block, measurement, skip


@final
class Mean(CostModel):
    """Says the same of every workload."""

    name = "mean"
    least_points = 2

    seen: tuple[Workload, ...] = ()
    mean: float = 0.0

    def _fit(self, timings: Timings) -> None:
        self.seen, self.mean = timings.workloads, float(np.log(timings.time_s).mean())

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        return LogTimes(np.full(len(workloads), self.mean), np.full(len(workloads), 0.1))

    def _state(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.mean = float(state["mean"])


def timings(*time_s: float, deviation_s: float = 0.0) -> Timings:
    return Timings(blocks()[: len(time_s)], np.array(time_s), np.full(len(time_s), deviation_s))


def test_timings_of_measurements_have_their_times_and_deviations() -> None:
    found = measurement(block(), times=[1.0e-3, 1.1e-3, 1.2e-3, 1.3e-3])
    table = Timings.of([found, measurement(skip()), measurement(block(12), 2e-3)])
    assert table.workloads == (block(), block(12))
    assert table.time_s.tolist() == [found.time_s, measurement(block(12), 2e-3).time_s]
    assert table.standard_deviation_s[0] == found.estimate().standard_deviation_s
    assert table.relative_deviation[0] == found.estimate().standard_deviation_s / found.time_s


@pytest.mark.parametrize("wrong", [0.0, -1e-3, np.nan, np.inf])
def test_a_time_that_is_none_is_refused_with_its_workload(wrong: float) -> None:
    with pytest.raises(WrongUse, match=r"above 0 s and finite; 1 of 3 have not, the first is inverted_residual"):
        timings(1e-3, wrong, 1e-3)


@pytest.mark.parametrize("wrong", [-1e-3, np.inf])
def test_a_deviation_that_is_none_is_refused_and_an_unknown_one_is_not(wrong: float) -> None:
    with pytest.raises(WrongUse, match="a finite deviation of at least 0 s, or NaN"):
        timings(1e-3, deviation_s=wrong)
    assert np.isnan(timings(1e-3, deviation_s=np.nan).relative_deviation).all()


def test_free_workloads_unknown_operators_and_lengths_that_differ_are_refused() -> None:
    one = np.full(1, 1e-3)
    with pytest.raises(WrongUse, match="leaves a trace"):
        Timings((skip(),), one, one)
    with pytest.raises(WrongUse, match="no operator 'nothing'"):
        Timings((Workload("nothing", ((1, 1, 1),)),), one, one)
    for time_s, deviation_s in ((np.ones(2), one), (one, np.ones(2)), (one[None], one)):
        with pytest.raises(WrongUse, match="one time and one deviation for each workload"):
            Timings((block(),), time_s, deviation_s)


def test_rows_arrive_sorted_whatever_their_order() -> None:
    table = measured(blocks())
    first = Mean().fit(table).seen
    again = Mean().fit(table[np.random.default_rng(0).permutation(len(table))]).seen
    assert first == again


def test_estimates_are_in_the_order_of_the_question_with_free_ones_in_between() -> None:
    found = Mean().fit(timings(1e-3, 1e-3)).estimate([block(), skip(), block()])
    assert found.mean_s == pytest.approx([1e-3, 0, 1e-3])
    assert found.standard_deviation_s == pytest.approx([1e-4, 0, 1e-4], rel=0.02)
    assert found.is_inside[1]


def test_logarithms_of_free_workloads_are_refused_and_of_none_are_empty() -> None:
    model = Mean().fit(timings(1e-3, 1e-3))
    with pytest.raises(WrongUse, match=r"identity .*takes none"):
        model.log_times([skip()])
    assert len(model.log_times([])) == 0


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_model_that_says_something_that_is_no_number_is_found_out(number: float) -> None:
    model = Mean().fit(timings(1e-3, 1e-3))
    model.mean = number
    with pytest.raises(ArithmeticError, match="'mean' must give a finite number"):
        model.estimate([block()])


@pytest.mark.parametrize("damaged", [{}, {"state": {"mean": "x"}}, {"state": {"mean": 1.0}, "domain": {}}])
def test_what_is_no_saved_model_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match=r"saved of a cost model 'mean'.*Fit it again"):
        Mean.from_json(damaged)


def test_unknown_deviations_are_taken_to_be_the_usual_one() -> None:
    assert unknown_deviations_filled(np.array([0.1, np.nan, 0.3])).tolist() == [0.1, 0.2, 0.3]
    assert unknown_deviations_filled(np.array([np.nan])).tolist() == [0.0]
