"""The power law: exact where one holds, and careful after five points."""

from __future__ import annotations

import numpy as np

from latency.cost_models.cost_model import Timings
from latency.cost_models.power_law import PowerLaw
from tests.contracts.cost_model_contract import CostModelContract, blocks, measured, times_s


class TestPowerLaw(CostModelContract):
    kind = PowerLaw
    most_error = 0.1
    deviation_grows = False


def test_a_power_law_is_recovered() -> None:
    known, asked = blocks()[::2], blocks()[1::2]
    exact = Timings(known, times_s(known), np.zeros(len(known)))
    found = PowerLaw().fit(exact).estimate(asked)
    assert np.abs(found.mean_s / times_s(asked) - 1).max() < 1e-3


def test_five_points_give_the_order_of_magnitude_and_admit_that_they_are_few() -> None:
    off, covered, widths = [], [], []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(len(blocks()))
        workloads = [blocks()[place] for place in order]
        rest = measured(workloads[5:], seed=seed + 1)
        found = PowerLaw().fit(measured(workloads[:5], seed=seed)).estimate(rest.workloads)
        low_s, high_s = found.interval_s(0.9)
        off.append(np.abs(np.log(found.mean_s / rest.time_s)).mean())
        covered.append(np.mean((low_s <= rest.time_s) & (rest.time_s <= high_s)))
        widths.append(np.median(found.standard_deviation_s / found.mean_s))
    assert np.mean(off) < 0.2
    assert np.mean(covered) > 0.85
    every = PowerLaw().fit(measured(blocks())).estimate(blocks())
    assert np.median(every.standard_deviation_s / every.mean_s) < np.median(widths)


def test_all_operators_are_alike() -> None:
    from latency import Workload

    convolution = Workload("convolution", ((16, 16, 16),), {"channels": 16, "kernel": 3, "stride": 1})
    found = PowerLaw().fit(measured(blocks())).estimate([convolution])
    assert abs(found[0].mean_s / times_s([convolution])[0] - 1) < 0.2
    assert not found[0].is_inside
