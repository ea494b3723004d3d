"""TensorRT's Python package with CUDA by ctypes, both played."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agent.loop import ProfilingError
from agent.nvml import forget
from agent.runtimes import Model
from agent.runtimes.tensorrt_engines import Port
from agent.runtimes.tensorrt_python import TensorRtRuntime, normal_numbers
from latency.profilers.tensorrt_native import TensorRtProfiler
from tests.contracts.examples import DEVICE, block, idle
from tests.contracts.runtime_contract import RuntimeContract, model_of
from tests.latency.fake_cuda import FakeCuda
from tests.latency.fake_tensorrt import NAMES, Fake

Play = Callable[..., Fake]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, cudart: object) -> Iterator[Play]:
    """Puts a stand-in where ``import tensorrt`` finds it, and the one for CUDA where the host looks for a binding."""
    assert cudart is not None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    forget()
    monkeypatch.setattr("latency.profilers.tensorrt_native.find_cuda", lambda: FakeCuda)

    def put(version: str = "8.6.1", **settings: bool) -> Fake:
        fake = Fake(version, **settings)
        monkeypatch.setitem(sys.modules, "tensorrt", fake.module)
        return fake

    yield put
    forget()


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_of(block(), tmp_path)


class TestTensorRtRuntime(RuntimeContract):
    kind = TensorRtRuntime

    @pytest.fixture(autouse=True)
    def _stand_in(self, play: Play) -> None:
        play("8.6.1", has_levels=False)


class TestTensorRt10(RuntimeContract):
    kind = TensorRtRuntime

    @pytest.fixture(autouse=True)
    def _stand_in(self, play: Play) -> None:
        play("10.3.0")


@pytest.mark.gpu
class TestRealTensorRt(RuntimeContract):
    kind = TensorRtRuntime


@pytest.mark.parametrize("version", NAMES)
@pytest.mark.parametrize("options", [{}, {"launch": "stream", "l2": "cold", "tf32": "yes", "timing_cache": "shared"}])
def test_it_records_what_the_profiler_of_the_host_does(play: Play, version: str, options: dict[str, str]) -> None:
    play(version)
    runtime = TensorRtRuntime(1, options)
    recorded = TensorRtProfiler(DEVICE, idle, 1, options).environment.runtime
    assert {**runtime.versions(), "torch": recorded.versions["torch"]} == recorded.versions
    assert {**runtime.recorded_options(), "opset": "17"} == recorded.options


def test_a_call_takes_the_time_of_the_device(play: Play, model: Model) -> None:
    play()
    with TensorRtRuntime(1, {}).open(model) as run:
        assert run(7) == pytest.approx(7e-3)
        costs = run.costs()
    assert costs["peak_memory_bytes"] > 1000
    assert costs["enqueue_s"] > 0


def test_inputs_and_outputs_get_memory_and_inputs_numbers(play: Play, model: Model) -> None:
    fake = play()
    with TensorRtRuntime(1, {}).open(model) as run:
        run(1)
    assert sorted(name for name, _ in fake.said("set_tensor_address")) == ["input_0", "output"]


@pytest.mark.parametrize(
    ("version", "graphs"),
    [
        ("8.6.1", {"fp32": "fp32", "fp16": "fp16", "int8": "fp32"}),
        ("10.3.0", {"fp32": "fp32", "fp16": "fp16", "bf16": "bf16", "int8": "fp32"}),
        ("11.4.0", {"fp32": "fp32", "fp16": "fp16"}),
    ],
)
def test_each_version_has_its_precisions(play: Play, version: str, graphs: dict[str, str]) -> None:
    play(version)
    assert TensorRtRuntime(1, {}).graph_precisions() == graphs


def test_builds_that_share_their_times_keep_them_beside_the_model(play: Play, model: Model) -> None:
    play()
    with TensorRtRuntime(1, {"timing_cache": "shared"}).open(model) as run:
        run(1)
    assert Path(model.path).with_name("tensorrt-8.6.1.timing").read_bytes() == b"times;"


@pytest.mark.parametrize("fault", ["cudaMalloc", "cudaStreamCreate", "cudaStreamSynchronize"])
def test_what_cuda_refuses_before_the_first_sample_is_a_failure_to_load(
    play: Play, model: Model, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    play()
    runtime = TensorRtRuntime(1, {})
    monkeypatch.setenv("CUDART_FAULT", fault)
    with pytest.raises(ProfilingError, match=fault) as raised, runtime.open(model):
        pass
    assert raised.value.stage == "load"


def test_what_cuda_refuses_later_is_a_failure_of_the_run(
    play: Play, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    play()
    with TensorRtRuntime(1, {}).open(model) as run:
        monkeypatch.setenv("CUDART_FAULT", "cudaGraphLaunch")
        with pytest.raises(ProfilingError, match="cudaGraphLaunch") as raised:
            run(1)
    assert raised.value.stage == "run"


def test_without_package_builder_library_driver_or_gpu_it_says_which(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason() -> str:
        missing = TensorRtRuntime.missing()
        assert missing is not None
        assert missing.remedy
        return missing.reason

    play()
    assert TensorRtRuntime.missing() is None
    monkeypatch.setenv("CUDART_DEVICES", "0")
    assert "no GPU" in reason()
    monkeypatch.setenv("CUDART_DEVICES", "-1")
    assert "no driver (35)" in reason()
    monkeypatch.setattr("agent.runtimes.cuda_library.LIBRARIES", ("libcudart.so.none",))
    assert "libcudart.so.none" in reason()
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    assert "no builder" in reason()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "cannot be imported" in reason()


@pytest.mark.parametrize(("dtype", "letter", "size_bytes"), [("FLOAT", "f", 4), ("HALF", "e", 2)])
def test_inputs_are_standard_normal_in_their_type(dtype: str, letter: str, size_bytes: int) -> None:
    count = 10_000
    data = normal_numbers(Port("input_0", True, dtype, count * size_bytes))
    numbers = struct.unpack(f"={count}{letter}", data)
    assert abs(sum(numbers) / count) < 0.1
    assert 0.9 < sum(number**2 for number in numbers) / count < 1.1


def test_an_input_of_another_type_is_refused() -> None:
    with pytest.raises(ProfilingError, match="FLOAT or HALF; input_0 is INT8"):
        normal_numbers(Port("input_0", True, "INT8", 8))
