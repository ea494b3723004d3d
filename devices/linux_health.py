"""What else bears on times taken on a Linux machine, as ``agent.linux_health`` reads it."""

from __future__ import annotations

from pathlib import Path

from agent import linux_health
from devices.device import Health


def read_health(root: Path = Path("/")) -> Health:
    """Read everything that bears on times taken on the machine below ``root``, in some milliseconds."""
    return Health.from_json(linux_health.read_health(str(root)))
