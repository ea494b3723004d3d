"""Where does it run, how is it reached, in what state is it? Imports no framework and times nothing."""

from devices.catalog import Target, find_target, load_catalog, shipped_targets
from devices.device import Device, DeviceState, GpuHealth, Health
from devices.errors import ConnectionLost, NoAnswer, NotAvailable, PacelineError, Unreachable, WrongUse, unknown_name
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
from devices.power_mode import power_mode_findings
from devices.probe import Probe, probe_device
from devices.reach import transport_for
from devices.target import Connection, Peaks
from devices.timed_device import read_timed_device, state_reader
from devices.transports.local import LocalTransport
from devices.transports.ssh import SshTransport
from devices.transports.transport import Channel, Transport
from devices.user_targets import add_target, remove_target, user_targets_file

__all__ = [
    "Channel",
    "Connection",
    "ConnectionLost",
    "Device",
    "DeviceState",
    "Finding",
    "GpuDisturbances",
    "GpuHealth",
    "Health",
    "Load",
    "LocalTransport",
    "NoAnswer",
    "NotAvailable",
    "PacelineError",
    "Peaks",
    "Probe",
    "Process",
    "SshTransport",
    "Target",
    "Transport",
    "Unreachable",
    "WrongUse",
    "add_target",
    "find_target",
    "gpu_count",
    "gpu_energy_j",
    "gpu_findings",
    "gpu_throttle_reasons",
    "gpu_versions",
    "load_catalog",
    "machine_findings",
    "power_mode_findings",
    "probe_device",
    "read_device",
    "read_gpu",
    "read_gpu_health",
    "read_gpu_state",
    "read_health",
    "read_load",
    "read_state",
    "read_timed_device",
    "remove_target",
    "shipped_targets",
    "state_reader",
    "transport_for",
    "unknown_name",
    "user_targets_file",
]
