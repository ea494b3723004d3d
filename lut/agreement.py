"""Whether devices that should be equally fast are, by workloads that all of them measured.

What is asked is one factor for each device: how much slower it is than the device in the middle. Its interval has
two parts. Blocks differ from board to board by their own, which shows in the spread over workloads; and a device is a
little faster in one process than in the next, all blocks alike, which no number of workloads shows and only the spread
over processes does. Two fills of one machine that nobody touched differ by a common 0.9 %
(benchmarks/results/repeatability_amd_epyc_2_cores.txt): hence the tolerance of ``lut.difference``.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from devices import DeviceState
from latency import Measurement, Outcome, Workload
from lut.difference import TOLERANCE, RowDifference, compare_tables
from lut.log_ratio import LogRatio, log_time, trimmed_mean
from lut.table import Table

Agreement: TypeAlias = Literal["agrees", "disagrees", "unclear"]
"""What can be said of a device."""

_SINGLE_PROCESS = 0.035
"""Standard deviation between processes, where a device has but one and it cannot be seen: ten processes of one network
on a quiet machine scattered by so much. With one round a device is then called off from about 10 % on."""

_LEAST_ROWS = 6
"""With fewer workloads, what they have in common cannot be told from what is each one's own."""

_BLOCK_TOLERANCE = 0.05
"""A block that differs by less from one board to the next is no finding: compilers choose other kernels for less."""

_MOST_DEVIATIONS = 3

_SETTINGS = ("power_mode", "governor", "max_clock_mhz", "boost", "energy_preference", "power_limit_w")
"""Fields of a device's state that somebody set, and that make it faster or slower."""

Rows: TypeAlias = Mapping[Workload, Outcome]
"""What one device measured."""


@dataclass(frozen=True)
class DeviceAgreement:
    """One device against the one in the middle.

    Attributes:
        host: its name.
        ratio: its times over those of the reference, a trimmed geometric mean over workloads.
        interval: 95 % interval of ``ratio``.
        verdict: ``disagrees`` when ``ratio`` is beyond the tolerance and its interval does not hold 1; ``agrees`` when
            it is within the tolerance and so is half the width of the interval; otherwise ``unclear``: it is known
            too badly.
        workloads: how many both measured.
        deviations: blocks that differ from what all have in common, those that do most first.
        broken: workloads that failed here, and were measured on another device.
        settings: fields of the state that no burst of the two has in common, with the value on the reference and here.
    """

    host: str
    ratio: float
    interval: tuple[float, float]
    verdict: Agreement
    workloads: int
    deviations: tuple[RowDifference, ...] = ()
    broken: tuple[Workload, ...] = ()
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class FleetAgreement:
    """Which devices agree.

    Attributes:
        reference: the device in the middle, which the others are compared with.
        devices: all of them, the reference included.
        tolerance: share by which they may differ.
    """

    reference: str
    devices: tuple[DeviceAgreement, ...]
    tolerance: float

    @property
    def has_majority(self) -> bool:
        """Whether more devices are with the reference than against it. If not, nobody knows which of them are right.

        One that is unclear is with the reference when it is nearer to it than to any device that is off.
        """
        off = [math.log(device.ratio) for device in self.devices if device.verdict == "disagrees"]
        beside = sum(_is_beside(device, off) for device in self.devices)
        return beside > len(off)

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The devices whose times may stand side by side, the reference first; none without a majority."""
        others = tuple(host for host in self._of("agrees") if host != self.reference)
        return (self.reference, *others) if self.has_majority else ()

    @property
    def disagreeing(self) -> tuple[str, ...]:
        """The devices that are off, or may be: without a majority, all of them."""
        return self._of("disagrees") if self.has_majority else tuple(device.host for device in self.devices)

    @property
    def unclear(self) -> tuple[str, ...]:
        """The devices of which nothing can be said yet."""
        return self._of("unclear") if self.has_majority else ()

    def _of(self, verdict: Agreement) -> tuple[str, ...]:
        return tuple(device.host for device in self.devices if device.verdict == verdict)


def _is_beside(device: DeviceAgreement, off: Sequence[float]) -> bool:
    """Whether a device speaks for the reference, against those whose logarithmic ratios are in ``off``."""
    if device.verdict != "unclear":
        return device.verdict == "agrees"
    shift = math.log(device.ratio)
    return device.workloads > 0 and all(abs(shift) < abs(shift - other) for other in off)


def compare_devices(rows: Mapping[str, Rows], tolerance: float = TOLERANCE) -> FleetAgreement:
    """Compare what several devices measured of the same workloads.

    Args:
        rows: what each device, by its name, knows of the workloads that all were given; all of one environment.
        tolerance: share by which devices may differ.
    """
    reference = _in_the_middle({host: _times(known) for host, known in rows.items()})
    first = rows[reference]
    devices = (
        DeviceAgreement(host, 1.0, (1.0, 1.0), "agrees", len(_times(known)))
        if host == reference
        else _compared(host, first, known, tolerance)
        for host, known in rows.items()
    )
    works = dict.fromkeys(workload for known in rows.values() for workload in _measured(known))
    return FleetAgreement(
        reference,
        tuple(replace(each, broken=_broken(works, rows[each.host])) for each in devices),
        tolerance,
    )


def _broken(works: Iterable[Workload], rows: Rows) -> tuple[Workload, ...]:
    """Of the workloads that work somewhere, those that failed here."""
    measured = _measured(rows)
    return tuple(workload for workload in works if workload in rows and workload not in measured)


def _measured(rows: Rows) -> dict[Workload, Measurement]:
    return {workload: row for workload, row in rows.items() if isinstance(row, Measurement)}


def _times(rows: Rows) -> dict[Workload, LogRatio]:
    return {workload: log_time(row) for workload, row in _measured(rows).items()}


def _in_the_middle(times: Mapping[str, Mapping[Workload, LogRatio]]) -> str:
    """The device whose speed is the median; of two in the middle, the faster.

    One that measured less than half of what the best has is none to compare others with.
    """
    most = max(map(len, times.values()))
    full = {host: known for host, known in times.items() if 2 * len(known) >= most}
    shared = [w for w in max(full.values(), key=len) if all(w in known for known in full.values())]
    if not shared:
        return next(iter(full))
    usual = {w: statistics.median(known[w].centre for known in full.values()) for w in shared}
    speeds = {host: _centre([known[w].centre - usual[w] for w in shared]) for host, known in full.items()}
    order = sorted(full, key=lambda host: (speeds[host], host))
    return order[(len(order) - 1) // 2]


def _centre(numbers: Sequence[float]) -> float:
    return trimmed_mean(numbers).centre if len(numbers) > 1 else numbers[0]


def _compared(host: str, reference: Rows, rows: Rows, tolerance: float) -> DeviceAgreement:
    first, second = _measured(reference), _measured(rows)
    shared = [workload for workload in first if workload in second]
    if not shared:
        return DeviceAgreement(host, 1.0, (0.0, math.inf), "unclear", 0)
    ratio = _ratio([first[w] for w in shared], [second[w] for w in shared])
    low, high = ratio.interval()
    return DeviceAgreement(
        host=host,
        ratio=math.exp(ratio.centre),
        interval=(math.exp(low), math.exp(high)),
        verdict=_verdict(ratio, math.log1p(tolerance)),
        workloads=len(shared),
        deviations=_deviations([first[w] for w in shared], [second[w] for w in shared]),
        settings=_differing_settings([first[w] for w in shared], [second[w] for w in shared]),
    )


def _verdict(ratio: LogRatio, threshold: float) -> Agreement:
    half_width = ratio.interval()[1] - ratio.centre
    if abs(ratio.centre) > max(threshold, half_width):
        return "disagrees"
    return "agrees" if half_width <= threshold else "unclear"


def _ratio(first: Sequence[Measurement], second: Sequence[Measurement]) -> LogRatio:
    """What all workloads have in common of second over first.

    The variance is the sum of that over workloads and of those over processes; the noise of single bursts is in both,
    so the interval is rather too wide than too narrow.
    """
    pairs = [log_time(now).minus(log_time(was)) for was, now in zip(first, second, strict=True)]
    over_workloads = trimmed_mean([pair.centre for pair in pairs]) if len(pairs) > 1 else pairs[0]
    between = _between_processes(second).minus(_between_processes(first))
    return over_workloads.minus(replace(between, centre=0.0))


def _between_processes(rows: Sequence[Measurement]) -> LogRatio:
    """How well the speed of a device is known, seeing that it is another one in each process.

    Processes that took bursts of less than half the workloads are left out: they say more of these than of the device.
    Where every burst has a process of its own there is nothing that workloads have in common, and nothing is added.
    """
    apart = defaultdict[str, list[float]](list)
    for row in rows:
        usual = log_time(row).centre
        for burst, time_s in zip(row.usable_bursts, row.burst_times_s, strict=True):
            if burst.process:
                apart[burst.process].append(math.log(time_s) - usual)
    speeds = [_centre(logs) for logs in apart.values() if 2 * len(logs) >= len(rows) > 1]
    if len(speeds) < 2:
        return LogRatio(0.0, len(speeds) * _SINGLE_PROCESS**2, math.inf)
    return trimmed_mean(speeds)


def _deviations(first: Sequence[Measurement], second: Sequence[Measurement]) -> tuple[RowDifference, ...]:
    """The blocks that are certain to differ from what all have in common, by the statistics of ``table diff``."""
    if len(first) < _LEAST_ROWS:
        return ()
    rows = compare_tables(Table(first), Table(second), tolerance=_BLOCK_TOLERANCE, relative=True).rows
    return tuple(row for row in rows if row.verdict in {"slower", "faster"})[:_MOST_DEVIATIONS]


def _differing_settings(first: Sequence[Measurement], second: Sequence[Measurement]) -> dict[str, tuple[str, str]]:
    """Why a device may be faster or slower: what was set in another way there."""
    found = {}
    for name in _SETTINGS:
        there, here = _seen(first, name), _seen(second, name)
        if there and here and not there & here:
            found[name] = (", ".join(sorted(there)), ", ".join(sorted(here)))
    slowed = [sum(_is_slowed_down(row) for row in rows) for rows in (first, second)]
    if slowed[1] > slowed[0]:
        found["slowed down"] = (f"{slowed[0]} of {len(first)} blocks", f"{slowed[1]} of {len(second)} blocks")
    return found


def _states(row: Measurement) -> list[DeviceState]:
    return [state for burst in row.bursts for state in (burst.before, burst.after)]


def _seen(rows: Sequence[Measurement], name: str) -> set[str]:
    values = (getattr(state, name) for row in rows for state in _states(row))
    return {str(value) for value in values if value is not None}


def _is_slowed_down(row: Measurement) -> bool:
    return any(state.is_slowed_down for state in _states(row))
