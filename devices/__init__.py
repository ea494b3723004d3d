"""Where does it run, how is it reached, in what state is it? Imports no framework and times nothing."""

from devices.catalog import Target, find_target, load_catalog
from devices.device import Device, DeviceState
from devices.errors import NoAnswer, NotAvailable, PacelineError, WrongUse, unknown_name
from devices.linux import read_device, read_state

__all__ = [
    "Device",
    "DeviceState",
    "NoAnswer",
    "NotAvailable",
    "PacelineError",
    "Target",
    "WrongUse",
    "find_target",
    "load_catalog",
    "read_device",
    "read_state",
    "unknown_name",
]
