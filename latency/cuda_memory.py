"""Memory, one stream and the clock of a CUDA device, through whichever Python binding of CUDA is there.

TensorRT brings none of the three itself. NVIDIA's samples use cuda-bindings, older ones pycuda; torch has all of it
where it is built for CUDA. Nothing outside this module knows which one it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from types import TracebackType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from agent.runtimes.cuda_stream import Cuda, CudaError
from latency.profiler import Missing, ProfilingError

Bytes = NDArray[np.uint8]


@final
class BindingsCuda(Cuda):
    """NVIDIA's cuda-bindings, or the cuda-python it grew out of."""

    name = "cuda-bindings"

    def __init__(self) -> None:
        self._runtime = _runtime_bindings()
        self._releases = ExitStack()
        (self._stream,) = self._call("cudaStreamCreate")
        self._releases.callback(self._call, "cudaStreamDestroy", self._stream)

    @classmethod
    def count_devices(cls) -> int:
        """By the runtime library; without a driver that is error 35."""
        runtime = _runtime_bindings()
        return int(_checked(runtime, "cudaGetDeviceCount")[0])

    def _call(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        return _checked(self._runtime, name, *arguments)

    @property
    def stream(self) -> int:
        """The stream's handle."""
        return int(self._stream)

    @property
    def l2_bytes(self) -> int:
        """An attribute of the current device."""
        (device,) = self._call("cudaGetDevice")
        return int(self._call("cudaDeviceGetAttribute", self._runtime.cudaDeviceAttr.cudaDevAttrL2CacheSize, device)[0])

    def allocate(self, size_bytes: int) -> int:
        """Through ``cudaMalloc``."""
        (address,) = self._call("cudaMalloc", size_bytes)
        self._releases.callback(self._call, "cudaFree", address)
        return int(address)

    def copy_in(self, address: int, data: Bytes) -> None:
        """From pageable memory; it is not timed."""
        direction = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpy", address, data.ctypes.data, data.nbytes, direction)

    def clear(self, address: int, size_bytes: int) -> None:
        """Through ``cudaMemsetAsync``."""
        self._call("cudaMemsetAsync", address, 0, size_bytes, self._stream)

    def event(self) -> Any:
        """One that keeps the time."""
        (event,) = self._call("cudaEventCreate")
        self._releases.callback(self._call, "cudaEventDestroy", event)
        return event

    def record(self, event: Any) -> None:
        """Through ``cudaEventRecord``."""
        self._call("cudaEventRecord", event, self._stream)

    def elapsed_s(self, start: Any, end: Any) -> float:
        """CUDA says milliseconds, to about half a microsecond."""
        self._call("cudaEventSynchronize", end)
        return float(self._call("cudaEventElapsedTime", start, end)[0]) / 1e3

    def synchronise(self) -> None:
        """Of this stream alone."""
        self._call("cudaStreamSynchronize", self._stream)

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """By capturing the stream; other threads may go on using CUDA meanwhile."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        try:
            launch()
        except ProfilingError:
            self._runtime.cudaStreamEndCapture(self._stream)  # Its own error would hide the one that matters.
            raise
        (graph,) = self._call("cudaStreamEndCapture", self._stream)
        self._releases.callback(self._call, "cudaGraphDestroy", graph)
        (executable,) = self._call("cudaGraphInstantiateWithFlags", graph, 0)
        self._releases.callback(self._call, "cudaGraphExecDestroy", executable)
        return lambda: _drop(self._call("cudaGraphLaunch", executable, self._stream))

    def close(self) -> None:
        """In the opposite order of making."""
        self._releases.close()


@final
class TorchCuda(Cuda):
    """Torch, where it is built for CUDA."""

    name = "torch"

    def __init__(self) -> None:
        self._torch = import_module("torch")
        self._tensors: dict[int, Any] = {}
        with _torch_errors("torch.cuda.Stream"):
            self._before = self._torch.cuda.current_stream()
            self._stream = self._torch.cuda.Stream()
            self._torch.cuda.set_stream(self._stream)

    @classmethod
    def count_devices(cls) -> int:
        """Of a torch for CUDA; one for the processor alone counts as not installed."""
        torch = import_module("torch")
        if torch.version.cuda is None:
            raise ImportError("torch is built without CUDA")
        if not torch.cuda.is_available():
            raise CudaError("torch.cuda.is_available() is False")
        return int(torch.cuda.device_count())

    @property
    def stream(self) -> int:
        """The stream's handle."""
        return int(self._stream.cuda_stream)

    @property
    def l2_bytes(self) -> int:
        """A property of the current device."""
        return int(self._torch.cuda.get_device_properties(self._stream.device).L2_cache_size)

    def allocate(self, size_bytes: int) -> int:
        """A tensor of bytes."""
        with _torch_errors("torch.empty"):
            tensor = self._torch.empty(size_bytes, dtype=self._torch.uint8, device=self._stream.device)
        self._tensors[int(tensor.data_ptr())] = tensor
        return int(tensor.data_ptr())

    def copy_in(self, address: int, data: Bytes) -> None:
        """Into the first bytes of the tensor."""
        with _torch_errors("Tensor.copy_"):
            self._tensors[address][: data.nbytes].copy_(self._torch.from_numpy(data.reshape(-1)))
            self._stream.synchronize()

    def clear(self, address: int, size_bytes: int) -> None:
        """Through ``zero_``, on the current stream, which is this one."""
        with _torch_errors("Tensor.zero_"):
            self._tensors[address][:size_bytes].zero_()

    def event(self) -> Any:
        """One that keeps the time."""
        return self._torch.cuda.Event(enable_timing=True)

    def record(self, event: Any) -> None:
        """On this stream."""
        event.record(self._stream)

    def elapsed_s(self, start: Any, end: Any) -> float:
        """Torch says milliseconds."""
        with _torch_errors("Event.elapsed_time"):
            end.synchronize()
            return float(start.elapsed_time(end)) / 1e3

    def synchronise(self) -> None:
        """Of this stream alone."""
        with _torch_errors("Stream.synchronize"):
            self._stream.synchronize()

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """As a ``torch.cuda.CUDAGraph``."""
        graph = self._torch.cuda.CUDAGraph()
        capturing = self._torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
        with _torch_errors("torch.cuda.graph"), capturing:
            launch()
        return lambda: _drop(graph.replay())

    def close(self) -> None:
        """The stream that was current before is current again."""
        self._torch.cuda.set_stream(self._before)
        self._tensors.clear()


@final
class PycudaCuda(Cuda):
    """Pycuda, which comes without graphs."""

    name = "pycuda"

    def __init__(self) -> None:
        self._driver = import_module("pycuda.driver")
        self._allocations: list[Any] = []
        with _pycuda_errors(self._driver, "retain_primary_context"):
            self._driver.init()
            self._context = self._driver.Device(0).retain_primary_context()  # The one that TensorRT uses too.
            self._context.push()
            self._stream = self._driver.Stream()

    @classmethod
    def count_devices(cls) -> int:
        """By the driver; importing it already fails where there is none."""
        import_module("pycuda")
        try:
            driver = import_module("pycuda.driver")
        except (ImportError, OSError) as error:
            raise CudaError(str(error)) from error
        with _pycuda_errors(driver, "init"):
            driver.init()
            return int(driver.Device.count())

    @property
    def stream(self) -> int:
        """The stream's handle."""
        return int(self._stream.handle)

    @property
    def l2_bytes(self) -> int:
        """An attribute of the device."""
        return int(self._context.get_device().get_attribute(self._driver.device_attribute.L2_CACHE_SIZE))

    def allocate(self, size_bytes: int) -> int:
        """Through ``mem_alloc``."""
        with _pycuda_errors(self._driver, "mem_alloc"):
            allocation = self._driver.mem_alloc(size_bytes)
        self._allocations.append(allocation)
        return int(allocation)

    def copy_in(self, address: int, data: Bytes) -> None:
        """From pageable memory; it is not timed."""
        with _pycuda_errors(self._driver, "memcpy_htod"):
            self._driver.memcpy_htod(address, data)

    def clear(self, address: int, size_bytes: int) -> None:
        """Through ``memset_d8_async``."""
        with _pycuda_errors(self._driver, "memset_d8_async"):
            self._driver.memset_d8_async(address, 0, size_bytes, self._stream)

    def event(self) -> Any:
        """One that keeps the time."""
        return self._driver.Event()

    def record(self, event: Any) -> None:
        """On this stream."""
        event.record(self._stream)

    def elapsed_s(self, start: Any, end: Any) -> float:
        """Pycuda says milliseconds."""
        with _pycuda_errors(self._driver, "time_till"):
            end.synchronize()
            return float(start.time_till(end)) / 1e3

    def synchronise(self) -> None:
        """Of this stream alone."""
        with _pycuda_errors(self._driver, "synchronize"):
            self._stream.synchronize()

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """Refused, with the way out."""
        raise CudaError("pycuda cannot capture graphs: `pip install cuda-bindings`, or set the option launch to stream")

    def close(self) -> None:
        """Memory first, then the context."""
        for allocation in self._allocations:
            allocation.free()
        self._allocations.clear()
        self._context.pop()
        self._context.detach()


_KINDS: tuple[type[Cuda], ...] = (BindingsCuda, TorchCuda, PycudaCuda)
"""In the order they are tried. Pycuda is last because it has no graphs."""


def find_cuda() -> type[Cuda] | Missing:
    """The first binding that imports and finds a device; otherwise why there is none, and what to do."""
    refusals = []
    for kind in _KINDS:
        try:
            if kind.count_devices() > 0:
                return kind
            refusals.append(f"{kind.name} finds 0 devices")
        except (ImportError, OSError):
            continue
        except CudaError as error:
            refusals.append(f"{kind.name}: {error}")
    if refusals:
        return Missing(
            f"no NVIDIA driver or no GPU: {'; '.join(refusals)}",
            "Install NVIDIA's driver, or measure on a machine that has one: `nvidia-smi` must list the GPU.",
        )
    return Missing("no Python binding of CUDA is installed", "`pip install cuda-bindings` brings one.")


def _runtime_bindings() -> Any:
    """From 12.x on it is ``cuda.bindings.runtime``; up to 12.x there is ``cuda.cudart``."""
    try:
        return import_module("cuda.bindings.runtime")
    except ImportError:
        return import_module("cuda.cudart")


def _checked(runtime: Any, name: str, *arguments: Any) -> tuple[Any, ...]:
    """What a call returns beside its error code."""
    code, *values = getattr(runtime, name)(*arguments)
    if code != runtime.cudaError_t.cudaSuccess:
        _, words = runtime.cudaGetErrorString(code)
        raise CudaError(f"{name}: {words.decode()} ({code.name}, {int(code)})")
    return tuple(values)


def _drop(_: object) -> None:
    """Drop a result."""


@final
class _ForeignErrors:
    """Turns the errors of one library into ours."""

    def __init__(self, call: str, kinds: tuple[type[Exception], ...]) -> None:
        self._call = call
        self._kinds = kinds

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, self._kinds) and not isinstance(error, ProfilingError):
            raise CudaError(f"{self._call}: {error}") from error


def _torch_errors(call: str) -> _ForeignErrors:
    return _ForeignErrors(call, (RuntimeError, AssertionError))


def _pycuda_errors(driver: Any, call: str) -> _ForeignErrors:
    return _ForeignErrors(call, (driver.Error,))
