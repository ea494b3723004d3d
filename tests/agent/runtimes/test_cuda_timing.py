"""Timing launches on a stream that is simulated."""

from __future__ import annotations

import pytest

from agent.runtimes.cuda_timing import LaunchTimer
from tests.latency.fake_cuda import FakeCuda


def timer(cuda: FakeCuda, *, cold: bool = False) -> LaunchTimer:
    return LaunchTimer(cuda, lambda: void(cuda.stream), cold=cold)


def void(_: int) -> None:
    pass


@pytest.mark.parametrize("cold", [False, True])
def test_calls_take_the_time_of_the_device_and_clearing_takes_none(cold: bool) -> None:
    cuda = FakeCuda(launch_s=2e-3)
    assert timer(cuda, cold=cold)(5) == pytest.approx(10e-3)


def test_warm_calls_follow_each_other_after_one_that_is_not_timed() -> None:
    cuda = FakeCuda()
    timer(cuda)(3)
    assert cuda.log == ["clear", "launch", "record", "launch", "launch", "launch", "record"]


def test_before_each_cold_call_the_cache_is_cleared() -> None:
    cuda = FakeCuda()
    timer(cuda, cold=True)(2)
    assert cuda.log == ["clear", "record", "launch", "record"] * 2


@pytest.mark.parametrize(("l2_bytes", "scratch_bytes"), [(0, 64 * 2**20), (50 * 2**20, 200 * 2**20)])
def test_what_is_cleared_is_larger_than_the_cache(l2_bytes: int, scratch_bytes: int) -> None:
    cuda = FakeCuda(l2_bytes=l2_bytes)
    timer(cuda)
    assert list(cuda.allocated.values()) == [scratch_bytes]


def test_the_host_time_of_a_launch_is_known_after_the_first() -> None:
    timed = timer(FakeCuda())
    assert timed.enqueue_s is None
    timed(4)
    assert timed.enqueue_s is not None
    assert timed.enqueue_s > 0
