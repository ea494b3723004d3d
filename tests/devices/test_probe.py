from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from devices.errors import NotAvailable
from devices.probe import Probe, probe_device
from devices.transports.local import LocalTransport


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.probe._PATIENCE_S", 120.0)


def test_this_machine_says_what_it_has() -> None:
    with LocalTransport() as transport:
        said = probe_device(transport, sys.executable)
    assert said.python == sys.version.split()[0]
    assert said.folder == tempfile.gettempdir()
    assert said.free_bytes is not None
    assert said.free_bytes > 0
    assert said.machine == os.uname().machine


def test_the_named_folder_is_looked_at(tmp_path: Path) -> None:
    with LocalTransport() as transport:
        assert probe_device(transport, sys.executable, str(tmp_path)).folder == str(tmp_path)
        assert probe_device(transport, sys.executable, str(tmp_path / "gone")).free_bytes is None


def test_a_python_that_is_not_there_is_told_with_the_way_out() -> None:
    with LocalTransport() as transport, pytest.raises(NotAvailable, match=r"`python9` is no Python .* --python"):
        probe_device(transport, "python9")


def test_a_program_that_is_no_python_is_told_too() -> None:
    with LocalTransport() as transport, pytest.raises(NotAvailable, match="`true` is no Python"):
        probe_device(transport, "true")


def test_what_a_login_script_says_is_passed_over(tmp_path: Path) -> None:
    chatty = tmp_path / "python"
    chatty.write_text(f'#!/bin/sh\necho welcome\nexec {sys.executable} "$@"\n')
    chatty.chmod(0o755)
    with LocalTransport() as transport:
        assert probe_device(transport, str(chatty)).python == sys.version.split()[0]


@pytest.mark.parametrize(
    ("python", "is_new_enough"),
    [("2.7.18", False), ("3.5.10", False), ("3.6.15", True), ("3.13.0rc1", True), ("4.0.0", True)],
)
def test_the_agent_needs_a_python_of_its_age(python: str, is_new_enough: bool) -> None:
    assert Probe(python, "Linux", "aarch64", "/data", None).is_new_enough == is_new_enough
