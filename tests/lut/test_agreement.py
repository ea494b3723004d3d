"""Whether devices agree: the verdicts, who is in the middle, and how often they are right."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from devices import DeviceState
from latency import Measurement, Outcome, Workload
from lut.agreement import DeviceAgreement, FleetAgreement, compare_devices
from tests.contracts.examples import block, burst, failure, measurement

WORKLOADS = tuple(block(channels) for channels in range(1, 13))
SAMPLE = burst()


def row(workload: Workload, times_s: Sequence[float], name: str, state: DeviceState = SAMPLE.before) -> Measurement:
    bursts = tuple(
        replace(SAMPLE, samples_s=(time_s,), process=f"{name}-{round_}", before=state, after=state)
        for round_, time_s in enumerate(times_s)
    )
    return replace(measurement(workload), bursts=bursts)


def device(
    name: str,
    factor: float = 1.0,
    *,
    draw: random.Random | None = None,
    rounds: int = 6,
    own: float = 0.006,
    processes: float = 0.006,
    noise: float = 0.005,
    odd: Mapping[Workload, float] = {},
    state: DeviceState = SAMPLE.before,
    workloads: Sequence[Workload] = WORKLOADS,
) -> dict[Workload, Outcome]:
    """What a device measures: blocks differ by their own, processes all blocks alike, and bursts by noise."""
    drawn = draw or random.Random(name)
    shifts = [drawn.gauss(0, processes) for _ in range(rounds)]
    rows = dict[Workload, Outcome]()
    for workload in workloads:
        centre = math.log(1e-3 * factor * odd.get(workload, 1.0)) + drawn.gauss(0, own)
        rows[workload] = row(workload, [math.exp(centre + s + drawn.gauss(0, noise)) for s in shifts], name, state)
    return rows


def other(rows: Mapping[str, Mapping[Workload, Outcome]]) -> DeviceAgreement:
    """The one of two devices that is compared with the reference."""
    found = compare_devices(rows)
    return next(d for d in found.devices if d.host != found.reference)


def verdicts(agreement: FleetAgreement) -> dict[str, str]:
    return {device.host: device.verdict for device in agreement.devices}


def simulated(seed: int, factor: float, repeats: int, **more: float) -> Counter[str]:
    """The verdicts of pairs, the second of which is slower by a factor."""
    draw = random.Random(seed)
    told = Counter[str]()
    for _ in range(repeats):
        pair = {"a": device("a", draw=draw, **more), "b": device("b", factor, draw=draw, **more)}  # type: ignore[arg-type]
        told[other(pair).verdict] += 1
    return told


def test_equal_devices_are_found_to_agree() -> None:
    assert simulated(1, 1.0, 40)["agrees"] >= 38


def test_a_device_that_is_three_per_cent_slower_is_found() -> None:
    assert simulated(2, 1.03, 40)["disagrees"] >= 36


def test_with_noise_that_drowns_the_tolerance_nothing_is_claimed() -> None:
    told = simulated(3, 1.0, 20, processes=0.03)
    assert told["unclear"] >= 16
    assert told["disagrees"] <= 2


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = random.Random(4)
    covered = 0
    for _ in range(60):
        low, high = other({"a": device("a", draw=draw), "b": device("b", 1.05, draw=draw)}).interval
        covered += low <= 1.05 <= high
    assert covered >= 52


def test_what_all_blocks_of_a_process_have_in_common_is_in_the_interval() -> None:
    narrow, wide = (other({name: device(name, processes=p) for name in "ab"}).interval for p in (0.0, 0.02))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_with_one_process_each_only_a_large_difference_is_one() -> None:
    def single(factor: float) -> str:
        return other({"a": device("a", rounds=1), "b": device("b", factor, rounds=1)}).verdict

    assert [single(1.0), single(1.05), single(1.2)] == ["unclear", "unclear", "disagrees"]


def test_bursts_without_a_name_for_their_process_are_taken_to_be_one_each() -> None:
    def unnamed(name: str) -> dict[Workload, Outcome]:
        rows = device(name, processes=0.0)
        return {
            w: replace(r, bursts=tuple(replace(b, process="") for b in r.bursts))
            for w, r in rows.items()
            if isinstance(r, Measurement)
        }

    assert set(verdicts(compare_devices({"a": unnamed("a"), "b": unnamed("b")})).values()) == {"agrees"}


def test_the_device_in_the_middle_is_the_reference_whatever_the_order() -> None:
    factors = {"slow": 1.2, "usual": 1.0, "fast": 0.9, "faster": 0.8}
    assert (
        compare_devices({name: device(name, f) for name, f in factors.items() if name != "faster"}).reference == "usual"
    )
    for names in (list(factors), list(reversed(factors))):
        assert compare_devices({name: device(name, factors[name]) for name in names}).reference == "fast"


def test_one_of_three_that_is_off_is_named_and_the_others_are_not() -> None:
    found = compare_devices({"a": device("a"), "b": device("b", 0.93), "c": device("c")})
    assert verdicts(found) == {"a": "agrees", "b": "disagrees", "c": "agrees"}
    assert (found.has_majority, found.disagreeing, found.unclear) == (True, ("b",), ())
    assert set(found.agreeing) == {"a", "c"}
    assert found.agreeing[0] == found.reference
    low, high = found.devices[1].interval
    assert low < 0.93 < high < 0.96


@pytest.mark.parametrize("factors", [(1.0, 1.05), (1.0, 1.05, 1.1), (1.0, 1.0, 1.05, 1.05)])
def test_without_a_majority_nobody_is_right(factors: Sequence[float]) -> None:
    rows = {str(number): device(str(number), factor) for number, factor in enumerate(factors)}
    found = compare_devices(rows)
    assert (found.has_majority, found.agreeing, set(found.disagreeing)) == (False, (), set(rows))


def test_devices_of_one_burst_each_stand_together_against_one_that_is_off_by_far() -> None:
    found = compare_devices({"a": device("a", rounds=1), "b": device("b", rounds=1), "c": device("c", 1.4, rounds=1)})
    assert sorted(verdicts(found).values()) == ["agrees", "disagrees", "unclear"]
    assert (found.has_majority, found.disagreeing) == (True, ("c",))


def test_a_single_block_that_differs_is_told_and_does_not_move_the_rest() -> None:
    odd = WORKLOADS[3]
    rows = {"a": device("a"), "b": device("b", 1.01, odd={odd: 1.3}), "c": device("c")}
    found = compare_devices(rows).devices[1]
    assert found.verdict == "agrees"
    assert [deviation.workload for deviation in found.deviations] == [odd]
    assert found.deviations[0].ratio == pytest.approx(1.3, abs=0.03)
    assert 1.0 < found.ratio < 1.02


@pytest.mark.parametrize("speed", [1.0, 1.005])
def test_a_workload_that_fails_on_one_device_is_told_of_the_one_in_the_middle_too(speed: float) -> None:
    rows = device("b", speed) | {WORKLOADS[0]: failure(WORKLOADS[0])}
    agreement = compare_devices({"a": device("a", 0.98), "b": rows, "c": device("c", 1.02)})
    found = agreement.devices[1]
    assert agreement.reference == "b"
    assert [each.broken for each in agreement.devices if each is not found] == [(), ()]
    assert (found.broken, found.workloads, found.verdict) == ((WORKLOADS[0],), len(WORKLOADS) - 1, "agrees")


def test_settings_that_differ_are_told_and_readings_are_not() -> None:
    fast = DeviceState(power_mode="MAXN", clock_mhz=1377.0, temperature_c=40.0, governor="schedutil")
    slow = DeviceState(power_mode="10W", clock_mhz=900.0, temperature_c=60.0, governor="schedutil")
    hot = replace(slow, throttle_reasons="thermal")
    rows = {"a": device("a", state=fast), "b": device("b", 1.3, state=slow), "c": device("c", 0.99, state=fast)}
    assert compare_devices(rows).devices[1].settings == {"power_mode": ("MAXN", "10W")}
    rows["b"] = device("b", 1.3, state=hot)
    assert compare_devices(rows).devices[1].settings["slowed down"] == ("0 of 12 blocks", "12 of 12 blocks")


def test_a_device_that_was_lost_early_is_unclear_and_never_the_reference() -> None:
    lost = device("lost", workloads=WORKLOADS[:2], rounds=1)
    found = compare_devices({"lost": lost, "a": device("a"), "b": device("b")})
    assert found.reference in {"a", "b"}
    assert verdicts(found)["lost"] == "unclear"
    assert compare_devices({"a": device("a"), "none": {WORKLOADS[0]: failure(WORKLOADS[0])}}).devices[1].workloads == 0


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_workloads_are_compared_as_far_as_they_go(count: int) -> None:
    some = WORKLOADS[:count]
    found = compare_devices({"a": device("a", workloads=some), "b": device("b", 1.5, workloads=some)})
    assert found.devices[1].workloads == count
    assert found.devices[1].deviations == ()


def test_times_without_any_spread_are_compared_exactly() -> None:
    still = {"own": 0.0, "processes": 0.0, "noise": 0.0}
    found = compare_devices({"a": device("a", **still), "b": device("b", 1.03, **still)})  # type: ignore[arg-type]
    assert found.devices[1].interval == pytest.approx((1.03, 1.03))
    assert found.devices[1].verdict == "disagrees"
