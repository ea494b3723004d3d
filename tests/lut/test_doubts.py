from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from devices import DeviceState
from latency import UNFINISHED, Measurement
from lut.doubts import DOUBTS, FAILURES, is_doubtful, process_times_s
from tests.contracts.examples import DEVICE, burst, measurement

STEADY = measurement(times=[1e-3] * 6)


def with_bursts(**changes: object) -> Measurement:
    """A steady measurement, each burst with ``changes``."""
    return replace(STEADY, bursts=tuple(replace(b, **changes) for b in STEADY.bursts))  # type: ignore[arg-type]


def wide() -> Measurement:
    return measurement(times=[1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3, 1.5e-3])


def loaded() -> Measurement:
    assert DEVICE.cores
    return with_bursts(before=DeviceState(load_1min=DEVICE.cores + 2.0))


def throttled() -> Measurement:
    return with_bursts(before=DeviceState(throttle_count=3), after=DeviceState(throttle_count=5))


CASES: dict[str, Callable[[], Measurement]] = {
    "wide intervals": wide,
    "disturbed samples": lambda: with_bursts(discarded=20),
    "single processes": measurement,
    "load": loaded,
    "throttling": throttled,
    "unfinished": lambda: replace(STEADY, stopped=UNFINISHED),
    "failures in later rounds": lambda: replace(STEADY, stopped=FAILURES),
}


def found(measured: Measurement) -> list[str]:
    return [doubt.kind for doubt in DOUBTS if doubt.strength(measured) > 0]


def test_a_steady_measurement_leaves_no_doubt() -> None:
    assert not is_doubtful(STEADY)
    assert found(STEADY) == []


@pytest.mark.parametrize("kind", CASES)
def test_each_reason_is_found_alone_and_told_in_words(kind: str) -> None:
    measured = CASES[kind]()
    assert found(measured) == [kind]
    (doubt,) = (doubt for doubt in DOUBTS if doubt.kind == kind)
    assert doubt.detail(measured)


@pytest.mark.parametrize("kind", CASES)
def test_whatever_is_doubted_makes_a_measurement_doubtful(kind: str) -> None:
    assert is_doubtful(CASES[kind]())


def test_samples_that_were_thrown_away_beside_whole_bursts_are_doubtful_whatever_the_measurement_says() -> None:
    quiet, disturbed = burst(1e-3, discarded=3), burst(1e-3, disturbed=True)
    bursts = tuple(replace(quiet if n < 4 else disturbed, process=str(n)) for n in range(9))
    measured = replace(STEADY, bursts=bursts)
    assert measured.problems() == []
    assert is_doubtful(measured)


def test_what_only_the_measurement_knows_of_is_an_other_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measurement, "problems", lambda self: ["the moon was full"])
    assert found(STEADY) == ["other doubts"]
    assert DOUBTS[-1].detail(STEADY) == "the moon was full"
    assert "other doubts" not in found(wide())


def test_a_worse_row_has_a_stronger_doubt() -> None:
    (disturbed,) = (doubt for doubt in DOUBTS if doubt.kind == "disturbed samples")
    assert disturbed.strength(with_bursts(discarded=30)) > disturbed.strength(with_bursts(discarded=20)) > 0


def test_samples_of_a_burst_that_had_no_others_count_as_disturbed() -> None:
    assert "disturbed samples" in found(with_bursts(disturbed=True))


def test_bursts_that_other_processes_prove_disturbed_are_doubted_where_they_had_to_serve() -> None:
    unaware = replace(with_bursts(sentinel_s=1.2e-4), level_s=1e-4)
    assert found(unaware) == ["other doubts"]
    assert "6 of 6 bursts were disturbed" in DOUBTS[-1].detail(unaware)
    assert found(replace(unaware, level_s=1.15e-4)) == []


def test_bursts_that_other_processes_prove_disturbed_are_no_witnesses_where_there_are_enough_others() -> None:
    quiet = [burst(1e-3, process=str(n), sentinel_s=1e-4) for n in range(6)]
    slow = burst(9e-3, process="slow", sentinel_s=1.2e-4)
    measured = replace(STEADY, bursts=(slow, *quiet))
    assert len(process_times_s(measured)) == 7
    assert process_times_s(replace(measured, level_s=1e-4)) == pytest.approx([b.time_s for b in quiet])


def test_bursts_of_one_process_are_one_witness() -> None:
    bursts = [burst(time_s, process=name) for time_s, name in ((1e-3, "a"), (4e-3, "a"), (3e-3, "b"))]
    times_s = process_times_s(replace(STEADY, bursts=tuple(bursts)))
    expected = ((bursts[0].time_s * bursts[1].time_s) ** 0.5, bursts[2].time_s)
    assert times_s == pytest.approx(expected)


def test_bursts_without_a_process_are_one_witness_each() -> None:
    assert len(process_times_s(replace(STEADY, bursts=(burst(), burst(), burst())))) == 3


def test_disturbed_bursts_are_no_witnesses_where_there_are_enough_others() -> None:
    quiet = [burst(1e-3, process=str(n)) for n in range(6)]
    slow = burst(9e-3, process="slow", disturbed=True)
    assert process_times_s(replace(STEADY, bursts=(slow, *quiet))) == pytest.approx([b.time_s for b in quiet])
