"""How steady a machine is, on clocks that tests wind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

import pytest

from devices import WrongUse
from latency.steadiness import Steadiness, Window, preemptions, probe_steadiness, spin, trend


class FakeMachine:
    """A clock that only work moves: a round takes ``round_s``, longer by a factor that depends on the time."""

    def __init__(self, round_s: float = 1e-4, slower: Callable[[float], float] = lambda now_s: 1.0) -> None:
        self.now_s, self.rounds, self.lost = 0.0, list[int](), 0
        self._round_s, self._slower = round_s, slower

    def work(self, rounds: int) -> None:
        self.rounds.append(rounds)
        self.now_s += rounds * self._round_s * self._slower(self.now_s)

    def clock(self) -> float:
        return self.now_s

    def preempted(self) -> int:
        return self.lost

    def probe(self, seconds: float = 2.0) -> Steadiness:
        return probe_steadiness(seconds, self.work, self.clock, self.preempted)


def steady(medians: Sequence[float], pieces: int = 9) -> Steadiness:
    """Windows of equal pieces."""
    return Steadiness(tuple(Window((median,) * pieces, (False,) * pieces) for median in medians))


def test_a_machine_that_never_changes_is_steady() -> None:
    found = FakeMachine().probe()
    assert found.good_to == pytest.approx(0, abs=1e-9)
    assert (found.disturbed, found.is_drifting, found.is_steady) == (0, False, True)
    assert len(found.windows) == 20


def test_a_piece_spans_a_millisecond_whatever_a_round_takes() -> None:
    for round_s in (1e-5, 1e-4, 5e-3):
        machine = FakeMachine(round_s)
        machine.probe(0.6)
        assert set(machine.rounds[1:]) <= {1, max(1, round(1e-3 / round_s))}
        assert machine.rounds[-1] == max(1, round(1e-3 / round_s))


def test_it_looks_for_as_long_as_it_is_told_after_the_clock_has_risen() -> None:
    machine = FakeMachine()
    machine.probe(3.0)
    assert 3.2 <= machine.now_s <= 3.3


def test_noise_within_a_window_does_not_count_where_medians_agree() -> None:
    draw = random.Random(1)
    found = FakeMachine(slower=lambda _: draw.uniform(1, 1.08)).probe()
    assert found.good_to < 0.02
    assert found.is_steady


def test_a_clock_that_falls_for_a_while_is_seen() -> None:
    found = FakeMachine(slower=lambda now_s: 1.3 if 0.9 < now_s < 1.5 else 1.0).probe()
    assert found.good_to > 0.2
    assert 0.2 < found.disturbed < 0.4
    assert not found.is_steady


def test_a_machine_that_warms_up_drifts() -> None:
    found = FakeMachine(slower=lambda now_s: 1 + now_s / 25).probe()
    assert found.is_drifting
    assert 0.03 < found.drift < 0.08
    assert "slower" in found.verdict()


def test_a_machine_that_becomes_faster_drifts_too() -> None:
    found = FakeMachine(slower=lambda now_s: 1.2 - now_s / 25).probe()
    assert found.drift < -0.03
    assert "faster" in found.verdict()


def test_jumps_to_and_fro_are_no_drift() -> None:
    found = steady([1.0, 1.04] * 10)
    assert not found.is_drifting
    assert found.good_to > 0.03


def test_a_drift_too_small_to_matter_is_none() -> None:
    found = steady([1 + index * 1e-5 for index in range(20)])
    assert trend(found.medians_s) > 3
    assert not found.is_drifting


def test_preempted_pieces_are_disturbed_and_left_out_of_the_median() -> None:
    window = Window((1.0, 1.0, 9.0, 9.0, 9.0), (False, False, True, True, True))
    assert window.median_s == 1.0
    found = Steadiness((window,) * 6)
    assert found.disturbed == pytest.approx(0.6)
    assert found.good_to == 0
    assert not found.is_steady
    assert "60% of the work was disturbed" in found.verdict()


def test_where_everything_was_preempted_everything_counts() -> None:
    assert Window((1.0, 2.0, 3.0), (True, True, True)).median_s == 2.0


def test_a_count_that_grows_marks_the_piece_it_grew_in() -> None:
    machine = FakeMachine()

    def preempted() -> int:
        return len(machine.rounds) // 2

    found = probe_steadiness(0.6, machine.work, machine.clock, preempted)
    marks = [mark for window in found.windows for mark in window.preempted]
    assert sum(marks) == pytest.approx(len(marks) / 2, abs=len(found.windows))


def test_the_share_it_is_good_to_is_that_of_95_of_100_bursts() -> None:
    draw = random.Random(7)
    found = steady([draw.gauss(1, 0.01) for _ in range(2000)], pieces=1)
    assert found.good_to == pytest.approx(0.0196, rel=0.1)
    assert sum(abs(median - 1) < found.good_to for median in found.medians_s) == pytest.approx(1900, abs=25)


@pytest.mark.parametrize(
    ("values", "statistic"),
    [
        # S = 10 of 10 pairs, variance 5 * 4 * 15 / 18.
        ((1, 2, 3, 4, 5), 9 / (50 / 3) ** 0.5),
        ((5, 4, 3, 2, 1), -9 / (50 / 3) ** 0.5),
        ((1, 1, 1, 1, 1), 0),
        ((1, 2), 0),
    ],
)
def test_the_trend_is_that_of_mann_and_kendall(values: tuple[float, ...], statistic: float) -> None:
    assert trend(values) == pytest.approx(statistic)


def test_what_it_says_survives_json() -> None:
    said = json.loads(json.dumps(FakeMachine().probe(0.7).to_json()))
    assert said["is_steady"] is True
    assert len(said["medians_s"]) == 7
    assert said["piece_s"] == pytest.approx(1e-3)


@pytest.mark.parametrize("seconds", [0.5, 0.0, -1.0, float("nan")])
def test_a_look_that_is_too_short_is_refused(seconds: float) -> None:
    with pytest.raises(WrongUse, match=r"at least 0\.6 s"):
        probe_steadiness(seconds)


def test_too_few_windows_and_times_that_are_none_are_refused() -> None:
    with pytest.raises(WrongUse, match="6 windows; got 5"):
        steady([1.0] * 5)
    for pieces in ((), (0.0,), (float("nan"),)):
        with pytest.raises(WrongUse, match="more than 0 s"):
            Window(pieces, (False,) * len(pieces))


def test_the_real_work_and_the_real_clock_give_times() -> None:
    found = probe_steadiness(0.6)
    assert len(found.windows) == 6
    assert found.piece_s > 0
    assert 0 <= found.disturbed <= 1


def test_the_work_can_be_done_and_preemptions_only_grow() -> None:
    before = preemptions()
    spin(3)
    assert preemptions() >= before
