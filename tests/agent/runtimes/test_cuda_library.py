"""CUDA's runtime library by ctypes, played by a library of the same functions."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from agent.loop import ProfilingError
from agent.runtimes import cuda_library
from agent.runtimes.cuda_library import LibraryCuda
from agent.runtimes.cuda_stream import CudaError
from tests.agent.old_pythons import run_alone


@pytest.mark.usefixtures("cudart")
def test_devices_are_counted_and_a_driver_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LibraryCuda.count_devices() == 1
    monkeypatch.setenv("CUDART_DEVICES", "-1")
    with pytest.raises(CudaError, match=r"cudaGetDeviceCount: no driver \(35\)"):
        LibraryCuda.count_devices()


def test_without_the_library_it_says_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_library, "LIBRARIES", ("libcudart.so.none",))
    with pytest.raises(ImportError, match=r"libcudart\.so\.none"):
        LibraryCuda.count_devices()


@pytest.mark.usefixtures("cudart")
def test_bytes_arrive_in_memory_and_are_cleared_there() -> None:
    with LibraryCuda() as cuda:
        address = cuda.allocate(6)
        cuda.copy_in(address, b"a\0bcde")
        assert ctypes.string_at(address, 6) == b"a\0bcde"
        cuda.clear(address, 2)
        assert ctypes.string_at(address, 6) == b"\0\0bcde"
        assert cuda.l2_bytes == 524288


def test_events_tell_the_time_between_them_by_the_clock_of_the_device(cudart: Any) -> None:
    with LibraryCuda() as cuda:
        start, end = cuda.event(), cuda.event()
        cuda.record(start)
        cudart.cudart_wait(ctypes.c_float(2.5))
        cuda.record(end)
        cuda.synchronise()
        assert cuda.elapsed_s(start, end) == pytest.approx(0.0025)


@pytest.mark.usefixtures("cudart")
def test_what_is_captured_is_launched_as_one_graph() -> None:
    launches: list[int] = []
    with LibraryCuda() as cuda:
        replay = cuda.capture(lambda: launches.append(cuda.stream))
        start, end = cuda.event(), cuda.event()
        cuda.record(start)
        replay()
        replay()
        cuda.record(end)
        assert cuda.elapsed_s(start, end) == pytest.approx(0.002)
    assert len(launches) == 1
    assert launches[0] != 0


@pytest.mark.usefixtures("cudart")
def test_a_launch_that_fails_ends_the_capture_with_its_own_error() -> None:
    def refuse() -> None:
        raise ProfilingError("run", "not in a graph")

    with LibraryCuda() as cuda:
        with pytest.raises(ProfilingError, match="not in a graph"):
            cuda.capture(refuse)
        assert cuda.capture(lambda: None)


@pytest.mark.usefixtures("cudart")
def test_a_call_that_fails_is_named_with_the_words_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDART_FAULT", "cudaStreamSynchronize")
    words = r"cudaStreamSynchronize: unspecified .* \(719\)"
    with LibraryCuda() as cuda, pytest.raises(CudaError, match=words) as raised:
        cuda.synchronise()
    assert raised.value.stage == "run"


TIME_A_GRAPH = """
from agent.runtimes import cuda_library
from agent.runtimes.cuda_timing import LaunchTimer
cuda_library.LIBRARIES = (%r,)
with cuda_library.LibraryCuda() as cuda:
    timer = LaunchTimer(cuda, cuda.capture(lambda: None), cold=False)
    sys.stdout.write("%%.4f" %% timer(5))
"""


def test_an_old_python_times_graphs_with_nothing_else(old_python: Path, copied_agent: Path, cudart_file: Path) -> None:
    done = run_alone(old_python, copied_agent, TIME_A_GRAPH % str(cudart_file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0.0050"
