"""What torch makes of a workload, to hold the shape arithmetic against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from latency import Workload, operator_of
from tests.contracts.space_contract import pass_on_norms


@dataclass(frozen=True)
class Built:
    """Shape of the output with its batch, multiply-accumulates and trainable numbers, by torch's own counts."""

    shape: tuple[int, ...]
    macs: int
    parameters: int


Build = Callable[[Workload], Built]


@pytest.fixture(scope="session")
def built_by_torch() -> Build:
    """Build on a device without memory, so that no size is too large."""

    def build(workload: Workload) -> Built:
        with torch.device("meta"):
            module = pass_on_norms(operator_of(workload).build(workload).eval())
            inputs = [torch.empty(workload.batch, *shape) for shape in workload.inputs]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            output = module(*inputs)
        flops = counter.get_total_flops()
        assert flops % 2 == 0
        return Built(tuple(output.shape), flops // 2, sum(p.numel() for p in module.parameters()))

    return build


@pytest.fixture(scope="session")
def agrees_with_torch(built_by_torch: Build) -> Callable[[Workload], None]:
    """Hold an operator's arithmetic against what torch builds and counts."""

    def check(workload: Workload) -> None:
        operator, built = operator_of(workload), built_by_torch(workload)
        # Class scores are written without the one pixel that they have.
        shape = (workload.batch, *operator.output(workload))
        assert built.shape in (shape, shape[:2] if shape[2:] == (1, 1) else shape)
        assert operator.macs(workload) == built.macs
        assert operator.parameters(workload) == built.parameters

    return check
