"""The workload that is timed between samples, to tell when the machine is slow."""

from __future__ import annotations

from agent.sentinel import TOLERANCE, Sentinel
from latency.workload import Workload

__all__ = ["TOLERANCE", "Sentinel", "sentinel_workload"]


def sentinel_workload(precision: str) -> Workload:
    """The workload that serves as sentinel: an early block, whose 8 MB of activations no core's own cache holds.

    What disturbs is a neighbour in the shared cache and on the way to memory, and only a block that needs both feels
    it. One that almost fits the core's own cache takes up to 30 % longer after some workloads than after
    others, because of what they left behind, and tells of these instead of the machine.
    """
    attributes = {"channels": 16, "kernel": 3, "stride": 1, "expansion": 1, "groups": 1, "dilation": 1}
    return Workload("inverted_residual", ((16, 128, 256),), attributes, precision)
