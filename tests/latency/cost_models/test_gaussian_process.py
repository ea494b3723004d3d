"""The Gaussian process as a cost model: it sees curves, knows where it has not been, and scales."""

from __future__ import annotations

import numpy as np
import pytest

from latency.cost_models import gaussian_process
from latency.cost_models.cost_model import Timings
from latency.cost_models.gaussian_process import GaussianProcess
from latency.cost_models.power_law import PowerLaw
from tests.contracts.cost_model_contract import CostModelContract, blocks, measured, times_s


class TestGaussianProcess(CostModelContract):
    kind = GaussianProcess
    most_error = 0.1


def with_another_algorithm() -> Timings:
    """On this device small images with large kernels take twice as long."""
    slow = [w.attributes["kernel"] == 5 and w.inputs[0][1] == 8 for w in blocks()]
    time_s = times_s(blocks()) * np.where(slow, 2.0, 1.0)
    return Timings(blocks(), time_s, 0.01 * time_s)


def test_it_learns_what_no_power_law_has() -> None:
    table = with_another_algorithm()
    order = np.random.default_rng(0).permutation(len(table))
    known, rest = table[order[:100]], table[order[100:]]
    errors = {
        kind: np.abs(kind().fit(known).estimate(rest.workloads).mean_s / rest.time_s - 1).mean()
        for kind in (GaussianProcess, PowerLaw)
    }
    assert errors[GaussianProcess] < 0.3 * errors[PowerLaw]


def test_rows_that_were_measured_badly_count_less() -> None:
    exact = times_s(blocks())
    wrong = np.arange(len(blocks())) % 2 == 0
    time_s = np.where(wrong, 1.5 * exact, exact)
    deviation = np.where(wrong, 1.0, 0.001) * time_s
    told = GaussianProcess().fit(Timings(blocks(), time_s, deviation)).estimate(blocks())
    untold = GaussianProcess().fit(Timings(blocks(), time_s, np.full(len(exact), np.nan))).estimate(blocks())
    assert np.abs(told.mean_s / exact - 1).mean() < 0.3 * np.abs(untold.mean_s / exact - 1).mean()


def test_more_rows_than_it_takes_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian_process, "_MOST_POINTS", 60)
    monkeypatch.setattr(gaussian_process, "_MOST_LEARNED_FROM", 40)
    table = measured(blocks())
    model = GaussianProcess().fit(table)
    assert len(model.to_json()["state"]["observed"]) == 60
    assert np.abs(model.estimate(blocks()).mean_s / times_s(blocks()) - 1).mean() < 0.1


def test_next_to_a_measured_workload_it_is_surer_than_between() -> None:
    known = with_another_algorithm()[np.arange(0, 190, 3)]
    model = GaussianProcess().fit(known)
    rest = [workload for workload in blocks() if workload not in set(known.workloads)]
    at_known, between = (model.log_times(w).standard_deviation.mean() for w in (known.workloads, rest))
    assert at_known < between
