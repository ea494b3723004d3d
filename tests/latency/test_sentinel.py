"""The sentinel's workload: large enough, in every precision, and looked at through a profiler."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from latency import OPERATORS, PRECISION_BYTES, DummyProfiler, Sentinel, sentinel_workload
from tests.contracts.examples import DEVICE, idle


@pytest.mark.parametrize("precision", PRECISION_BYTES)
def test_its_workload_exists_in_every_precision(precision: str) -> None:
    workload = sentinel_workload(precision)
    assert workload.precision == precision
    assert OPERATORS[workload.operator].macs(workload) > 1e6


def test_its_workload_is_larger_than_the_cache_of_one_core() -> None:
    workload = sentinel_workload("fp32")
    assert OPERATORS[workload.operator].activation_bytes(workload) > 4 * 2**20


def test_it_looks_through_the_eyes_of_a_profiler() -> None:
    profiler = DummyProfiler(DEVICE, idle, noise=0.0)
    with profiler.open(sentinel_workload("fp32")) as run:
        looks: Callable[[], float] = Sentinel(run).look
        assert looks() == pytest.approx(run(1))
