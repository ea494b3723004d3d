"""What every binding of CUDA gives."""

from __future__ import annotations

import pytest

from agent.loop import ProfilingError
from agent.runtimes.cuda_stream import CudaError
from tests.latency.fake_cuda import FakeCuda


def test_an_error_of_cuda_is_a_failure_of_the_run() -> None:
    with pytest.raises(ProfilingError, match="out of memory") as raised:
        raise CudaError("cudaMalloc: out of memory")
    assert raised.value.stage == "run"


def test_everything_is_released_also_after_an_error() -> None:
    cuda = FakeCuda()
    with pytest.raises(ZeroDivisionError), cuda:
        raise ZeroDivisionError
    assert cuda.closed
