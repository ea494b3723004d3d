"""Identity and state of NVIDIA GPUs, as ``agent.gpu`` reads them.

Needs the package ``nvidia-ml-py`` (module ``pynvml``) and a driver; without either every function raises
NotAvailable. A GPU is meant by the number that CUDA gives it in this process, see ``agent.gpu``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import final

from agent import gpu
from devices.device import Device, DeviceState, GpuHealth
from devices.errors import NotAvailable


def gpu_count() -> int:
    """How many GPUs CUDA shows this process.

    Raises:
        NotAvailable: NVML cannot be asked, with the reason and the remedy.
    """
    with not_available():
        return gpu.gpu_count()


def read_gpu(index: int = 0) -> Device:
    """Identify a GPU.

    The driver's version is no part of it, see ``gpu_versions``.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: there is no such GPU, it cannot be told which one is meant, or NVML cannot be asked; the message
            says what to do.
    """
    with not_available():
        return Device.from_json(gpu.read_gpu(index))


def read_gpu_state(index: int = 0) -> DeviceState:
    """Read what a GPU is doing; what it does not tell is None.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    with not_available():
        return DeviceState.from_json(gpu.read_gpu_state(index))


def read_gpu_health(index: int = 0) -> GpuHealth:
    """Read what else bears on times taken on a GPU.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    with not_available():
        return GpuHealth.from_json(gpu.read_gpu_health(index))


def gpu_energy_j(index: int = 0) -> float | None:
    """Energy the GPU has used since the driver was loaded, in joules.

    Args:
        index: the number CUDA gives it in this process.

    Returns:
        The counter; None where the card has none (before Volta), and for a part of a GPU.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    with not_available():
        return gpu.gpu_energy_j(index)


def gpu_throttle_reasons(index: int = 0) -> tuple[str, ...] | None:
    """What holds the GPU's clock down at this moment, in words; empty when nothing does, None when it does not tell.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    with not_available():
        return gpu.gpu_throttle_reasons(index)


def gpu_versions() -> Mapping[str, str]:
    """Versions of the driver and of the newest CUDA it runs: a driver changes times, so they belong to a runtime's.

    Raises:
        NotAvailable: NVML cannot be asked.
    """
    with not_available():
        return gpu.gpu_versions()


@final
class GpuDisturbances:
    """Counts how often a GPU was found slowed down by heat or hardware: what ``Profiler.disturbances`` asks for.

    NVML says what holds now and not what held, so a sample must be asked about before and after.

    Args:
        index: the number CUDA gives the GPU in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """

    def __init__(self, index: int = 0) -> None:
        with not_available():
            self._count = gpu.GpuDisturbances(index)

    def __call__(self) -> int:
        """The count, one higher than before when something slows it down now."""
        with not_available():
            return self._count()


@contextmanager
def not_available() -> Iterator[None]:
    """Raise what ``agent.gpu`` says of a GPU that cannot be asked as this package's own error."""
    try:
        yield
    except gpu.GpuUnavailable as error:
        raise NotAvailable(str(error)) from error
