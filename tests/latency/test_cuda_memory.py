"""Memory, stream and clock of a CUDA device: the real bindings without a driver, and stand-ins of each library."""

from __future__ import annotations

import ctypes
import enum
import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agent.runtimes.cuda_stream import Cuda, CudaError
from latency import cuda_memory
from latency.cuda_memory import BindingsCuda, PycudaCuda, TorchCuda, find_cuda
from latency.profiler import Missing

try:
    from cuda.bindings import runtime as real_runtime
except ImportError:
    real_runtime = None

has_driver = not isinstance(find_cuda(), Missing)
needs_bindings = pytest.mark.skipif(real_runtime is None, reason="cuda-bindings is not installed")
needs_no_driver = pytest.mark.skipif(has_driver, reason="there is a driver")
needs_gpu = pytest.mark.skipif(not has_driver, reason="there is no NVIDIA driver")


Success = enum.IntEnum("Success", {"cudaSuccess": 0, "cudaErrorInsufficientDriver": 35})


class Runtime(ModuleType):
    """``cuda.bindings.runtime`` as far as it is used: every call is recorded and succeeds with a number."""

    _RESULTS = (
        "Create",
        "GetDevice",
        "GetDeviceCount",
        "Attribute",
        "Malloc",
        "ElapsedTime",
        "EndCapture",
        "WithFlags",
    )

    def __init__(self) -> None:
        super().__init__("runtime")
        self.__dict__.update(
            cudaError_t=Success,
            cudaMemcpyKind=SimpleNamespace(cudaMemcpyHostToDevice=1),
            cudaDeviceAttr=SimpleNamespace(cudaDevAttrL2CacheSize=38),
            cudaStreamCaptureMode=SimpleNamespace(cudaStreamCaptureModeThreadLocal=1),
        )
        self.calls: list[tuple[Any, ...]] = []
        self.failing = ""

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if not name.startswith("cuda") or (real_runtime is not None and not hasattr(real_runtime, name)):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append((name, *arguments))
            if name == self.failing:
                return (Success.cudaErrorInsufficientDriver, None)
            return (Success.cudaSuccess, 500) if name.endswith(self._RESULTS) else (Success.cudaSuccess,)

        return call

    def cudaGetErrorString(self, code: Success) -> tuple[Success, bytes]:  # noqa: N802 - the name is CUDA's
        return Success.cudaSuccess, b"CUDA driver version is insufficient"

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    fake = Runtime()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", fake)
    return fake


@pytest.fixture
def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No binding of CUDA is installed."""
    for name in ("cuda.bindings.runtime", "cuda.cudart", "pycuda", "torch"):
        monkeypatch.setitem(sys.modules, name, None)


@needs_bindings
@needs_no_driver
def test_the_real_bindings_without_a_driver_are_missing_and_not_a_crash() -> None:
    missing = find_cuda()
    assert isinstance(missing, Missing)
    assert "no NVIDIA driver or no GPU" in missing.reason
    assert "cudaErrorInsufficientDriver, 35" in missing.reason
    assert "nvidia-smi" in missing.remedy


@needs_bindings
@needs_no_driver
def test_the_real_bindings_without_a_driver_name_the_call_that_failed() -> None:
    with pytest.raises(CudaError, match=r"cudaStreamCreate: .* \(cudaErrorInsufficientDriver, 35\)") as raised:
        BindingsCuda()
    assert raised.value.stage == "run"


@needs_no_driver
def test_a_torch_for_the_processor_counts_as_not_installed() -> None:
    torch = pytest.importorskip("torch")
    if torch.version.cuda is not None:
        pytest.skip("torch is built for CUDA")
    with pytest.raises(ImportError, match="without CUDA"):
        TorchCuda.count_devices()


@pytest.mark.usefixtures("_nothing")
def test_without_any_binding_it_says_what_to_install() -> None:
    missing = find_cuda()
    assert isinstance(missing, Missing)
    assert "no Python binding of CUDA" in missing.reason
    assert "pip install cuda-bindings" in missing.remedy


def test_the_first_binding_that_finds_a_device_is_taken(runtime: Runtime) -> None:
    assert find_cuda() is BindingsCuda
    runtime.failing = "cudaGetDeviceCount"
    assert find_cuda() is not BindingsCuda


def test_the_bindings_of_cuda_11_have_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Runtime()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", fake)
    assert BindingsCuda.count_devices() == 500
    assert fake.names == ["cudaGetDeviceCount"]


def test_all_that_was_made_is_released_last_first(runtime: Runtime) -> None:
    with BindingsCuda() as cuda:
        cuda.allocate(16)
        cuda.event()
        cuda.capture(lambda: None)()
    assert runtime.names[-6:] == [
        "cudaGraphLaunch",
        "cudaGraphExecDestroy",
        "cudaGraphDestroy",
        "cudaEventDestroy",
        "cudaFree",
        "cudaStreamDestroy",
    ]


def test_the_bindings_are_told_sizes_and_say_milliseconds(runtime: Runtime) -> None:
    cuda, data = BindingsCuda(), np.arange(16, dtype=np.uint8)
    address = cuda.allocate(16)
    cuda.copy_in(address, data)
    cuda.clear(address, 16)
    cuda.record(cuda.event())
    cuda.synchronise()
    assert cuda.elapsed_s("start", "end") == pytest.approx(0.5)
    assert (cuda.l2_bytes, cuda.stream) == (500, 500)
    assert ("cudaMalloc", 16) in runtime.calls
    assert ("cudaMemcpy", 500, data.ctypes.data, 16, 1) in runtime.calls
    assert ("cudaMemsetAsync", 500, 0, 16, 500) in runtime.calls
    assert runtime.names.index("cudaEventSynchronize") < runtime.names.index("cudaEventElapsedTime")


def test_a_call_that_fails_is_told_in_the_words_of_cuda(runtime: Runtime) -> None:
    cuda = BindingsCuda()
    runtime.failing = "cudaMalloc"
    with pytest.raises(CudaError, match=r"cudaMalloc: CUDA driver version is insufficient .*35"):
        cuda.allocate(16)


def test_a_launch_that_fails_in_a_capture_ends_the_capture_and_keeps_its_own_words(runtime: Runtime) -> None:
    cuda = BindingsCuda()

    def launch() -> None:
        raise CudaError("not allowed in a graph")

    with pytest.raises(CudaError, match="not allowed in a graph"):
        cuda.capture(launch)
    assert runtime.names[-1] == "cudaStreamEndCapture"


def torch_for_cuda(log: list[str]) -> ModuleType:
    """Torch as far as it is used, with its real tensors, on the processor."""
    torch = pytest.importorskip("torch")

    def event(*, enable_timing: bool) -> Any:
        assert enable_timing
        return SimpleNamespace(
            record=lambda stream: log.append(f"record {stream.cuda_stream}"),
            synchronize=lambda: log.append("event"),
            elapsed_time=lambda end: 500.0,
        )

    stream = SimpleNamespace(cuda_stream=77, device="cpu", synchronize=lambda: log.append("synchronize"))
    fake = ModuleType("torch")
    fake.__dict__.update(
        empty=torch.empty,
        uint8=torch.uint8,
        from_numpy=torch.from_numpy,
        version=SimpleNamespace(cuda="13.0"),
        cuda=SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 2,
            current_stream=lambda: SimpleNamespace(cuda_stream=1),
            Stream=lambda: stream,
            set_stream=lambda stream: log.append(f"set {stream.cuda_stream}"),
            Event=event,
            CUDAGraph=lambda: SimpleNamespace(replay=lambda: log.append("replay")),
            graph=lambda graph, *, stream, capture_error_mode: nullcontext(log.append(capture_error_mode)),
            get_device_properties=lambda device: SimpleNamespace(L2_cache_size=2**19),
        ),
    )
    return fake


def test_torch_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    monkeypatch.setitem(sys.modules, "torch", torch_for_cuda(log))
    assert TorchCuda.count_devices() == 2
    with TorchCuda() as cuda:
        address = cuda.allocate(16)
        memory = (ctypes.c_uint8 * 16).from_address(address)
        cuda.copy_in(address, np.full(16, 7, np.uint8))
        assert list(memory) == [7] * 16
        cuda.clear(address, 8)
        assert list(memory) == [0] * 8 + [7] * 8
        start, end = cuda.event(), cuda.event()
        cuda.record(start)
        assert cuda.elapsed_s(start, end) == pytest.approx(0.5)
        assert (cuda.stream, cuda.l2_bytes) == (77, 2**19)
        launch = cuda.capture(lambda: log.append("launch"))
        launch()
        with pytest.raises(CudaError, match=r"torch\.empty"):
            cuda.allocate(-1)
    assert log == ["set 77", "synchronize", "record 77", "event", "thread_local", "launch", "replay", "set 1"]


def test_a_torch_for_cuda_without_a_driver_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = torch_for_cuda([])
    fake.cuda.is_available = lambda: False
    monkeypatch.setitem(sys.modules, "torch", fake)
    with pytest.raises(CudaError, match="is_available"):
        TorchCuda.count_devices()


class PycudaError(Exception):
    pass


def pycuda_driver(log: list[str], devices: int = 1) -> ModuleType:
    """``pycuda.driver`` as far as it is used, after its documentation."""

    def mem_alloc(size_bytes: int) -> Any:
        if size_bytes > 100:
            raise PycudaError("out of memory")
        log.append("mem_alloc")
        return Allocation(log)

    context = SimpleNamespace(
        push=lambda: log.append("push"),
        pop=lambda: log.append("pop"),
        detach=lambda: log.append("detach"),
        get_device=lambda: SimpleNamespace(get_attribute=lambda attribute: attribute),
    )
    device: Any = lambda index: SimpleNamespace(retain_primary_context=lambda: context)  # noqa: E731 - needs an attribute
    device.count = lambda: devices
    driver = ModuleType("pycuda.driver")
    driver.__dict__.update(
        Error=PycudaError,
        init=lambda: None,
        Device=device,
        Stream=lambda: SimpleNamespace(handle=77, synchronize=lambda: log.append("synchronize")),
        Event=lambda: SimpleNamespace(
            record=lambda stream: log.append(f"record {stream.handle}"),
            synchronize=lambda: log.append("event"),
            time_till=lambda end: 500.0,
        ),
        device_attribute=SimpleNamespace(L2_CACHE_SIZE=2**19),
        mem_alloc=mem_alloc,
        memcpy_htod=lambda address, data: log.append(f"copy {data.nbytes} to {address}"),
        memset_d8_async=lambda address, value, size, stream: log.append(f"clear {size} at {address}"),
    )
    return driver


class Allocation:
    def __init__(self, log: list[str]) -> None:
        self._log = log

    def __int__(self) -> int:
        return 4096

    def free(self) -> None:
        self._log.append("free")


def test_pycuda_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    monkeypatch.setitem(sys.modules, "pycuda.driver", pycuda_driver(log))
    assert PycudaCuda.count_devices() == 1
    with PycudaCuda() as cuda:
        address = cuda.allocate(16)
        cuda.copy_in(address, np.zeros(16, np.uint8))
        cuda.clear(address, 16)
        start, end = cuda.event(), cuda.event()
        cuda.record(start)
        assert cuda.elapsed_s(start, end) == pytest.approx(0.5)
        cuda.synchronise()
        assert (cuda.stream, cuda.l2_bytes) == (77, 2**19)
        with pytest.raises(CudaError, match="mem_alloc: out of memory"):
            cuda.allocate(101)
        with pytest.raises(CudaError, match="set the option launch to stream"):
            cuda.capture(lambda: None)
    assert log == [
        "push",
        "mem_alloc",
        "copy 16 to 4096",
        "clear 16 at 4096",
        "record 77",
        "event",
        "synchronize",
        "free",
        "pop",
        "detach",
    ]


@pytest.mark.usefixtures("_nothing")
def test_a_pycuda_without_a_driver_is_a_refusal_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    missing = find_cuda()
    assert isinstance(missing, Missing)
    assert "pycuda: " in missing.reason


@pytest.mark.usefixtures("_nothing")
def test_a_pycuda_that_finds_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    monkeypatch.setitem(sys.modules, "pycuda.driver", pycuda_driver([], devices=0))
    missing = find_cuda()
    assert isinstance(missing, Missing)
    assert "pycuda finds 0 devices" in missing.reason


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", cuda_memory._KINDS, ids=lambda kind: kind.name)
def test_on_a_gpu_clearing_more_takes_longer(kind: type[Cuda]) -> None:
    try:
        kind.count_devices()
    except (ImportError, CudaError) as error:
        pytest.skip(f"{kind.name}: {error}")
    with kind() as cuda:
        address = cuda.allocate(2**28)
        cuda.copy_in(address, np.ones(1000, np.uint8))
        times = []
        for size_bytes in (2**10, 2**28):
            start, end = cuda.event(), cuda.event()
            cuda.clear(address, size_bytes)
            cuda.record(start)
            for _ in range(10):
                cuda.clear(address, size_bytes)
            cuda.record(end)
            times.append(cuda.elapsed_s(start, end))
        assert 0 < times[0] < times[1]


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", [BindingsCuda, TorchCuda], ids=lambda kind: kind.name)
def test_on_a_gpu_a_graph_repeats_what_was_captured(kind: type[Cuda]) -> None:
    try:
        kind.count_devices()
    except (ImportError, CudaError) as error:
        pytest.skip(f"{kind.name}: {error}")
    with kind() as cuda:
        address = cuda.allocate(2**26)
        launch = cuda.capture(lambda: cuda.clear(address, 2**26))
        start, end = cuda.event(), cuda.event()
        cuda.record(start)
        for _ in range(10):
            launch()
        cuda.record(end)
        assert cuda.elapsed_s(start, end) > 0
