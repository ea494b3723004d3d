"""Identity and state of NVIDIA GPUs, as the driver's management library (NVML) tells them, as plain values.

Needs the package ``nvidia-ml-py`` (module ``pynvml``) and a driver; without either every function raises
GpuUnavailable. The module is one file of Python, so a host that has it can bring it along. A GPU is meant by the number
that CUDA gives it in this process, which is not the number that NVML gives it: ``CUDA_VISIBLE_DEVICES`` leaves GPUs out
and reorders them, and CUDA puts the fastest one first.

Of a part of a GPU (MIG) the clock, temperature and reasons for throttling are those of the whole board. Power and
energy are unknown: the board's include what its other parts draw.
"""

import os
import platform
from functools import lru_cache
from typing import Any, Dict, Optional, Tuple

from agent.nvml import Gpu, GpuUnavailable, as_text, asked, find_gpu, forget, nvml_module, required, shown_gpus

__all__ = [
    "LASTING_REASONS",
    "GpuDisturbances",
    "GpuUnavailable",
    "forget",
    "gpu_count",
    "gpu_energy_j",
    "gpu_power_w",
    "gpu_throttle_reasons",
    "gpu_versions",
    "read_gpu",
    "read_gpu_health",
    "read_gpu_state",
]

LASTING_REASONS = ("power limit", "kept in step with another GPU", "board limit", "voltage limit")
"""What holds a GPU's clock down for as long as it is loaded, in the words of ``throttle_reasons``.

Others come and go: heat, or a supply that is too weak. Words with a comma, of which there are some, are of these.
"""

_GIB = 2**30

_REASONS = {
    "SwPowerCap": "power limit",
    "HwSlowdown": "hardware slowdown",
    "SyncBoost": "kept in step with another GPU",
    "SwThermalSlowdown": "temperature, by the driver",
    "HwThermalSlowdown": "temperature, by the hardware",
    "HwPowerBrakeSlowdown": "power brake",
    "BoardLimit": "board limit",
    "Reliability": "voltage limit",
}
"""What holds a clock down against its user's will, by NVML's names. Idling and clocks that a user set do not."""

_SUDDEN = tuple(name for name, words in _REASONS.items() if words not in LASTING_REASONS)
"""Those that come and go."""

_USER_CLOCKS = "ApplicationsClocksSetting"


def gpu_count() -> int:
    """How many GPUs CUDA shows this process.

    Raises:
        GpuUnavailable: NVML cannot be asked, with the reason and the remedy.
    """
    return len(shown_gpus(os.environ.get("CUDA_VISIBLE_DEVICES")))


def read_gpu(index: int = 0) -> Dict[str, Any]:
    """Identify a GPU.

    The driver's version is no part of it, see ``gpu_versions``.

    Args:
        index: the number CUDA gives it in this process.

    Returns:
        The fields of ``devices.Device``; those that are not told are None.

    Raises:
        GpuUnavailable: there is no such GPU, it cannot be told which one is meant, or NVML cannot be asked; the message
            says what to do.
    """
    gpu = find_gpu(index)
    major, minor = required("nvmlDeviceGetCudaComputeCapability", gpu.board)
    memory = asked("nvmlDeviceGetMemoryInfo", gpu.part)
    pci = asked("nvmlDeviceGetPciInfo", gpu.board)
    return {
        "kind": "cuda",
        "name": as_text(required("nvmlDeviceGetName", gpu.part)),
        "architecture": f"sm_{major}{minor}",
        "family": None if pci is None else f"pci {pci.pciDeviceId:08x}",
        "cores": asked("nvmlDeviceGetNumGpuCores", gpu.part),
        "memory_bytes": None if memory is None else int(memory.total) // _GIB * _GIB,
        "system": platform.system(),
    }


def read_gpu_state(index: int = 0) -> Dict[str, Any]:
    """Read what a GPU is doing.

    Args:
        index: the number CUDA gives it in this process.

    Returns:
        The fields of ``devices.DeviceState`` that it tells.

    Raises:
        GpuUnavailable: as ``read_gpu``.
    """
    gpu, nvml = find_gpu(index), nvml_module()
    reasons = gpu_throttle_reasons(index)
    limit_mw = asked("nvmlDeviceGetEnforcedPowerLimit", gpu.board)
    level = asked("nvmlDeviceGetPerformanceState", gpu.board)
    state = {
        "clock_mhz": asked("nvmlDeviceGetClockInfo", gpu.board, nvml.NVML_CLOCK_SM),
        "temperature_c": asked("nvmlDeviceGetTemperature", gpu.board, nvml.NVML_TEMPERATURE_GPU),
        "power_w": gpu_power_w(index),
        "max_clock_mhz": asked("nvmlDeviceGetMaxClockInfo", gpu.board, nvml.NVML_CLOCK_SM),
        "power_mode": None if level is None else f"P{level}",
        "power_limit_w": None if limit_mw is None else limit_mw / 1e3,
        "throttle_reasons": None if reasons is None else ", ".join(reasons),
    }
    return _known(state)


def read_gpu_health(index: int = 0) -> Dict[str, Any]:
    """Read what else bears on times taken on a GPU.

    Args:
        index: the number CUDA gives it in this process.

    Returns:
        The fields of ``devices.GpuHealth`` that are told.

    Raises:
        GpuUnavailable: as ``read_gpu``.
    """
    gpu, nvml = find_gpu(index), nvml_module()
    persistence = asked("nvmlDeviceGetPersistenceMode", gpu.board)
    running = asked("nvmlDeviceGetComputeRunningProcesses", gpu.board)
    bits = _reason_bits(gpu)
    others = None if running is None else sum(process.pid != os.getpid() for process in running)
    health = {
        "name": as_text(required("nvmlDeviceGetName", gpu.part)),
        "number": required("nvmlDeviceGetIndex", gpu.board),
        "state": read_gpu_state(index),
        "is_part": gpu.part is not gpu.board,
        "persistent": None if persistence is None else bool(persistence),
        "clocks_set": None if bits is None else bool(bits & _reason_bit(nvml, _USER_CLOCKS)),
        "slowdown_c": asked("nvmlDeviceGetTemperatureThreshold", gpu.board, nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
        "other_processes": others,
    }
    return _known(health)


def gpu_energy_j(index: int = 0) -> Optional[float]:
    """Energy the GPU has used since the driver was loaded, in joules.

    Args:
        index: the number CUDA gives it in this process.

    Returns:
        The counter; None where the card has none (before Volta), and for a part of a GPU.

    Raises:
        GpuUnavailable: as ``read_gpu``.
    """
    energy_mj = _of_board(find_gpu(index), "nvmlDeviceGetTotalEnergyConsumption")
    return None if energy_mj is None else float(energy_mj) / 1e3


def gpu_power_w(index: int = 0) -> Optional[float]:
    """Power the GPU draws, in watts; None where it is not told, and for a part of a GPU.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        GpuUnavailable: as ``read_gpu``.
    """
    power_mw = _of_board(find_gpu(index), "nvmlDeviceGetPowerUsage")
    return None if power_mw is None else float(power_mw) / 1e3


def gpu_throttle_reasons(index: int = 0) -> Optional[Tuple[str, ...]]:
    """What holds the GPU's clock down at this moment, in words; empty when nothing does, None when it does not tell.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        GpuUnavailable: as ``read_gpu``.
    """
    bits = _reason_bits(find_gpu(index))
    if bits is None:
        return None
    return tuple(words for name, words in _REASONS.items() if bits & _reason_bit(nvml_module(), name))


def gpu_versions() -> Dict[str, str]:
    """Versions of the driver and of the newest CUDA it runs: a driver changes times, so they belong to a runtime's.

    Raises:
        GpuUnavailable: NVML cannot be asked.
    """
    cuda = asked("nvmlSystemGetCudaDriverVersion")
    known = {"driver": as_text(required("nvmlSystemGetDriverVersion"))}
    return known if cuda is None else {**known, "driver_cuda": f"{cuda // 1000}.{cuda % 1000 // 10}"}


class GpuDisturbances:
    """Counts how often a GPU was found slowed down by heat or hardware: what ``Profiler.disturbances`` asks for.

    NVML says what holds now and not what held, so a sample must be asked about before and after.

    Args:
        index: the number CUDA gives the GPU in this process.

    Raises:
        GpuUnavailable: as ``read_gpu``.
    """

    def __init__(self, index: int = 0) -> None:
        self._gpu = find_gpu(index)
        self._mask = sum(_reason_bit(nvml_module(), name) for name in _SUDDEN)
        self._count = 0

    def __call__(self) -> int:
        """The count, one higher than before when something slows it down now."""
        self._count += bool((_reason_bits(self._gpu) or 0) & self._mask)
        return self._count


def _known(values: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _of_board(gpu: Gpu, name: str) -> Any:
    """What a board tells of itself as a whole, and nobody knows of a part of it."""
    return asked(name, gpu.board) if gpu.part is gpu.board else None


def _reason_bits(gpu: Gpu) -> Optional[int]:
    """Renamed from throttle to event reasons in NVML 12.2; an old driver knows only the old name."""
    bits = asked("nvmlDeviceGetCurrentClocksEventReasons", gpu.board)
    if bits is None:
        bits = asked("nvmlDeviceGetCurrentClocksThrottleReasons", gpu.board)
    return None if bits is None else int(bits)


@lru_cache(maxsize=None)
def _reason_bit(nvml: Any, name: str) -> int:
    return int(getattr(nvml, f"nvmlClocksEventReason{name}", getattr(nvml, f"nvmlClocksThrottleReason{name}", 0)))
