"""CUDA through its runtime library alone, by ctypes: a Jetson has the library and need not have a binding of it."""

import ctypes
from contextlib import ExitStack
from typing import Any, Callable, ClassVar, Sequence

from agent.loop import ProfilingError
from agent.runtimes.cuda_stream import Cuda, CudaError

LIBRARIES: Sequence[str] = (
    "libcudart.so",
    "libcudart.so.13",
    "libcudart.so.12",
    "libcudart.so.11.0",
    "libcudart.so.10.2",
    "/usr/local/cuda/lib64/libcudart.so",
)
"""Where it is looked for: the first one comes with CUDA's headers, the others go by version."""

_HOST_TO_DEVICE = 1
_L2_CACHE_SIZE = 38
_CAPTURE_OF_THIS_THREAD = 1
"""Values of cudaMemcpyKind, cudaDeviceAttr and cudaStreamCaptureMode, the same in all versions."""


def find_library() -> Any:
    """The library.

    Raises:
        ImportError: it is nowhere.
    """
    library = next(filter(None, map(_opened, LIBRARIES)), None)
    if library is None:
        raise ImportError(f"CUDA's runtime library is not found: {', '.join(LIBRARIES)}")
    return library


def _opened(name: str) -> Any:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


class LibraryCuda(Cuda):
    """CUDA's runtime library, from 10.2 to 13."""

    name: ClassVar[str] = "libcudart"

    def __init__(self) -> None:
        self._library = find_library()
        self._releases = ExitStack()
        self._stream = ctypes.c_void_p()
        self._call("cudaStreamCreate", ctypes.byref(self._stream))
        self._releases.callback(self._call, "cudaStreamDestroy", self._stream)

    @classmethod
    def count_devices(cls) -> int:
        """By the library; without a driver that is an error."""
        count = ctypes.c_int()
        _checked(find_library(), "cudaGetDeviceCount", ctypes.byref(count))
        return count.value

    def _call(self, name: str, *arguments: Any) -> None:
        _checked(self._library, name, *arguments)

    @property
    def stream(self) -> int:
        """The stream's handle."""
        return int(self._stream.value or 0)

    @property
    def l2_bytes(self) -> int:
        """An attribute of the current device."""
        device, size_bytes = ctypes.c_int(), ctypes.c_int()
        self._call("cudaGetDevice", ctypes.byref(device))
        self._call("cudaDeviceGetAttribute", ctypes.byref(size_bytes), _L2_CACHE_SIZE, device)
        return size_bytes.value

    def allocate(self, size_bytes: int) -> int:
        """Through ``cudaMalloc``."""
        address = ctypes.c_void_p()
        self._call("cudaMalloc", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        self._releases.callback(self._call, "cudaFree", address)
        return int(address.value or 0)

    def copy_in(self, address: int, data: bytes) -> None:
        """From pageable memory; it is not timed."""
        target, size_bytes = ctypes.c_void_p(address), ctypes.c_size_t(len(data))
        self._call("cudaMemcpy", target, ctypes.c_char_p(data), size_bytes, _HOST_TO_DEVICE)

    def clear(self, address: int, size_bytes: int) -> None:
        """Through ``cudaMemsetAsync``."""
        self._call("cudaMemsetAsync", ctypes.c_void_p(address), 0, ctypes.c_size_t(size_bytes), self._stream)

    def event(self) -> Any:
        """One that keeps the time."""
        event = ctypes.c_void_p()
        self._call("cudaEventCreate", ctypes.byref(event))
        self._releases.callback(self._call, "cudaEventDestroy", event)
        return event

    def record(self, event: Any) -> None:
        """Through ``cudaEventRecord``."""
        self._call("cudaEventRecord", event, self._stream)

    def elapsed_s(self, start: Any, end: Any) -> float:
        """CUDA says milliseconds, to about half a microsecond."""
        elapsed_ms = ctypes.c_float()
        self._call("cudaEventSynchronize", end)
        self._call("cudaEventElapsedTime", ctypes.byref(elapsed_ms), start, end)
        return elapsed_ms.value / 1e3

    def synchronise(self) -> None:
        """Of this stream alone."""
        self._call("cudaStreamSynchronize", self._stream)

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """By capturing the stream; other threads may go on using CUDA meanwhile."""
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cudaStreamBeginCapture", self._stream, _CAPTURE_OF_THIS_THREAD)
        try:
            launch()
        except ProfilingError:
            # Errors of its own would hide the one that matters.
            if self._library.cudaStreamEndCapture(self._stream, ctypes.byref(graph)) == 0:
                self._library.cudaGraphDestroy(graph)
            raise
        self._call("cudaStreamEndCapture", self._stream, ctypes.byref(graph))
        self._releases.callback(self._call, "cudaGraphDestroy", graph)
        if hasattr(self._library, "cudaGraphInstantiateWithFlags"):  # Since 11.4.
            self._call("cudaGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
        else:
            self._call("cudaGraphInstantiate", ctypes.byref(executable), graph, None, None, ctypes.c_size_t(0))
        self._releases.callback(self._call, "cudaGraphExecDestroy", executable)
        return lambda: self._call("cudaGraphLaunch", executable, self._stream)

    def close(self) -> None:
        """In the opposite order of making."""
        self._releases.close()


def _checked(library: Any, name: str, *arguments: Any) -> None:
    status = getattr(library, name)(*arguments)
    if status != 0:
        library.cudaGetErrorString.restype = ctypes.c_char_p
        words = (library.cudaGetErrorString(status) or b"").decode(errors="replace")
        raise CudaError(f"{name}: {words} ({status})")
