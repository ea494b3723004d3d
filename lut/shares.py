"""Which device of a fleet measures what: a common subset that proves them equal, and a share of the rest."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from latency import Z95, SamplingPlan, Workload, operator_of

_LEAST_COMMON = 12
"""Fewer workloads than this are too few for a trimmed mean that one odd block in ten does not blur. More than twice as
many hardly narrow the interval of a device, because the spread between processes stays (benchmarks/fleet.py)."""

_BLOCK_SPREAD = 0.01
"""Standard deviation of what sets one block apart between two devices, as a share of what they have in common.

Two fills of one machine: half of the blocks are within 0.44 % of the common factor, nine in ten within 1.8 %
(benchmarks/results/repeatability_amd_epyc_2_cores.txt), which is 0.7 to 1.1 % for a normal law.
"""


def common_count(plan: SamplingPlan, tolerance: float) -> int:
    """How many workloads all devices measure.

    So many that the 95 % interval of what two devices have in common is within half the tolerance: then two that are
    equal are hardly ever called different, and two that differ by one and a half times the tolerance hardly ever equal.

    Args:
        plan: its precision is the 95 % interval of each time.
        tolerance: share by which devices may differ.
    """
    spread = math.sqrt(2 * (plan.precision / Z95) ** 2 + _BLOCK_SPREAD**2)
    return max(_LEAST_COMMON, math.ceil((Z95 * spread / (tolerance / 2)) ** 2))


def common_subset(workloads: Sequence[Workload], count: int, seed: int) -> tuple[Workload, ...]:
    """Some of the workloads, over the whole range of MACs: one at random from each of ``count`` equal slices."""
    count = min(count, len(workloads))
    order = sorted(workloads, key=lambda workload: (_macs(workload), workload.digest))
    draw = random.Random(f"{seed} common")
    edges = [place * len(order) // count for place in range(count + 1)] if count else []
    return tuple(draw.choice(order[low:high]) for low, high in pairwise(edges))


def balanced_shares(
    workloads: Sequence[Workload], hosts: Sequence[str], begun: Mapping[Workload, str], seed: int
) -> dict[str, list[Workload]]:
    """Split workloads over equally fast devices: the largest first, each to the device with least to do.

    A burst costs a fixed time and some time for each MAC; without knowing the device, the typical block is taken to
    spend as much on the one as on the other. So the shares are alike in number and in MACs.

    Args:
        workloads: what is to be measured once.
        hosts: names of the devices.
        begun: the device that has begun a workload, where one has: it goes on with it.
        seed: of the order of workloads that cost the same.

    Returns:
        The share of each device, in the order of ``workloads``; the same for the same input.
    """
    costs = _costs(workloads)
    spent = dict.fromkeys(hosts, 0.0)
    owners = {workload: begun[workload] for workload in workloads if begun.get(workload) in spent}
    for workload, host in owners.items():
        spent[host] += costs[workload]
    rest = [workload for workload in workloads if workload not in owners]
    random.Random(f"{seed} shares").shuffle(rest)
    for workload in sorted(rest, key=lambda workload: -costs[workload]):
        owners[workload] = min(hosts, key=spent.__getitem__)
        spent[owners[workload]] += costs[workload]
    return {host: [workload for workload in workloads if owners[workload] == host] for host in hosts}


def _costs(workloads: Sequence[Workload]) -> dict[Workload, float]:
    macs = {workload: _macs(workload) for workload in workloads}
    fixed = max(1.0, median(macs.values())) if macs else 1.0
    return {workload: fixed + amount for workload, amount in macs.items()}


def _macs(workload: Workload) -> int:
    return operator_of(workload).macs(workload)
