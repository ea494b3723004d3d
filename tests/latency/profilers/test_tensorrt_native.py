"""TensorRT in this process: for real where there is a GPU, else with stand-ins for TensorRT and CUDA."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from agent.runtimes.cuda_stream import CudaError
from devices import NotAvailable, WrongUse
from latency import Failure, Measurement, Outcome, ProfilingError, Workload, example_inputs, open_profiler
from latency.profiler import Missing
from latency.profilers.tensorrt_native import TensorRtFamilyProfiler, TensorRtProfiler, TensorRtRtxProfiler
from tests.contracts.examples import DEVICE, QUICK, block, decoder, idle
from tests.contracts.profiler_contract import ProfilerContract
from tests.latency.fake_cuda import FakeCuda
from tests.latency.fake_tensorrt import NAMES, Fake

Install = Callable[..., "tuple[Fake, list[FakeCuda]]"]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts stand-ins for ``tensorrt`` and CUDA in place; the second is one for each time it was opened."""

    def put(version: str = "10.3.0", **settings: bool) -> tuple[Fake, list[FakeCuda]]:
        fake, opened = Fake(version, **settings), []

        class Recorded(FakeCuda):
            def __init__(self) -> None:
                super().__init__()
                opened.append(self)

        monkeypatch.setitem(sys.modules, "tensorrt", fake.module)
        monkeypatch.setattr(sys.modules[TensorRtProfiler.__module__], "find_cuda", lambda: Recorded)
        return fake, opened

    return put


def measured(workload: Workload, **options: str) -> Outcome:
    return TensorRtProfiler(DEVICE, idle, 1, options).measure(workload, QUICK)


def failed(workload: Workload, **options: str) -> Failure:
    outcome = measured(workload, **options)
    assert isinstance(outcome, Failure)
    return outcome


class TestTensorRt(ProfilerContract):
    kind = TensorRtProfiler


class TestTensorRtRtx(ProfilerContract):
    kind = TensorRtRtxProfiler


class TestTensorRt8OfStandIns(ProfilerContract):
    kind = TensorRtProfiler

    @pytest.fixture(autouse=True)
    def _stand_ins(self, install: Install) -> None:
        install("8.6.1")


class TestTensorRt11OfStandIns(ProfilerContract):
    kind = TensorRtProfiler

    @pytest.fixture(autouse=True)
    def _stand_ins(self, install: Install) -> None:
        install("11.4.0")


@pytest.mark.parametrize("version", NAMES)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_version_measures_fp32_and_fp16(install: Install, version: str, precision: str) -> None:
    install(version)
    outcome = measured(replace(block(), precision=precision))
    assert isinstance(outcome, Measurement), outcome
    assert outcome.samples_s == pytest.approx([1e-3] * len(outcome.samples_s))
    assert outcome.environment.runtime.versions["tensorrt"] == version


def test_a_measurement_tells_memory_and_the_time_to_enqueue(install: Install) -> None:
    install()
    outcome = measured(block())
    assert isinstance(outcome, Measurement), outcome
    assert outcome.costs.peak_memory_bytes is not None
    assert outcome.costs.peak_memory_bytes > 2000
    assert outcome.costs.enqueue_s is not None


def test_a_graph_is_captured_after_a_first_launch_and_replayed(install: Install) -> None:
    _, opened = install()
    with TensorRtProfiler(DEVICE, idle).open(block()) as run:
        run(2)
    assert opened[0].log == [
        *("launch", "synchronise", "capture", "launch", "captured"),
        *("clear", "replay", "record", "replay", "replay", "record"),
    ]


def test_a_stream_is_launched_call_by_call_and_a_cold_cache_cleared_before_each(install: Install) -> None:
    _, opened = install()
    with TensorRtProfiler(DEVICE, idle, 1, {"launch": "stream", "l2": "cold"}).open(block()) as run:
        run(2)
    assert opened[0].log == ["launch", "synchronise", *["clear", "record", "launch", "record"] * 2]


def test_inputs_reach_the_device_in_the_order_and_type_of_the_graph(install: Install) -> None:
    fake, opened = install()
    workload = replace(decoder(), precision="fp16")
    with TensorRtProfiler(DEVICE, idle).open(workload):
        addresses = dict(fake.said("set_tensor_address"))
        copied = [opened[0].inputs[addresses[f"input_{index}"]] for index in range(2)]
    for data, tensor in zip(copied, example_inputs(workload), strict=True):
        assert np.array_equal(data.view(np.float16).reshape(-1), tensor.half().numpy().reshape(-1))
    assert addresses["output"] not in opened[0].inputs


def test_everything_is_released_and_every_open_builds_anew(install: Install) -> None:
    fake, opened = install()
    for _ in range(2):
        assert isinstance(measured(block()), Measurement)
    assert [cuda.closed for cuda in opened] == [True, True]
    assert fake.builds == 2


def test_options_that_change_an_engine_reach_the_builder(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fake, _ = install()
    assert isinstance(measured(block()), Measurement)
    assert fake.said("clear_flag") == [("TF32",)]
    assert not list(tmp_path.iterdir())
    assert isinstance(measured(block(), tf32="yes", timing_cache="shared"), Measurement)
    assert fake.said("clear_flag") == [("TF32",)]
    (file,) = (tmp_path / "paceline").iterdir()
    assert file.name == f"tensorrt-10.3.0-{DEVICE.fingerprint}.timing"


def test_rtx_has_no_timing_cache_to_choose() -> None:
    assert "timing_cache" in TensorRtProfiler.choices
    with pytest.raises(WrongUse, match="timing_cache"):
        TensorRtRtxProfiler.chosen({"timing_cache": "shared"})


def test_int8_is_refused_by_11_and_the_next_workload_is_measured(install: Install) -> None:
    install("11.4.0")
    failure = failed(replace(block(), precision="int8"))
    assert failure.stage == "build"
    assert "Q/DQ" in failure.reason
    assert isinstance(measured(block()), Measurement)


def test_an_engine_that_is_not_loaded_is_a_failure_to_load(install: Install) -> None:
    install(has_driver=False)
    failure = failed(block())
    assert failure.stage == "load"
    assert "cudaError 35" in failure.reason


def test_memory_that_runs_out_is_a_failure_to_load(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()

    def refuse(_: FakeCuda, size_bytes: int) -> int:
        raise CudaError(f"cudaMalloc: out of memory for {size_bytes}")

    monkeypatch.setattr(FakeCuda, "allocate", refuse)
    failure = failed(block())
    assert failure.stage == "load"
    assert "out of memory" in failure.reason


def test_a_launch_that_fails_while_it_is_timed_is_a_failure_to_run(install: Install) -> None:
    fake, _ = install()
    with TensorRtProfiler(DEVICE, idle, 1, {"launch": "stream"}).open(block()) as run:
        assert run(1) > 0
        fake.launches = False
        with pytest.raises(ProfilingError, match="did not launch") as raised:
            run(1)
    assert raised.value.stage == "run"


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [(TensorRtProfiler, r"paceline\[tensorrt\]"), (TensorRtRtxProfiler, r"paceline\[tensorrt-rtx\]")],
)
def test_a_module_that_is_missing_is_said_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, kind: type[TensorRtFamilyProfiler], remedy: str
) -> None:
    monkeypatch.setitem(sys.modules, kind.module, None)
    with pytest.raises(NotAvailable, match=remedy):
        open_profiler(kind.name, DEVICE, idle)


def test_bindings_without_their_libraries_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> ModuleType:
        raise OSError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(sys.modules[TensorRtProfiler.__module__], "import_module", refuse)
    missing = TensorRtProfiler.missing()
    assert missing is not None
    assert "libnvinfer.so.10" in missing.reason


def test_a_runtime_that_cannot_build_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    missing = TensorRtProfiler.missing()
    assert missing is not None
    assert "has no builder" in missing.reason


def test_without_a_driver_nothing_of_tensorrt_is_touched(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, _ = install()
    nothing = Missing("no NVIDIA driver or no GPU", "Install it.")
    monkeypatch.setattr(sys.modules[TensorRtProfiler.__module__], "find_cuda", lambda: nothing)
    with pytest.raises(NotAvailable, match="no NVIDIA driver"):
        TensorRtProfiler(DEVICE, idle)
    assert not fake.calls


def test_fewer_than_one_thread_is_refused(install: Install) -> None:
    install()
    with pytest.raises(WrongUse, match="at least 1 thread; got 0"):
        TensorRtProfiler(DEVICE, idle, 0)
