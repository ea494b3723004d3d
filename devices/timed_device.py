"""The device whose time is taken, by the kind of processor that computes: its identity, and how its state is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from agent import timed_device
from devices.device import Device, DeviceState
from devices.nvidia import not_available


def read_timed_device(accelerator: Literal["cpu", "cuda"], root: Path = Path("/")) -> Device:
    """Identify what computes: this machine, or the first GPU that CUDA shows; a Jetson without NVML is both at once.

    Args:
        accelerator: kind of processor.
        root: of the file system.

    Raises:
        NotAvailable: the GPU cannot be asked.
    """
    with not_available():
        return Device.from_json(timed_device.read_timed_device(accelerator, str(root)))


def state_reader(accelerator: Literal["cpu", "cuda"], root: Path = Path("/")) -> Callable[[], DeviceState]:
    """What reads the state of the device that ``read_timed_device`` identifies.

    Args:
        accelerator: kind of processor.
        root: of the file system.
    """
    read = timed_device.state_reader(accelerator, str(root))

    def state() -> DeviceState:
        with not_available():
            return DeviceState.from_json(read())

    return state
