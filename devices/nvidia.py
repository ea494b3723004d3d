"""Identity and state of NVIDIA GPUs, as the driver's management library (NVML) tells them.

Needs the package ``nvidia-ml-py`` (module ``pynvml``) and a driver; without either every function raises
NotAvailable. A GPU is meant by the number that CUDA gives it in this process, which is not the number that NVML
gives it: ``CUDA_VISIBLE_DEVICES`` leaves GPUs out and reorders them, and CUDA puts the fastest one first.

Of a part of a GPU (MIG) the clock, temperature and reasons for throttling are those of the whole board. Power and
energy are unknown: the board's include what its other parts draw.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, final

from devices.device import LASTING_REASONS, Device, DeviceState, GpuHealth
from devices.errors import NotAvailable

_GIB = 2**30

_SILENT = ("NotSupported", "NoPermission", "FunctionNotFound", "NotFound", "NoData", "InvalidArgument")
"""NVML's errors that mean: this device, this driver or this user is not told."""

_REASONS: Mapping[str, str] = {
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


class _Gpu(NamedTuple):
    """What CUDA takes for a device: a board, or a part of one; the same handle twice for a whole board."""

    part: Any
    board: Any


def gpu_count() -> int:
    """How many GPUs CUDA shows this process.

    Raises:
        NotAvailable: NVML cannot be asked, with the reason and the remedy.
    """
    return len(_entries(os.environ.get("CUDA_VISIBLE_DEVICES")))


def read_gpu(index: int = 0) -> Device:
    """Identify a GPU.

    The driver's version is no part of it, see ``gpu_versions``.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: there is no such GPU, it cannot be told which one is meant, or NVML cannot be asked; the message
            says what to do.
    """
    gpu = _gpu(index)
    major, minor = _required("nvmlDeviceGetCudaComputeCapability", gpu.board)
    memory = _asked("nvmlDeviceGetMemoryInfo", gpu.part)
    pci = _asked("nvmlDeviceGetPciInfo", gpu.board)
    return Device(
        kind="cuda",
        name=_words(_required("nvmlDeviceGetName", gpu.part)),
        architecture=f"sm_{major}{minor}",
        family=None if pci is None else f"pci {pci.pciDeviceId:08x}",
        cores=_asked("nvmlDeviceGetNumGpuCores", gpu.part),
        memory_bytes=None if memory is None else int(memory.total) // _GIB * _GIB,
        system=platform.system(),
    )


def read_gpu_state(index: int = 0) -> DeviceState:
    """Read what a GPU is doing; what it does not tell is None.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    gpu, nvml = _gpu(index), _nvml()
    reasons = gpu_throttle_reasons(index)
    power_mw = _of_board(gpu, "nvmlDeviceGetPowerUsage")
    limit_mw = _asked("nvmlDeviceGetEnforcedPowerLimit", gpu.board)
    level = _asked("nvmlDeviceGetPerformanceState", gpu.board)
    return DeviceState(
        clock_mhz=_asked("nvmlDeviceGetClockInfo", gpu.board, nvml.NVML_CLOCK_SM),
        temperature_c=_asked("nvmlDeviceGetTemperature", gpu.board, nvml.NVML_TEMPERATURE_GPU),
        power_w=None if power_mw is None else power_mw / 1e3,
        max_clock_mhz=_asked("nvmlDeviceGetMaxClockInfo", gpu.board, nvml.NVML_CLOCK_SM),
        power_mode=None if level is None else f"P{level}",
        power_limit_w=None if limit_mw is None else limit_mw / 1e3,
        throttle_reasons=None if reasons is None else ", ".join(reasons),
    )


def read_gpu_health(index: int = 0) -> GpuHealth:
    """Read what else bears on times taken on a GPU.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    gpu, nvml = _gpu(index), _nvml()
    persistence = _asked("nvmlDeviceGetPersistenceMode", gpu.board)
    running = _asked("nvmlDeviceGetComputeRunningProcesses", gpu.board)
    bits = _reason_bits(gpu)
    others = None if running is None else sum(process.pid != os.getpid() for process in running)
    return GpuHealth(
        name=_words(_required("nvmlDeviceGetName", gpu.part)),
        number=_required("nvmlDeviceGetIndex", gpu.board),
        state=read_gpu_state(index),
        is_part=gpu.part is not gpu.board,
        persistent=None if persistence is None else bool(persistence),
        clocks_set=None if bits is None else bool(bits & _reason_bit(nvml, _USER_CLOCKS)),
        slowdown_c=_asked("nvmlDeviceGetTemperatureThreshold", gpu.board, nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
        other_processes=others,
    )


def gpu_energy_j(index: int = 0) -> float | None:
    """Energy the GPU has used since the driver was loaded, in joules.

    Args:
        index: the number CUDA gives it in this process.

    Returns:
        The counter; None where the card has none (before Volta), and for a part of a GPU.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    energy_mj = _of_board(_gpu(index), "nvmlDeviceGetTotalEnergyConsumption")
    return None if energy_mj is None else float(energy_mj) / 1e3


def gpu_throttle_reasons(index: int = 0) -> tuple[str, ...] | None:
    """What holds the GPU's clock down at this moment, in words; empty when nothing does, None when it does not tell.

    Args:
        index: the number CUDA gives it in this process.

    Raises:
        NotAvailable: as ``read_gpu``.
    """
    bits = _reason_bits(_gpu(index))
    if bits is None:
        return None
    return tuple(words for name, words in _REASONS.items() if bits & _reason_bit(_nvml(), name))


def gpu_versions() -> Mapping[str, str]:
    """Versions of the driver and of the newest CUDA it runs: a driver changes times, so they belong to a runtime's.

    Raises:
        NotAvailable: NVML cannot be asked.
    """
    cuda = _asked("nvmlSystemGetCudaDriverVersion")
    known = {"driver": _words(_required("nvmlSystemGetDriverVersion"))}
    return known if cuda is None else {**known, "driver_cuda": f"{cuda // 1000}.{cuda % 1000 // 10}"}


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
        self._gpu = _gpu(index)
        self._mask = sum(_reason_bit(_nvml(), name) for name in _SUDDEN)
        self._count = 0

    def __call__(self) -> int:
        """The count, one higher than before when something slows it down now."""
        self._count += bool((_reason_bits(self._gpu) or 0) & self._mask)
        return self._count


@cache
def _nvml() -> Any:
    """The module, loaded and initialised once for the process."""
    try:
        nvml = import_module("pynvml")
    except ImportError as error:
        raise NotAvailable(
            "NVIDIA GPUs cannot be asked: the package nvidia-ml-py is not installed. `pip install nvidia-ml-py` "
            "brings it."
        ) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NotAvailable(f"NVIDIA GPUs cannot be asked: {error}. {_remedy(nvml, error)}") from error
    return nvml


def _remedy(nvml: Any, error: Exception) -> str:
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "Install NVIDIA's driver, or give the container the GPU (`docker run --gpus all ...`)."
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "Load the driver: `sudo modprobe nvidia`."
    if isinstance(error, nvml.NVMLError_LibRmVersionMismatch):
        return "The driver was updated and the old one is still loaded: restart the machine."
    return "`nvidia-smi` says more."


def _asked(name: str, *arguments: Any) -> Any:
    """What NVML answers; None when it does not tell, or is too old to know the question.

    Raises:
        NotAvailable: anything else went wrong: a GPU that is gone, a driver that was unloaded.
    """
    nvml = _nvml()
    function = getattr(nvml, name, None)
    if function is None:
        return None
    try:
        return function(*arguments)
    except nvml.NVMLError as error:
        if isinstance(error, _silent_errors(nvml)):
            return None
        raise NotAvailable(f"NVML failed at {name}: {error}. {_remedy(nvml, error)}") from error


@cache
def _silent_errors(nvml: Any) -> tuple[type[Exception], ...]:
    found = (getattr(nvml, f"NVMLError_{name}", None) for name in _SILENT)
    return tuple(kind for kind in found if kind is not None)


def _required(name: str, *arguments: Any) -> Any:
    answer = _asked(name, *arguments)
    if answer is None:
        raise NotAvailable(f"NVML must answer {name} and did not. Update the driver, or ask `nvidia-smi` why.")
    return answer


def _of_board(gpu: _Gpu, name: str) -> Any:
    """What a board tells of itself as a whole, and nobody knows of a part of it."""
    return _asked(name, gpu.board) if gpu.part is gpu.board else None


def _words(value: str | bytes) -> str:
    """Older versions of the package give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _reason_bits(gpu: _Gpu) -> int | None:
    """Renamed from throttle to event reasons in NVML 12.2; an old driver knows only the old name."""
    bits = _asked("nvmlDeviceGetCurrentClocksEventReasons", gpu.board)
    if bits is None:
        bits = _asked("nvmlDeviceGetCurrentClocksThrottleReasons", gpu.board)
    return None if bits is None else int(bits)


@cache
def _reason_bit(nvml: Any, name: str) -> int:
    return int(getattr(nvml, f"nvmlClocksEventReason{name}", getattr(nvml, f"nvmlClocksThrottleReason{name}", 0)))


def _gpu(index: int) -> _Gpu:
    return _find_gpu(index, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("CUDA_DEVICE_ORDER"))


@cache
def _find_gpu(index: int, visible: str | None, order: str | None) -> _Gpu:
    entries = _entries(visible)
    if not 0 <= index < len(entries):
        setting = "not set" if visible is None else repr(visible)
        raise NotAvailable(
            f"CUDA shows this process {len(entries)} GPU(s), numbered from 0, and none is number {index}. "
            f"CUDA_VISIBLE_DEVICES is {setting}; `nvidia-smi -L` lists what there is."
        )
    entry = entries[index]
    if entry.startswith("MIG-"):
        part = _required("nvmlDeviceGetHandleByUUID", entry)
        return _Gpu(part, _required("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", part))
    if entry.isdigit():
        _refuse_unknown_order(order)
    board = _board(entry)
    _refuse_divided(board)
    return _Gpu(board, board)


def _entries(visible: str | None) -> list[str]:
    """The GPUs that CUDA shows: everything up to the first entry that names none (CUDA programming guide)."""
    count = _required("nvmlDeviceGetCount")
    if visible is None:
        return [str(number) for number in range(count)]
    entries: list[str] = []
    for entry in (text.strip() for text in visible.split(",")):
        if not _exists(entry, count):
            break
        entries.append(entry)
    return entries


def _exists(entry: str, count: int) -> bool:
    if entry.startswith("MIG-"):
        return _asked("nvmlDeviceGetHandleByUUID", entry) is not None
    if entry.startswith("GPU-"):
        return len(_boards_named(entry)) == 1
    return entry.isdigit() and int(entry) < count


def _board(entry: str) -> Any:
    return _boards_named(entry)[0] if entry.startswith("GPU-") else _required("nvmlDeviceGetHandleByIndex", int(entry))


def _boards_named(start: str) -> list[Any]:
    """The boards whose UUID begins so: CUDA takes the beginning of one where it is enough."""
    return [board for board in _boards() if _words(_required("nvmlDeviceGetUUID", board)).startswith(start)]


def _boards() -> list[Any]:
    return [_required("nvmlDeviceGetHandleByIndex", number) for number in range(_required("nvmlDeviceGetCount"))]


def _refuse_unknown_order(order: str | None) -> None:
    """Numbers of CUDA and NVML agree where all GPUs are alike, or CUDA was told to number them as NVML does."""
    names = {_words(_required("nvmlDeviceGetName", board)) for board in _boards()}
    if len(names) > 1 and order != "PCI_BUS_ID":
        raise NotAvailable(
            f"CUDA numbers the fastest GPU first, NVML goes by slots, and here are different ones: {sorted(names)}. "
            "`export CUDA_DEVICE_ORDER=PCI_BUS_ID` makes the numbers agree; or name one by its UUID in "
            "CUDA_VISIBLE_DEVICES."
        )


def _refuse_divided(board: Any) -> None:
    """Of a divided board CUDA takes one part, and which one is not to be known without a UUID."""
    mode = _asked("nvmlDeviceGetMigMode", board)
    if mode is not None and mode[0]:
        raise NotAvailable(
            "This GPU is divided (MIG), and without a UUID it is not known which part CUDA takes. `nvidia-smi -L` "
            "lists the parts; `export CUDA_VISIBLE_DEVICES=MIG-...` chooses one."
        )
