"""Where does it run, how is it reached, in what state is it? Imports no framework and times nothing."""

from devices.catalog import Target, find_target, load_catalog
from devices.device import Device, DeviceState, GpuHealth, Health
from devices.errors import NoAnswer, NotAvailable, PacelineError, WrongUse, unknown_name
from devices.health import Finding, gpu_findings, machine_findings
from devices.linux import read_device, read_state
from devices.linux_health import read_health
from devices.load import Load, Process, read_load
from devices.nvidia import (
    GpuDisturbances,
    gpu_count,
    gpu_energy_j,
    gpu_throttle_reasons,
    gpu_versions,
    read_gpu,
    read_gpu_health,
    read_gpu_state,
)
from devices.timed_device import read_timed_device, state_reader

__all__ = [
    "Device",
    "DeviceState",
    "Finding",
    "GpuDisturbances",
    "GpuHealth",
    "Health",
    "Load",
    "NoAnswer",
    "NotAvailable",
    "PacelineError",
    "Process",
    "Target",
    "WrongUse",
    "find_target",
    "gpu_count",
    "gpu_energy_j",
    "gpu_findings",
    "gpu_throttle_reasons",
    "gpu_versions",
    "load_catalog",
    "machine_findings",
    "read_device",
    "read_gpu",
    "read_gpu_health",
    "read_gpu_state",
    "read_health",
    "read_load",
    "read_state",
    "read_timed_device",
    "state_reader",
    "unknown_name",
]
