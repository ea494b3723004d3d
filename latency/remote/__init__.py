"""Measuring on a device that is not this machine: the host's side of ``agent.protocol``."""

from latency.remote.models import ExportedModels
from latency.remote.remote_device import RemoteDevice, RemoteRound, RemoteSettings, RemoteState

__all__ = ["ExportedModels", "RemoteDevice", "RemoteRound", "RemoteSettings", "RemoteState"]
