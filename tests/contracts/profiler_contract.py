"""What every profiler must do. A profiler's test class inherits this and says how one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest

from devices import Device, DeviceState, NotAvailable, WrongUse
from latency import Failure, Measurement, Profiler, Sentinel, Workload, known_profilers, open_profiler
from tests.contracts.examples import DEVICE, QUICK, block

State = Callable[[], DeviceState]


class ProfilerContract:
    """Inherit, say which ``kind``, and all of this is tested; where it cannot run, what needs it to run is skipped."""

    kind: ClassVar[type[Profiler]]

    def make_profiler(self, device: Device, state: State, threads: int = 1) -> Profiler:
        """A profiler of the kind under test, made as ``open_profiler`` makes it."""
        if (missing := self.kind.missing()) is not None:
            pytest.skip(f"{self.kind.name}: {missing.reason}")
        construct: Callable[..., Profiler] = self.kind
        return construct(device, state, threads, {})

    @property
    def workload(self) -> Workload:
        """One that can be measured; small."""
        return block()

    @property
    def broken(self) -> Workload:
        """One that cannot be measured."""
        return Workload("no_such_operator", ((8, 8, 8),))

    @pytest.fixture
    def profiler(self) -> Profiler:
        loads = iter(range(1, 100))
        return self.make_profiler(DEVICE, lambda: DeviceState(load_1min=next(loads) / 100))

    def test_it_is_in_the_registry_under_its_name(self) -> None:
        assert known_profilers()[self.kind.name] is self.kind

    def test_where_it_is_missing_it_says_why_and_what_to_do(self) -> None:
        missing = self.kind.missing()
        if missing is None:
            assert open_profiler(self.kind.name, DEVICE, DeviceState).name == self.kind.name
            return
        with pytest.raises(NotAvailable) as raised:
            open_profiler(self.kind.name, DEVICE, DeviceState)
        assert missing.reason
        assert missing.remedy
        assert missing.reason in str(raised.value)
        assert missing.remedy in str(raised.value)

    def test_an_unknown_option_or_value_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(WrongUse, match="no_such_option"):
            self.kind.chosen({"no_such_option": "yes"})
        for name, values in self.kind.choices.items():
            assert self.kind.chosen({name: values[-1]})[name] == values[-1]
            with pytest.raises(WrongUse, match=values[0]):
                self.kind.chosen({name: "no such value"})

    def test_options_are_part_of_the_environment(self) -> None:
        assert (
            self.make_profiler(DEVICE, DeviceState).environment.runtime.options.items() >= self.kind.chosen({}).items()
        )

    def test_its_environment_names_device_runtime_and_threads(self) -> None:
        environment = self.make_profiler(DEVICE, DeviceState, 3).environment
        assert environment.device == DEVICE
        assert environment.runtime.name == type(self.make_profiler(DEVICE, DeviceState)).name
        assert environment.runtime.threads == 3

    def test_its_environment_is_the_same_for_two_of_its_kind_and_another_for_other_threads(self) -> None:
        digests = [self.make_profiler(DEVICE, DeviceState, n).environment.digest for n in (1, 1, 2)]
        assert digests[0] == digests[1] != digests[2]

    def test_a_workload_is_measured(self, profiler: Profiler) -> None:
        outcome = profiler.measure(self.workload, QUICK)
        assert isinstance(outcome, Measurement), outcome
        assert (outcome.workload, outcome.plan) == (self.workload, QUICK)
        assert outcome.environment == profiler.environment
        assert min(outcome.samples_s) > 0
        assert outcome.bursts[0].calls_per_sample >= 1

    def test_samples_are_as_many_as_the_plan_says(self, profiler: Profiler) -> None:
        plan = replace(QUICK, least_samples=7, most_samples=9, precision=1e-9, limit_s=600.0)
        outcome = profiler.measure(self.workload, plan)
        assert isinstance(outcome, Measurement), outcome
        assert 7 <= len(outcome.samples_s) + outcome.discarded <= 9 or outcome.discarded

    def test_a_sentinel_is_looked_at_between_samples(self, profiler: Profiler) -> None:
        looks = [0]

        def look(calls: int) -> float:
            looks[0] += 1
            return calls * 1e-3

        sentinel = Sentinel(look)
        before = looks[0]
        outcome = profiler.measure(self.workload, QUICK, sentinel)
        assert isinstance(outcome, Measurement), outcome
        assert looks[0] > before + len(outcome.samples_s)
        assert outcome.bursts[0].sentinel_s == pytest.approx(1e-3)
        assert outcome.bursts[0].process

    def test_the_state_is_read_before_and_after(self, profiler: Profiler) -> None:
        outcome = profiler.measure(self.workload, QUICK)
        assert isinstance(outcome, Measurement), outcome
        before, after = outcome.bursts[0].before, outcome.bursts[0].after
        assert before.load_1min is not None
        assert after.load_1min is not None
        assert before.load_1min < after.load_1min
        assert isinstance(profiler.state(), DeviceState)

    def test_a_measurement_survives_json(self, profiler: Profiler) -> None:
        outcome = profiler.measure(self.workload, QUICK)
        assert isinstance(outcome, Measurement), outcome
        assert Measurement.from_json(outcome.to_json()) == outcome

    def test_a_broken_workload_is_a_failure_and_the_next_one_is_measured(self, profiler: Profiler) -> None:
        outcome = profiler.measure(self.broken, QUICK)
        assert isinstance(outcome, Failure)
        assert outcome.stage in {"build", "load", "run"}
        assert outcome.reason
        assert (outcome.workload, outcome.environment) == (self.broken, profiler.environment)
        assert isinstance(profiler.measure(self.workload, QUICK), Measurement)

    def test_more_calls_take_a_run_no_less_than_no_time(self, profiler: Profiler) -> None:
        with profiler.open(self.workload) as run:
            assert run(1) > 0
            assert run(3) > 0

    def test_a_workload_can_be_opened_again_after_it_was_released(self, profiler: Profiler) -> None:
        for _ in range(2):
            with profiler.open(self.workload) as run:
                assert run(1) > 0

    def test_an_error_of_the_caller_passes_through_open(self, profiler: Profiler) -> None:
        with pytest.raises(ZeroDivisionError), profiler.open(self.workload):
            raise ZeroDivisionError
        assert isinstance(profiler.measure(self.workload, QUICK), Measurement)
