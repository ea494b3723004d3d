"""Memory, one stream and the clock of a CUDA device: what whoever launches kernels needs, whatever binding gives it."""

import abc
from types import TracebackType
from typing import Any, Callable, ClassVar, Optional, Type, TypeVar

from agent.loop import ProfilingError

_Self = TypeVar("_Self", bound="Cuda")


class CudaError(ProfilingError):
    """A call to CUDA failed; the message names the call and CUDA's own error."""

    def __init__(self, reason: str) -> None:
        super().__init__("run", reason)


class Cuda(abc.ABC):
    """One stream of the first CUDA device, with memory and events. Leaving its ``with`` releases all of them.

    Raises:
        CudaError: from every method, when CUDA refuses.
    """

    name: ClassVar[str]
    """The package or library behind it."""

    @classmethod
    @abc.abstractmethod
    def count_devices(cls) -> int:
        """How many devices the driver offers.

        Raises:
            ImportError: the package is not installed, or not built for CUDA.
            CudaError: there is no driver.
        """

    @property
    @abc.abstractmethod
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""

    @property
    @abc.abstractmethod
    def l2_bytes(self) -> int:
        """Size of the device's second-level cache; 0 where it has none."""

    @abc.abstractmethod
    def allocate(self, size_bytes: int) -> int:
        """Address of fresh memory on the device."""

    @abc.abstractmethod
    def copy_in(self, address: int, data: Any) -> None:
        """Copy bytes to the device, and wait for it."""

    @abc.abstractmethod
    def clear(self, address: int, size_bytes: int) -> None:
        """Write zeros to memory from ``allocate``, in the order of the stream; does not wait."""

    @abc.abstractmethod
    def event(self) -> Any:
        """A mark that can be put into the stream."""

    @abc.abstractmethod
    def record(self, event: Any) -> None:
        """Put ``event`` behind what is in the stream; does not wait."""

    @abc.abstractmethod
    def elapsed_s(self, start: Any, end: Any) -> float:
        """Seconds between two recorded events, by the device's clock; waits for ``end``."""

    @abc.abstractmethod
    def synchronise(self) -> None:
        """Wait until the stream is empty."""

    @abc.abstractmethod
    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """What ``launch`` puts into the stream, as one graph; the result launches that graph."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release everything."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
