"""What filling a table with several devices did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency import Failure, Measurement, Outcome, Workload
from lut.agreement import FleetAgreement
from lut.filling import FillSummary


@dataclass(frozen=True)
class HostSummary:
    """What one device did in a run.

    Attributes:
        host: its name.
        measured: workloads of which it took bursts, those that all devices measure included.
        failed: workloads that failed there.
        lost: why it could not be reached any more; empty when it could.
        rejected: where the rows are that it measured in vain; None when there are none.
    """

    host: str
    measured: int
    failed: int
    lost: str = ""
    rejected: Path | None = None


@dataclass(frozen=True)
class FleetSummary:
    """What filling a table with several devices did.

    Attributes:
        fill: what is in the main table now, as of one device.
        hosts: what each device did.
        common: how many workloads all devices measured.
        agreement: whether the devices agree; None where fewer than two measured anything.
        open: workloads that the table lacks still.
        is_late: whether the time limit came first.
        shards: folder with the rows that are not in the main table; None when all are.
    """

    fill: FillSummary
    hosts: tuple[HostSummary, ...]
    common: int
    agreement: FleetAgreement | None
    open: tuple[Workload, ...]
    is_late: bool
    shards: Path | None

    @property
    def is_trusted(self) -> bool:
        """Whether no device is off, and none kept its share because nobody knows whether it is."""
        if self.agreement is None:
            return True
        return not self.agreement.disagreeing and not (self.open and self.agreement.unclear and not self.is_late)


def host_summary(host: str, taken: Mapping[Workload, Outcome], lost: str, rejected: Path | None) -> HostSummary:
    """What one device did, from the last outcome of each workload that it took."""
    measured = sum(isinstance(outcome, Measurement) for outcome in taken.values())
    return HostSummary(host, measured, len(taken) - measured, lost, rejected)


def joint_summary(
    known: Mapping[Workload, Outcome | None],
    taken: set[Workload],
    skipped: int,
    fills: Sequence[FillSummary],
) -> FillSummary:
    """What a fill of one device would say of the main table.

    Args:
        known: what the main table knows of the workloads that were wanted.
        taken: workloads that any device took bursts of in this run.
        skipped: how many were known before.
        fills: what the devices' own fills say.
    """
    measurements = [outcome for outcome in known.values() if isinstance(outcome, Measurement)]
    failures = [outcome for outcome in known.values() if isinstance(outcome, Failure)]
    endings = [outcome.stopped for outcome in measurements if outcome.workload in taken]
    setbacks = [setback for done in fills for setback in done.setbacks]
    return FillSummary(
        measured=len(endings),
        failed=sum(failure.workload in taken for failure in failures) + len(setbacks),
        skipped=skipped,
        widest=max(measurements, key=lambda m: m.relative_half_width, default=None),
        failures=tuple(failures),
        ended=dict(Counter(endings)),
        setbacks=tuple(setbacks),
    )
