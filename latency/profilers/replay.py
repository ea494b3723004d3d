"""A profiler that measures nothing again: it repeats what was measured before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from typing import final

from devices import Device, DeviceState, WrongUse
from latency.burst import Burst
from latency.environment import Environment
from latency.measurement import Failure, Outcome
from latency.profiler import Missing, Profiler, ProfilingError, TimedRun
from latency.workload import Workload


@final
class ReplayProfiler(Profiler):
    """Replays recorded outcomes without waiting for them: to try a plan, or a search, on times that are known.

    Each opening of a workload replays the next of its turns: a turn is one burst of its measurements, or one of its
    failures, in the order in which they were given; after the last comes the first again. Samples of a burst come in
    their order, from the first call of the warm-up on and over again. What a burst cost is replayed with it; what
    its sentinel saw is not.

    Args:
        device: the device of the outcomes.
        state: reads the state that replayed bursts carry.
        threads: the threads of the outcomes.
        options: it has none; what the outcomes were measured with is in their environment.
        outcomes: what to replay, all of one environment, which is this profiler's too.

    Raises:
        NotAvailable: there are no outcomes.
        WrongUse: they are of several environments, of another device or of other threads.
    """

    name = "replay"
    takes_turns = False  # The machine of the outcomes had its own state; a sentinel of today says nothing about it.

    def __init__(
        self,
        device: Device,
        state: Callable[[], DeviceState],
        threads: int = 1,
        options: Mapping[str, str] = {},
        *,
        outcomes: Iterable[Outcome] = (),
    ) -> None:
        self.chosen(options)
        given = tuple(outcomes)
        if not given:
            self.refuse_missing()
        environment = _one_environment(given)
        _refuse_other_environment(environment, device, threads)
        super().__init__(environment, state)
        self._turns = {workload: cycle(turns) for workload, turns in _turns(given).items()}

    @classmethod
    def missing(cls) -> Missing | None:
        """Outcomes, without which it is not there: a name and options cannot hold them."""
        return Missing(
            "it has nothing to replay when it is asked for by name",
            "Construct it in Python: `ReplayProfiler(device, state, threads, outcomes=table.values())`.",
        )

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """A run that repeats the next burst of ``workload``.

        Raises:
            ProfilingError: nothing is recorded of it, or the next turn is a failure; then with its stage and reason.
        """
        if workload not in self._turns:
            raise ProfilingError("load", f"nothing is recorded of {workload.describe()} ({workload.precision})")
        turn = next(self._turns[workload])
        if isinstance(turn, Failure):
            raise ProfilingError(turn.stage, turn.reason)
        samples_s = cycle(turn.samples_s)
        yield TimedRun(lambda calls: calls * next(samples_s), lambda: turn.costs)


def _turns(outcomes: Iterable[Outcome]) -> dict[Workload, list[Burst | Failure]]:
    found: dict[Workload, list[Burst | Failure]] = {}
    for outcome in outcomes:
        turns = [outcome] if isinstance(outcome, Failure) else outcome.bursts
        found.setdefault(outcome.workload, []).extend(turns)
    return found


def _one_environment(outcomes: tuple[Outcome, ...]) -> Environment:
    first = outcomes[0].environment
    for outcome in outcomes:
        if outcome.environment.digest != first.digest:
            raise WrongUse(
                "Outcomes must be of one environment to be replayed as one; the first and that of "
                f"{outcome.workload.describe()} differ in {first.differences(outcome.environment)}."
            )
    return first


def _refuse_other_environment(environment: Environment, device: Device, threads: int) -> None:
    asked = Environment(device, replace(environment.runtime, threads=threads))
    if asked.digest != environment.digest:
        raise WrongUse(
            "A replay has the device and the threads of its outcomes; it was asked for others: "
            f"{environment.differences(asked)}."
        )
