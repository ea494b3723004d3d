"""NVIDIA's management library (NVML): asking it, and finding the GPU that a number of CUDA means.

CUDA and NVML number GPUs differently: ``CUDA_VISIBLE_DEVICES`` leaves GPUs out and reorders them, and CUDA puts the
fastest one first.
"""

import os
from functools import lru_cache
from importlib import import_module
from typing import Any, List, NamedTuple, Optional, Tuple, Type, Union

_SILENT = ("NotSupported", "NoPermission", "FunctionNotFound", "NotFound", "NoData", "InvalidArgument")
"""NVML's errors that mean: this device, this driver or this user is not told."""


class GpuUnavailable(Exception):
    """A GPU cannot be asked.

    Args:
        reason: what is missing or went wrong, a sentence.
        remedy: what to do about it, a sentence.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


class Gpu(NamedTuple):
    """What CUDA takes for a device: a board, or a part of one; the same handle twice for a whole board."""

    part: Any
    board: Any


def forget() -> None:
    """Ask anew which GPUs there are: after a driver was loaded."""
    nvml_module.cache_clear()
    _find_gpu.cache_clear()


@lru_cache(maxsize=None)
def nvml_module() -> Any:
    """The module, loaded and initialised once for the process."""
    try:
        nvml = import_module("pynvml")
    except (ImportError, SyntaxError) as error:  # the latter where it was written for a later Python
        raise GpuUnavailable(
            "NVIDIA GPUs cannot be asked: the package nvidia-ml-py is not installed.",
            "`pip install nvidia-ml-py` brings it.",
        ) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise GpuUnavailable(f"NVIDIA GPUs cannot be asked: {error}.", _remedy(nvml, error)) from error
    return nvml


def _remedy(nvml: Any, error: Exception) -> str:
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "Install NVIDIA's driver, or give the container the GPU (`docker run --gpus all ...`)."
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "Load the driver: `sudo modprobe nvidia`."
    if isinstance(error, nvml.NVMLError_LibRmVersionMismatch):
        return "The driver was updated and the old one is still loaded: restart the machine."
    return "`nvidia-smi` says more."


def asked(name: str, *arguments: Any) -> Any:
    """What NVML answers; None when it does not tell, or is too old to know the question.

    Raises:
        GpuUnavailable: anything else went wrong: a GPU that is gone, a driver that was unloaded.
    """
    nvml = nvml_module()
    function = getattr(nvml, name, None)
    if function is None:
        return None
    try:
        return function(*arguments)
    except nvml.NVMLError as error:
        if isinstance(error, _silent_errors(nvml)):
            return None
        raise GpuUnavailable(f"NVML failed at {name}: {error}.", _remedy(nvml, error)) from error


@lru_cache(maxsize=None)
def _silent_errors(nvml: Any) -> Tuple[Type[Exception], ...]:
    found = (getattr(nvml, f"NVMLError_{name}", None) for name in _SILENT)
    return tuple(kind for kind in found if kind is not None)


def required(name: str, *arguments: Any) -> Any:
    """What NVML answers to a question that every GPU answers.

    Raises:
        GpuUnavailable: it does not answer.
    """
    answer = asked(name, *arguments)
    if answer is None:
        raise GpuUnavailable(f"NVML must answer {name} and did not.", "Update the driver, or ask `nvidia-smi` why.")
    return answer


def as_text(value: Union[str, bytes]) -> str:
    """Older versions of the package give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def find_gpu(index: int) -> Gpu:
    """The GPU that has a number of CUDA in this process.

    Raises:
        GpuUnavailable: there is none, it cannot be told which one is meant, or NVML cannot be asked.
    """
    return _find_gpu(index, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("CUDA_DEVICE_ORDER"))


@lru_cache(maxsize=None)
def _find_gpu(index: int, visible: Optional[str], order: Optional[str]) -> Gpu:
    entries = shown_gpus(visible)
    if not 0 <= index < len(entries):
        setting = "not set" if visible is None else repr(visible)
        raise GpuUnavailable(
            f"CUDA shows this process {len(entries)} GPU(s), numbered from 0, and none is number {index}. "
            f"CUDA_VISIBLE_DEVICES is {setting}.",
            "`nvidia-smi -L` lists what there is.",
        )
    entry = entries[index]
    if entry.startswith("MIG-"):
        part = required("nvmlDeviceGetHandleByUUID", entry)
        return Gpu(part, required("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", part))
    if entry.isdigit():
        _refuse_unknown_order(order)
    board = _board(entry)
    _refuse_divided(board)
    return Gpu(board, board)


def shown_gpus(visible: Optional[str]) -> List[str]:
    """The GPUs that CUDA shows: everything up to the first entry that names none (CUDA programming guide).

    Args:
        visible: ``CUDA_VISIBLE_DEVICES``; None where it is not set.

    Returns:
        Their numbers in NVML, or beginnings of their UUIDs.
    """
    count = required("nvmlDeviceGetCount")
    if visible is None:
        return [str(number) for number in range(count)]
    entries: List[str] = []
    for entry in (text.strip() for text in visible.split(",")):
        if not _exists(entry, count):
            break
        entries.append(entry)
    return entries


def _exists(entry: str, count: int) -> bool:
    if entry.startswith("MIG-"):
        return asked("nvmlDeviceGetHandleByUUID", entry) is not None
    if entry.startswith("GPU-"):
        return len(_boards_named(entry)) == 1
    return entry.isdigit() and int(entry) < count


def _board(entry: str) -> Any:
    return _boards_named(entry)[0] if entry.startswith("GPU-") else required("nvmlDeviceGetHandleByIndex", int(entry))


def _boards_named(start: str) -> List[Any]:
    """The boards whose UUID begins so: CUDA takes the beginning of one where it is enough."""
    return [board for board in _boards() if as_text(required("nvmlDeviceGetUUID", board)).startswith(start)]


def _boards() -> List[Any]:
    return [required("nvmlDeviceGetHandleByIndex", number) for number in range(required("nvmlDeviceGetCount"))]


def _refuse_unknown_order(order: Optional[str]) -> None:
    """Numbers of CUDA and NVML agree where all GPUs are alike, or CUDA was told to number them as NVML does."""
    names = {as_text(required("nvmlDeviceGetName", board)) for board in _boards()}
    if len(names) > 1 and order != "PCI_BUS_ID":
        raise GpuUnavailable(
            f"CUDA numbers the fastest GPU first, NVML goes by slots, and here are different ones: {sorted(names)}.",
            "`export CUDA_DEVICE_ORDER=PCI_BUS_ID` makes the numbers agree; or name one by its UUID in "
            "CUDA_VISIBLE_DEVICES.",
        )


def _refuse_divided(board: Any) -> None:
    """Of a divided board CUDA takes one part, and which one is not to be known without a UUID."""
    mode = asked("nvmlDeviceGetMigMode", board)
    if mode is not None and mode[0]:
        raise GpuUnavailable(
            "This GPU is divided (MIG), and without a UUID it is not known which part CUDA takes.",
            "`nvidia-smi -L` lists the parts; `export CUDA_VISIBLE_DEVICES=MIG-...` chooses one.",
        )
