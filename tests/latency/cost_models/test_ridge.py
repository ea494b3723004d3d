"""Ridge regression: its contract, and that the penalty follows the noise."""

from __future__ import annotations

import numpy as np

from latency import Workload
from latency.cost_models.cost_model import Timings
from latency.cost_models.ridge import Ridge
from tests.contracts.cost_model_contract import CostModelContract, blocks, measured, times_s


class TestRidge(CostModelContract):
    kind = Ridge


def convolutions() -> list[Workload]:
    shapes = [(channels, size) for channels in (8, 16, 32) for size in (8, 16, 32)]
    return [Workload("convolution", ((c, n, n),), {"channels": c, "kernel": 3, "stride": 1}) for c, n in shapes]


def test_each_kind_has_a_level_of_its_own() -> None:
    slow = convolutions()
    workloads = [*blocks(), *slow[::2]]
    time_s = times_s(workloads) * np.where([w.operator == "convolution" for w in workloads], 3.0, 1.0)
    model = Ridge().fit(Timings(tuple(workloads), time_s, 0.01 * time_s))
    assert np.median(model.estimate(slow[1::2]).mean_s / times_s(slow[1::2])) > 2.0


def test_more_noise_gives_wider_intervals() -> None:
    quiet, loud = (
        Ridge().fit(measured(blocks()[::2], noise)).log_times(blocks()[1::2]).standard_deviation.mean()
        for noise in (0.02, 0.3)
    )
    assert loud > 4 * quiet


def test_a_kind_that_was_not_measured_is_less_sure() -> None:
    found = Ridge().fit(measured(blocks())).log_times([*convolutions(), *blocks()]).standard_deviation
    assert found[:9].min() > 2 * np.median(found[9:])


def test_times_that_are_all_alike_do_not_make_it_certain() -> None:
    alike = Timings(blocks(), np.full(len(blocks()), 1e-3), np.zeros(len(blocks())))
    found = Ridge().fit(alike).log_times(blocks())
    assert (found.standard_deviation > 0).all()
