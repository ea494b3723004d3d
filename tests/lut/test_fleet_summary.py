"""What a fleet says of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lut import FillSummary
from lut.agreement import Agreement, DeviceAgreement, FleetAgreement
from lut.fleet_summary import FleetSummary, host_summary, joint_summary
from tests.contracts.examples import BLOCKS, failure, measurement

NOTHING = FillSummary(0, 0, 0, None, (), {})


def summary(*verdicts: Agreement, left: int = 0, late: bool = False) -> FleetSummary:
    devices = tuple(
        DeviceAgreement(str(number), 1.0, (0.99, 1.01), verdict, 12) for number, verdict in enumerate(verdicts)
    )
    agreement = FleetAgreement("0", devices, 0.02) if devices else None
    return FleetSummary(NOTHING, (), 12, agreement, BLOCKS[:left], late, None)


@pytest.mark.parametrize(
    ("what", "trusted"),
    [
        (summary(), True),
        (summary("agrees", "agrees"), True),
        (summary("agrees", "agrees", "disagrees"), False),
        (summary("agrees", "disagrees"), False),
        (summary("agrees", "unclear"), True),  # All was common, or taken over: nothing of the unclear one counts.
        (summary("agrees", "unclear", left=1), False),
        (summary("agrees", "unclear", left=1, late=True), True),  # There will be more bursts.
        (summary("agrees", "agrees", left=1, late=True), True),
    ],
)
def test_a_run_is_trusted_unless_a_device_is_off_or_kept_its_share(what: FleetSummary, trusted: bool) -> None:
    assert what.is_trusted is trusted


def test_the_joint_summary_is_that_of_the_main_table() -> None:
    wide = measurement(BLOCKS[1], times=[1e-3, 2e-3, 3e-3])
    known = {BLOCKS[0]: measurement(BLOCKS[0]), BLOCKS[1]: wide, BLOCKS[2]: failure(BLOCKS[2]), BLOCKS[3]: None}
    fills = [replace(NOTHING, setbacks=(failure(BLOCKS[1]),)), NOTHING]
    joint = joint_summary(known, {BLOCKS[1], BLOCKS[2]}, 1, fills)
    assert (joint.measured, joint.failed, joint.skipped, joint.ended) == (1, 2, 1, {"precise": 1})
    assert joint.widest == wide
    assert ([f.workload for f in joint.failures], joint.setbacks) == ([BLOCKS[2]], fills[0].setbacks)


def test_a_device_is_summed_up_by_the_last_outcome_of_each_workload() -> None:
    taken = {BLOCKS[0]: measurement(BLOCKS[0]), BLOCKS[1]: failure(BLOCKS[1])}
    told = host_summary("a", taken, "", None)
    assert (told.host, told.measured, told.failed) == ("a", 1, 1)
