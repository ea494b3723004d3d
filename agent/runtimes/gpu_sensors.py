"""What a driver tells of the GPU whose time is taken: its versions, and what happened while a program ran."""

import os
from typing import Callable, Dict

from agent.gpu import GpuDisturbances, gpu_versions
from agent.jetson import is_jetson
from agent.nvml import GpuUnavailable
from agent.watch import Watch

ROOT_VARIABLE = "PACELINE_ROOT"
"""Environment variable that names the root of the file system that the device is read from, where it is not ``/``."""


def root() -> str:
    """Root of the file system that the device is read from."""
    return os.environ.get(ROOT_VARIABLE) or "/"


def driver_versions() -> Dict[str, str]:
    """Versions of the driver and of its CUDA; nothing where it cannot be asked, as on most Jetsons."""
    try:
        return gpu_versions()
    except GpuUnavailable:
        return {}


def gpu_disturbances() -> Callable[[], int]:
    """A count that grows when the GPU is found slowed down by heat or hardware; 0 for ever where nothing tells."""
    try:
        return GpuDisturbances()
    except GpuUnavailable:
        return int


def device_watch() -> Watch:
    """What watches the GPU of this machine while a program runs on it; on a Jetson that is the whole board."""
    return Watch(root()) if is_jetson(root()) else Watch(root(), "cuda")
