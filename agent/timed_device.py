"""The device whose time is taken, by the kind of processor that computes: its identity, and how its state is read."""

from typing import Any, Callable, Dict

from agent.gpu import GpuUnavailable, read_gpu, read_gpu_state
from agent.jetson import is_jetson
from agent.linux import read_device, read_state


def read_timed_device(accelerator: str, root: str = "/") -> Dict[str, Any]:
    """Identify what computes: this machine, or the first GPU that CUDA shows; a Jetson without NVML is both at once.

    Args:
        accelerator: ``cpu`` or ``cuda``.
        root: of the file system.

    Returns:
        The fields of ``devices.Device``.

    Raises:
        GpuUnavailable: the GPU cannot be asked.
    """
    if accelerator == "cpu":
        return read_device(root)
    try:
        return read_gpu()
    except GpuUnavailable:
        if is_jetson(root):
            return read_device(root)
        raise


def state_reader(accelerator: str, root: str = "/") -> Callable[[], Dict[str, Any]]:
    """What reads the state of the device that ``read_timed_device`` identifies, as fields of ``devices.DeviceState``.

    What it gives raises GpuUnavailable when the GPU cannot be asked.

    Args:
        accelerator: ``cpu`` or ``cuda``.
        root: of the file system.
    """
    if accelerator == "cpu":
        return lambda: read_state(root)
    if not is_jetson(root):
        return read_gpu_state
    try:
        read_gpu()
    except GpuUnavailable:
        return lambda: read_state(root)
    return lambda: _state_of_both(root)


def _state_of_both(root: str) -> Dict[str, Any]:
    """Of a Jetson that has NVML: what the GPU tells, and what only the board tells; the power mode is the board's."""
    board = read_state(root)
    state = {**board, **read_gpu_state()}
    return {**state, "power_mode": board["power_mode"]} if "power_mode" in board else state
