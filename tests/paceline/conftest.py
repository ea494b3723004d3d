"""Runs the command line in this process, the way a shell would see it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from paceline.command_line import main, profile_device


class Ended(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("show", "lat_small")`` runs ``paceline show lat_small``."""

    def run(*arguments: object) -> Ended:
        words = [str(argument) for argument in arguments]
        program = profile_device if words[0] == "profile-device" else main
        monkeypatch.setattr(sys, "argv", words if program is profile_device else ["paceline", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            program()
        captured = capsys.readouterr()
        status = ended.value.code
        return Ended(0 if status is None else int(status), captured.out, " ".join(captured.err.split()))

    return run


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs ``dummy_table`` keeps what it filled."""
    return tmp_path_factory.mktemp("filled") / "dummy.jsonl"


@pytest.fixture
def dummy_table(command: Command, filled: Path, tmp_path: Path) -> Path:
    """A table of the demo space at 32x64, filled once by the dummy runtime; each test has a copy of its own."""
    path = tmp_path / "dummy.jsonl"
    if filled.exists():
        return Path(shutil.copy(filled, path))
    settings = ("--space", "demo", "--input", "32x64", "--runtime", "dummy", "--rounds", 2)
    ended = command("profile-device", *settings, "--out", path)
    assert ended.status == 0, ended.err
    shutil.copy(path, filled)
    return path
