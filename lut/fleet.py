"""Filling a table with several equal devices at once. Times nothing itself.

Each device keeps what it measures in a table of its own until it is known to agree with the others; then its rows go
into the main table. All devices measure a common subset beside their shares, in the same rounds: a device that grows
warm and slow in the course of an hour shows there as it does elsewhere.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import final

from devices import NotAvailable, WrongUse
from latency import Environment, Failure, Measurement, Outcome, SamplingPlan, Workload
from lut.agreement import FleetAgreement, compare_devices
from lut.checking import differing_fields
from lut.difference import TOLERANCE
from lut.filling import Progress, Start, refuse_other_environment
from lut.fleet_host import FleetHost
from lut.fleet_progress import FleetProgress, StoppedError
from lut.fleet_summary import FleetSummary, host_summary, joint_summary
from lut.lookup import measurable
from lut.missing_bursts import is_unfinished, lacks_bursts
from lut.shards import Shards, bursts_beyond, merge
from lut.shares import balanced_shares, common_count, common_subset
from lut.table_file import TableWriter

_STEP_S = 0.2
"""A signal that arrives in the instant before a wait begins is not noticed until it ends; so no wait is long."""


def fill_fleet(
    writer: TableWriter,
    starts: Mapping[str, Start],
    workloads: Sequence[Workload],
    plan: SamplingPlan,
    *,
    shards: Path,
    tolerance: float = TOLERANCE,
    again: Callable[[Outcome], bool] = lambda outcome: False,
    limit_s: float = math.inf,
    seed: int = 0,
    tell: Callable[[str, Progress], None] = lambda host, progress: None,
    stopped: threading.Event | None = None,
) -> FleetSummary:
    """Measure what the table does not know with several devices at once, and prove that they agree.

    First every device takes one burst of each common workload, and one that is off by far gets nothing else to do. Then
    each fills a table of its own with its share and the common workloads, in rounds as ``fill`` makes them. Rows of
    devices that agree (``compare_devices``) go into the main table; of the common workloads, those of the device in the
    middle. What a device was to measure that went away for good is taken over by the others, from the burst on that it
    had come to. What a device measured that does not agree is left out, and its share stays open.

    The same call goes on where an interrupted one was, also with other devices, and measures nothing twice. A device
    that was found to be off begins anew.

    Args:
        writer: the table to add to.
        starts: starts the process of a round, for each device by its name.
        workloads: what is wanted; repeated and free ones are left out.
        plan: how to sample.
        shards: folder for the tables of the devices; gone when all that is wanted is in the main table.
        tolerance: share by which devices may differ.
        again: whether a known outcome shall be measured again, as in ``fill``.
        limit_s: begin no further burst after this time.
        seed: of shares and orders.
        tell: called before the first and after every burst with the name of the device and the progress of all
            together; from the threads of the devices, one at a time. What it raises ends the run.
        stopped: set when the run ends, however it does: who waits in a start for a device that is away need not wait
            any longer.

    Raises:
        WrongUse: there is no device, the devices are not equal, or the table's rows come from another environment.
        NotAvailable: no device can be reached any more.
        OSError: as ``fill``.
    """
    if not starts:
        raise WrongUse("A fleet needs at least one device; got none.")
    wanted = measurable(workloads)
    progress = FleetProgress(tell, is_stopped=stopped or threading.Event())
    return _Fleet(writer, starts, wanted, plan, Shards(shards), tolerance, again, limit_s, seed, progress).run()


@final
class _Fleet:
    """One run of ``fill_fleet``."""

    def __init__(
        self,
        writer: TableWriter,
        starts: Mapping[str, Start],
        wanted: Sequence[Workload],
        plan: SamplingPlan,
        shards: Shards,
        tolerance: float,
        again: Callable[[Outcome], bool],
        limit_s: float,
        seed: int,
        progress: FleetProgress,
    ) -> None:
        self._writer, self._starts, self._wanted, self._plan = writer, starts, wanted, plan
        self._shards, self._tolerance, self._again, self._seed = shards, tolerance, again, seed
        self._until_s = time.monotonic() + limit_s
        self._progress = progress
        self._hosts: dict[str, FleetHost] = {}
        self._owners: dict[Workload, str] = {}
        self._off: set[str] = set()
        self._afresh: set[Workload] = set()
        self._common: tuple[Workload, ...] = ()
        self._agreement: FleetAgreement | None = None

    def run(self) -> FleetSummary:
        """Open the devices, measure, compare, merge; what is left over is gone when all is known."""
        with ExitStack() as stack:
            writers = stack.enter_context(self._shards.opened(self._starts))
            for name, start in self._starts.items():
                self._hosts[name] = stack.enter_context(FleetHost(name, start, writers[name]))
            stack.callback(self._progress.is_stopped.set)  # However this ends, nobody goes on.
            self._together({host: host.open for host in self._hosts.values()})
            self._environment = self._one_environment()
            refuse_other_environment(self._writer.table, self._environment)
            self._shards.refuse_other_environment(writers, self._environment)
            todo = self._begin()
            self._look_first()
            self._fill(todo)
        return self._summary(len(self._wanted) - len(todo), self._tidy())

    def _together(self, jobs: Mapping[FleetHost, Callable[[], None]]) -> None:
        """Let devices do something at the same time. When one fails, all stop after the burst they are at."""
        futures = [host.submit(job) for host, job in jobs.items()]
        if _wait_for_first_error(futures):
            self._progress.is_stopped.set()
            wait(futures)
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
            raise error
        if not self._alive():
            reasons = "; ".join(f"{host.name}: {host.lost}" for host in self._hosts.values())
            raise NotAvailable(
                f"None of the devices can be reached any more ({reasons}). Nothing that was measured is lost: the same "
                "command goes on from here."
            )

    def _alive(self) -> list[FleetHost]:
        return [host for host in self._hosts.values() if not host.lost]

    def _one_environment(self) -> Environment:
        """The environment of all devices.

        Raises:
            WrongUse: they are not equal.
        """
        found = {host.name: host.environment for host in self._hosts.values() if host.environment is not None}
        fields = differing_fields(list(found.values()))
        first, *others = found.values()
        if all(other.digest == first.digest for other in others):
            return first
        words = "; ".join(
            f"{name}: " + ", ".join(f"{value} on {host}" for host, value in zip(found, values, strict=True))
            for name, values in fields.items()
        )
        raise WrongUse(
            f"Devices that fill one table must be equal, and so must their software ({words}). Make them equal, or "
            "give each its own table with --out."
        )

    def _known(self, workload: Workload) -> Outcome | None:
        return self._writer.table.outcome(workload, self._environment)

    def _had(self, host: FleetHost, workload: Workload) -> Outcome | None:
        return host.writer.table.outcome(workload, self._environment)

    def _is_open(self, workload: Workload) -> bool:
        return workload in self._afresh or lacks_bursts(self._known(workload), self._plan)

    def _open(self) -> tuple[Workload, ...]:
        return tuple(workload for workload in self._wanted if self._is_open(workload))

    def _begin(self) -> tuple[Workload, ...]:
        """Find out what is to be measured, and choose the common subset, unless an earlier run did."""
        for workload in self._wanted:
            known = self._known(workload)
            # As in `fill`: what is unfinished may have been begun afresh by a run that was interrupted.
            if known is not None and not is_unfinished(known) and self._again(known):
                self._afresh.add(workload)
        todo = self._open()
        chosen = self._shards.common()
        kept = [workload for workload in self._wanted if workload.digest in chosen]
        if todo and len(self._alive()) > 1:
            count = common_count(self._plan, self._tolerance) - len(kept)
            added = common_subset([w for w in todo if w not in kept], max(0, count), self._seed)
            self._shards.choose([*chosen, *(workload.digest for workload in added)])
            kept += added
        self._common = tuple(kept)
        return todo

    def _look_first(self) -> None:
        """Take a burst of each common workload on every device: one that is off by far is to do nothing else."""
        alive = self._alive()
        if not self._open() or len(alive) < 2:
            return
        lacking = {host: [w for w in self._common if self._had(host, w) is None] for host in alive}
        self._progress.waiting = self._bursts_to_come(alive) - sum(map(len, lacking.values()))
        self._fill_hosts({host: some for host, some in lacking.items() if some}, self._plan.with_rounds(1))
        self._note_agreement()

    def _bursts_to_come(self, hosts: Sequence[FleetHost]) -> int:
        """Bursts that are sure to be needed, before anything was handed out."""
        least = self._plan.least_bursts
        had = {w: [_size(self._had(host, w)) for host in hosts] for w in {*self._open(), *self._common}}
        once = sum(max(1, least - max(sizes)) for w, sizes in had.items() if w not in self._common)
        return once + sum(max(0, least - size) for w in self._common for size in had[w])

    def _fill(self, todo: Sequence[Workload]) -> None:
        """Measure in waves, until nothing is left that a device could take over from one that was lost."""
        rest = [workload for workload in todo if workload not in self._common]
        while self._open() and (able := [host for host in self._alive() if host.name not in self._off]):
            shares = balanced_shares(rest, [host.name for host in able], self._begun(rest, able), self._seed)
            self._owners |= {workload: name for name, share in shares.items() for workload in share}
            self._progress.waiting = 0
            for host in able:
                self._hand_over(host, shares[host.name])
            self._fill_hosts({host: [*self._common, *shares[host.name]] for host in able}, self._plan)
            self._note_agreement()
            self._merge()
            lost = {host.name for host in self._hosts.values() if host.lost}
            rest = [w for w in self._open() if self._owners.get(w) in lost]
            if not rest or self._is_late():
                return

    def _begun(self, workloads: Iterable[Workload], hosts: Sequence[FleetHost]) -> dict[Workload, str]:
        """Which device has most of what is known of a workload in its table."""
        begun = {}
        for workload in workloads:
            sizes = {host.name: _size(self._had(host, workload)) for host in hosts}
            best = max(sizes, key=sizes.__getitem__)
            if sizes[best] > 0:
                begun[workload] = best
        return begun

    def _hand_over(self, host: FleetHost, share: Sequence[Workload]) -> None:
        """Give a device the bursts that the main table has of what it shall go on with."""
        for workload in share:
            known, had = self._known(workload), self._had(host, workload)
            is_behind = not bursts_beyond(known, had) and bool(bursts_beyond(had, known))
            if known is not None and is_behind and workload not in self._afresh:
                host.writer.append(known)

    def _fill_hosts(self, shares: Mapping[FleetHost, Sequence[Workload]], plan: SamplingPlan) -> None:
        limit_s = max(0.0, self._until_s - time.monotonic())
        jobs = {
            host: partial(
                host.fill,
                share,
                plan,
                again=self._is_stale,
                limit_s=limit_s,
                seed=self._seed,
                tell=partial(self._progress.note, host.name),
            )
            for host, share in shares.items()
        }
        self._together(jobs)
        self._progress.left.clear()

    def _is_stale(self, outcome: Outcome) -> bool:
        """Whether a row of a device's own table is what the main table has and shall be measured again."""
        return outcome.workload in self._afresh and not bursts_beyond(self._known(outcome.workload), outcome)

    def _is_late(self) -> bool:
        return time.monotonic() >= self._until_s

    def _note_agreement(self) -> None:
        """Compare the devices by what they know by now; one that was found to be off stays so."""
        rows = {host.name: self._common_rows(host) for host in self._hosts.values()}
        rows = {name: known for name, known in rows.items() if known}
        if len(rows) < 2:
            return
        earlier = {} if self._agreement is None else {d.host: d for d in self._agreement.devices if d.host in self._off}
        found = compare_devices(rows, self._tolerance)
        self._agreement = replace(found, devices=tuple(earlier.get(device.host, device) for device in found.devices))
        self._off = set(self._agreement.disagreeing)

    def _common_rows(self, host: FleetHost) -> dict[Workload, Outcome]:
        rows = {workload: self._had(host, workload) for workload in self._common}
        return {workload: row for workload, row in rows.items() if row is not None}

    def _merge(self) -> None:
        """Take the rows of devices that agree into the main table; of the common ones, one device's."""
        if self._agreement is None:
            trusted = [host for host in self._alive() if host.name not in self._off]
        else:
            trusted = [self._hosts[name] for name in self._agreement.agreeing]
        for workload in self._common:
            rows = [row for host in trusted if (row := self._had(host, workload)) is not None]
            # The device in the middle comes first, unless it went away before it was done and another one was not.
            self._take(sorted(rows, key=lambda row: (isinstance(row, Failure), lacks_bursts(row, self._plan)))[:1])
        for host in trusted:
            own = [w for w in self._wanted if w not in self._common]
            self._take(row for w in own if (row := self._had(host, w)) is not None)

    def _take(self, rows: Iterable[Outcome]) -> None:
        for row in rows:
            workload = row.workload
            if self._is_open(workload) and merge(self._writer, row, afresh=workload in self._afresh):
                self._afresh.discard(workload)

    def _tidy(self) -> dict[str, Path]:
        """Remove the shards when nothing is open; otherwise set those aside that are off. Returns where these are."""
        if not self._open():
            self._shards.clear(self._writer.table)
            return {}
        agreement = self._agreement
        off = agreement.disagreeing if agreement is not None and agreement.has_majority else ()
        return {name: path for name in off if (path := self._shards.reject(name)) is not None}

    def _summary(self, skipped: int, rejected: Mapping[str, Path]) -> FleetSummary:
        known = {workload: self._known(workload) for workload in self._wanted}
        taken = self._progress.taken
        fills = [done for host in self._hosts.values() for done in host.fills]
        open_now, folder = self._open(), self._shards.folder
        return FleetSummary(
            fill=joint_summary(known, {w for some in taken.values() for w in some}, skipped, fills),
            hosts=tuple(
                host_summary(name, taken.get(name, {}), host.lost, rejected.get(name))
                for name, host in self._hosts.items()
            ),
            common=len(self._common),
            agreement=self._agreement,
            open=open_now,
            is_late=bool(open_now) and self._is_late(),
            shards=folder if folder.exists() else None,
        )


def _wait_for_first_error(futures: Sequence[Future[None]]) -> bool:
    """Wait until all are done, or one has failed; returns whether some still run."""
    while True:
        done, running = wait(futures, _STEP_S, FIRST_EXCEPTION)
        if not running or any(future.exception() is not None for future in done):
            return bool(running)


def _size(outcome: Outcome | None) -> int:
    """How much a table knows of a workload."""
    if outcome is None:
        return 0
    return len(outcome.bursts) if isinstance(outcome, Measurement) else 1
