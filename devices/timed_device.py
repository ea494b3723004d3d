"""The device whose time is taken, by the kind of processor that computes: its identity, and how its state is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from devices.device import Device, DeviceState
from devices.errors import NotAvailable
from devices.linux import read_device, read_state
from devices.nvidia import read_gpu, read_gpu_state

_JETSON_RELEASE = "etc/nv_tegra_release"
"""On every Jetson; the GPU is a part of the board there, and older releases have no NVML to ask for it."""


def read_timed_device(accelerator: Literal["cpu", "cuda"], root: Path = Path("/")) -> Device:
    """Identify what computes: this machine, or the first GPU that CUDA shows; a Jetson without NVML is both at once.

    Args:
        accelerator: kind of processor.
        root: of the file system.

    Raises:
        NotAvailable: the GPU cannot be asked.
    """
    if accelerator == "cpu":
        return read_device(root)
    try:
        return read_gpu()
    except NotAvailable:
        if _is_jetson(root):
            return read_device(root)
        raise


def state_reader(accelerator: Literal["cpu", "cuda"], root: Path = Path("/")) -> Callable[[], DeviceState]:
    """What reads the state of the device that ``read_timed_device`` identifies.

    Args:
        accelerator: kind of processor.
        root: of the file system.
    """
    if accelerator == "cpu":
        return lambda: read_state(root)
    if not _is_jetson(root):
        return read_gpu_state
    try:
        read_gpu()
    except NotAvailable:
        return lambda: read_state(root)
    return read_gpu_state


def _is_jetson(root: Path) -> bool:
    return (root / _JETSON_RELEASE).exists()
