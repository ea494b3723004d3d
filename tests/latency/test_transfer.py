from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from latency.transfer import LEAST_MEASUREMENTS, Array, DeviceTransfer
from latency.workload import Workload

BLOCKS = 80


def families(seed: int = 0) -> tuple[Array, Array]:
    """Devices of two families, and the features by which these differ; the last two are one of each."""
    rng = np.random.default_rng(seed)
    work = rng.normal(-6, 1.5, BLOCKS)
    wide = rng.integers(0, 2, BLOCKS).astype(float)
    first = np.array([work + 0.05 * rng.standard_normal(BLOCKS) for _ in range(4)])
    second = np.array([work - 0.8 * wide + 0.05 * rng.standard_normal(BLOCKS) for _ in range(4)])
    speeds = rng.normal(0, 1, (8, 1))
    times_s = np.exp(np.vstack([first[:3], second[:3], first[3:], second[3:]]) + speeds)
    return times_s, wide[:, None]


def errors(transfer: DeviceTransfer, truth_s: Array, count: int = 10) -> Array:
    chosen = transfer.choose(count)
    found = transfer.estimate(chosen, truth_s[chosen])
    return np.abs(np.delete(found.mean_s / truth_s - 1, chosen))


@pytest.mark.parametrize("new", [6, 7])
def test_a_new_device_of_a_known_kind_is_told_from_ten_measurements(new: int) -> None:
    times_s, _ = families()
    transfer = DeviceTransfer(times_s[:6])
    assert np.median(errors(transfer, times_s[new])) < 0.08
    plain = np.exp(np.log(times_s[:6]).mean(axis=0))
    scaled = plain * np.median(times_s[new] / plain)
    assert np.median(errors(transfer, times_s[new])) < 0.5 * np.median(np.abs(scaled / times_s[new] - 1))


def test_one_known_device_is_enough_to_begin_with() -> None:
    times_s, _ = families()
    found = errors(DeviceTransfer(times_s[:1]), times_s[6])
    assert np.median(found) < 0.15


def test_features_tell_how_a_device_of_another_kind_differs() -> None:
    times_s, wide = families()
    with_features = np.median(errors(DeviceTransfer(times_s[:2], [wide]), times_s[7]))
    without = np.median(errors(DeviceTransfer(times_s[:2]), times_s[7]))
    assert with_features < 0.2 < without


@pytest.mark.parametrize("sources", [1, 2, 6])
def test_nine_tenths_of_all_times_lie_in_the_interval(sources: int) -> None:
    inside = []
    for seed in range(8):
        times_s, _ = families(seed)
        transfer = DeviceTransfer(times_s[:sources])
        chosen = transfer.choose(10)
        lower_s, upper_s = transfer.estimate(chosen, times_s[6][chosen]).interval_s()
        inside.append(np.delete((lower_s <= times_s[6]) & (times_s[6] <= upper_s), chosen))
    assert 0.8 < np.mean(inside) < 0.99


def test_a_device_ten_times_as_fast_is_estimated_ten_times_as_fast() -> None:
    times_s, _ = families()
    transfer = DeviceTransfer(times_s[:6])
    chosen = transfer.choose(10)
    once = transfer.estimate(chosen, times_s[6][chosen])
    faster = transfer.estimate(chosen, times_s[6][chosen] / 10)
    # The speed has a wide prior, not none.
    assert faster.mean_s * 10 == pytest.approx(once.mean_s, rel=0.02)


COUNTS = np.random.default_rng(3).integers(0, 3, (200, 4)).astype(float)
PRUNED = COUNTS * (np.arange(200)[:, None] % 3 > 0)


def additive(costs: tuple[float, ...], counts: Array = COUNTS, fixed: float = 1.0) -> Array:
    return np.asarray((fixed + counts @ np.array(costs)) * 1e-3)


KNOWN = np.array([additive((1, 0.3, 0.2, 0)), additive((0.8, 0.4, 0.1, 0)), additive((1.2, 0.2, 0.4, 0.1), PRUNED)])


def test_sums_are_recovered_though_no_known_device_has_these_costs() -> None:
    new_s = additive((0.4, 0.4, 0.1, 0.2))
    gaps = KNOWN.copy()
    gaps[:, 100:] = np.nan
    transfer = DeviceTransfer(gaps, [COUNTS, PRUNED], law="additive")
    chosen = transfer.choose(10, among=np.arange(100))
    assert (chosen < 100).all()
    found = transfer.estimate(chosen, new_s[chosen])
    assert found.mean_s == pytest.approx(new_s, rel=0.06)


def test_the_measurements_decide_which_description_holds() -> None:
    new_s = additive((0.5, 0.5, 0.3, 0), PRUNED)
    transfer = DeviceTransfer(KNOWN, [COUNTS, PRUNED], law="additive")
    chosen = transfer.choose(10)
    found = transfer.estimate(chosen, new_s[chosen])
    assert np.abs(found.mean_s / new_s - 1).mean() < 0.05


def test_one_disturbed_measurement_spoils_little() -> None:
    new_s = additive((0.9, 0.3, 0.2, 0))
    transfer = DeviceTransfer(KNOWN, [COUNTS, PRUNED], law="additive")
    chosen = transfer.choose(10)
    measured_s = new_s[chosen]
    measured_s[4] *= 1.5
    assert np.abs(transfer.estimate(chosen, measured_s).mean_s / new_s - 1).mean() < 0.04


def test_a_measurement_known_to_be_unsure_counts_less() -> None:
    times_s, _ = families()
    transfer = DeviceTransfer(times_s[:6])
    chosen = transfer.choose(5)
    right_s = times_s[6][chosen]
    wrong_s = right_s * np.array([1.1, 1, 1, 1, 1])

    def moved(deviations_s: Array) -> float:
        before, after = (transfer.estimate(chosen, s, deviations_s).mean_s for s in (right_s, wrong_s))
        return float(np.abs(after / before - 1).mean())

    assert moved(np.array([0.3, 0, 0, 0, 0]) * right_s) < 0.5 * moved(np.full(5, np.nan))


def test_each_measured_item_is_predicted_from_the_others() -> None:
    times_s, _ = families()
    transfer = DeviceTransfer(times_s[:6])
    chosen = transfer.choose(10)
    measured_s = times_s[6][chosen]
    left_out = transfer.left_out(chosen, measured_s)
    assert len(left_out) == 10
    assert np.median(np.abs(left_out.mean_s / measured_s - 1)) < 0.2
    others = [transfer.estimate(np.delete(chosen, k), np.delete(measured_s, k)).mean_s[chosen[k]] for k in range(10)]
    assert left_out.mean_s == pytest.approx(np.array(others), rel=0.1)


def test_the_choice_goes_on_from_what_is_measured() -> None:
    times_s, _ = families()
    transfer = DeviceTransfer(times_s[:6])
    chosen = transfer.choose(10)
    assert len(set(chosen.tolist())) == 10
    assert transfer.choose(6, measured=chosen[:4]).tolist() == chosen[4:].tolist()
    assert len(transfer.choose(1000)) == BLOCKS


def test_workloads_bring_their_own_features() -> None:
    sizes = [(c, s) for c in (8, 16, 32, 64) for s in (8, 16, 32)]
    attributes = {"channels": 16, "kernel": 3, "stride": 1}
    workloads = [Workload("convolution", ((c, s, s),), attributes) for c, s in sizes]
    time_s = np.array([[1e-5 + 1e-9 * c * s * s, 3e-5 + 4e-9 * c * s * s] for c, s in sizes]).T
    transfer = DeviceTransfer.of_workloads(time_s[:1], workloads)
    chosen = transfer.choose(5)
    found = transfer.estimate(chosen, time_s[1][chosen])
    assert np.abs(found.mean_s / time_s[1] - 1).mean() < 0.1
    assert found.source == "predicted"


def test_too_few_or_wrong_measurements_are_refused() -> None:
    transfer = DeviceTransfer(families()[0][:2])
    few = np.arange(LEAST_MEASUREMENTS - 1)
    with pytest.raises(WrongUse, match="10 are better; got 2"):
        transfer.estimate(few, np.ones(len(few)))
    with pytest.raises(WrongUse, match="from 0 to 79"):
        transfer.estimate(np.array([0, 1, 80]), np.ones(3))
    with pytest.raises(WrongUse, match="failures"):
        transfer.estimate(np.arange(3), np.array([1.0, 0.0, 1.0]))


def test_known_devices_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(WrongUse, match="at least one of each"):
        DeviceTransfer(np.ones((0, 5)))
    with pytest.raises(WrongUse, match="each of the 5 items"):
        DeviceTransfer(np.ones((2, 5)), [np.ones((4, 1))])
