"""A device that is this machine: a folder, an old Python in an empty environment, and a stand-in for what measures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from latency import RemoteSettings
from tests.agent.old_pythons import OLD_VERSIONS, find_python
from tests.agent.running_agent import FakeDevice, bundle_with_stand_in
from tests.latency.remote.breaking_transport import BreakingTransport
from tests.latency.remote.small_models import SmallModels
from tests.sshd import log_in_patiently


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The agent, with a stand-in for what measures."""
    return bundle_with_stand_in(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def device(tmp_path: Path) -> FakeDevice:
    """A device whose Python is the oldest there is here."""
    return FakeDevice(tmp_path / "device", find_python(OLD_VERSIONS[0]) or Path(sys.executable))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    log_in_patiently(monkeypatch)


@pytest.fixture
def transport() -> Iterator[BreakingTransport]:
    """The way there."""
    with BreakingTransport() as transport:
        yield transport


@pytest.fixture
def models(tmp_path: Path) -> SmallModels:
    """Models of which none fails."""
    return SmallModels(tmp_path / "models")


@pytest.fixture
def settings(device: FakeDevice) -> RemoteSettings:
    """How the device is measured."""
    return RemoteSettings(
        "dummy",
        python=device.python,
        base=str(device.base),
        run="run-1",
        wait_s=30.0,
        quiet_s=60.0,
        first_wait_s=0.01,
        patience_s=60.0,
    )
