"""Identity and state of a Linux machine, as ``agent.linux`` reads them."""

from __future__ import annotations

from pathlib import Path

from agent import linux
from devices.device import Device, DeviceState


def read_device(root: Path = Path("/")) -> Device:
    """Identify the machine below ``root``.

    Args:
        root: root of the file system to read; the real one by default.

    Returns:
        The identity; fields that the machine does not tell are None.
    """
    return Device.from_json(linux.read_device(str(root)))


def read_state(root: Path = Path("/")) -> DeviceState:
    """Read what the machine below ``root`` is doing.

    Read twice for each burst of samples, so it must stay below a millisecond: some microseconds for each file, which
    are found once. What takes longer is in ``read_health``.
    """
    return DeviceState.from_json(linux.read_state(str(root)))
