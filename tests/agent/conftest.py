"""Old Pythons, and a copy of the agent as a device gets it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.old_pythons import OLD_VERSIONS, copy_agent, find_python
from tests.agent.running_agent import FakeDevice, bundle_with_stand_in


@pytest.fixture(scope="session", params=OLD_VERSIONS)
def old_python(request: pytest.FixtureRequest) -> Path:
    """A Python 3.6, and then a 3.8."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} in pyenv's folder or on the PATH")
    return python


@pytest.fixture(scope="session")
def copied_agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a copy of the agent and nothing else. For reading: tests share it."""
    return copy_agent(tmp_path_factory.mktemp("device"))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The agent, with a stand-in for what measures."""
    return bundle_with_stand_in(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def device(tmp_path: Path) -> FakeDevice:
    """A device whose Python is the oldest there is here."""
    return FakeDevice(tmp_path / "device", find_python(OLD_VERSIONS[0]) or Path(sys.executable))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 4 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
