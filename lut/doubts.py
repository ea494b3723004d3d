"""Reasons to doubt a measurement, each with how strong it is, so that a table can name its worst rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from latency import EXCESS_LOAD, MOST_DISTURBED, UNFINISHED, WIDE_INTERVAL, Measurement, median

FAILURES = "failures"
"""Why sampling ended, of a measurement whose later rounds failed."""


class Doubt(NamedTuple):
    """A reason to doubt a measurement.

    Attributes:
        kind: a few words.
        meaning: what follows from it, in words.
        strength: how strong it is for a measurement, on a scale of its own; 0 where there is no such doubt.
        detail: what is wrong with a measurement that has it, in words.
        advice: what to do about it, a sentence.
        option: what the command that filled the table needs in addition to mend it.
    """

    kind: str
    meaning: str
    strength: Callable[[Measurement], float]
    detail: Callable[[Measurement], str]
    advice: str
    option: str = " --again doubtful"


def process_times_s(measurement: Measurement) -> tuple[float, ...]:
    """The time that each process says, in seconds: the geometric mean over its bursts.

    Bursts of one process are no independent witnesses. Those that name no process are taken to be one each.
    """
    bursts = zip(measurement.usable_bursts, measurement.burst_times_s, strict=True)
    logarithms: dict[str, list[float]] = {}
    for number, (burst, time_s) in enumerate(bursts):
        logarithms.setdefault(burst.process or f"unnamed {number}", []).append(math.log(time_s))
    return tuple(math.exp(math.fsum(taken) / len(taken)) for taken in logarithms.values())


def _width(measurement: Measurement) -> float:
    return max(0.0, measurement.relative_half_width - WIDE_INTERVAL)


def _taken(measurement: Measurement) -> int:
    return measurement.discarded + len(measurement.samples_s)


def _disturbed(measurement: Measurement) -> int:
    """Samples that something disturbed: those thrown away, and those of bursts that had no others."""
    return measurement.discarded + sum(len(burst.samples_s) for burst in measurement.bursts if burst.disturbed)


def _disturbance(measurement: Measurement) -> float:
    return max(0.0, _disturbed(measurement) / _taken(measurement) - MOST_DISTURBED)


def _excess_load(measurement: Measurement) -> float:
    """Processes that found no core when the bursts began; 0 where that is not known."""
    cores = measurement.environment.device.cores
    loads = [burst.before.load_1min for burst in measurement.bursts if burst.before.load_1min is not None]
    excess = median(loads) - cores if loads and cores else 0.0
    return excess if excess > EXCESS_LOAD else 0.0


def _throttlings(measurement: Measurement) -> float:
    """How often the processor throttled while it was measured."""
    counts = [(burst.before.throttle_count, burst.after.throttle_count) for burst in measurement.bursts]
    return sum(max(0, after - before) for before, after in counts if before is not None and after is not None)


def _lonely(measurement: Measurement) -> float:
    return float(len(process_times_s(measurement)) == 1)


def _bursts(measurement: Measurement) -> str:
    return f"{len(measurement.bursts)} burst{'s' * (len(measurement.bursts) != 1)}"


def _other(measurement: Measurement) -> float:
    """Whether the measurement names a problem that none of the other doubts covers."""
    return float(bool(measurement.problems()) and not any(doubt.strength(measurement) for doubt in _NAMED))


_NAMED = (
    Doubt(
        "wide intervals",
        f"beyond {WIDE_INTERVAL:.0%} to one side, two blocks that differ by a tenth cannot be told apart",
        _width,
        lambda m: f"+-{m.relative_half_width:.0%} of {m.time_s * 1e3:.3g} ms after {_bursts(m)} ({m.stopped})",
        "Close other programs, then measure these again.",
    ),
    Doubt(
        "disturbed samples",
        "where something disturbed most samples, the others are unlikely to be undisturbed",
        _disturbance,
        lambda m: f"{_disturbed(m)} of {_taken(m)} samples, {m.discarded} of them thrown away",
        "Close other programs, then measure these again.",
    ),
    Doubt(
        "single processes",
        "processes differ by more than the samples of one do, so these intervals are too narrow",
        _lonely,
        lambda m: f"{_bursts(m)}, one process",
        "Measure these again, in several bursts.",
    ),
    Doubt(
        "load",
        "more processes wanted to run than there are cores, so these had to share",
        _excess_load,
        lambda m: f"{_excess_load(m):.1f} processes more than the {m.environment.device.cores} cores",
        "Close other programs, then measure these again.",
    ),
    Doubt(
        "throttling",
        "the processor lowered its clock while these ran",
        _throttlings,
        lambda m: f"{_throttlings(m):.0f} throttling events",
        "Let it cool, then measure these again.",
    ),
    Doubt(
        "unfinished",
        "these wait for more bursts",
        lambda m: float(m.stopped == UNFINISHED),
        lambda m: f"{_bursts(m)} of at least {m.plan.least_bursts}",
        "This command goes on with them.",
        option="",
    ),
    Doubt(
        "failures in later rounds",
        "these were measured in some processes and failed in others, so they may fail in a network, too",
        lambda m: float(m.stopped == FAILURES),
        lambda m: f"{_bursts(m)} of at least {m.plan.least_bursts}, then failures",
        "Mend the cause, then measure these again.",
    ),
)

DOUBTS = (
    *_NAMED,
    Doubt(
        "other doubts",
        "the measurements themselves say what speaks against them",
        _other,
        lambda m: "; ".join(m.problems()),
        "Measure these again.",
    ),
)
"""All reasons there are."""


def is_doubtful(measurement: Measurement) -> bool:
    """Whether anything speaks against a measurement: what is measured again when doubtful rows are."""
    return bool(measurement.problems()) or any(doubt.strength(measurement) > 0 for doubt in DOUBTS)
