"""A machine made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.devices.machines import Files, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Write files below a root: the path relative to it, then the text."""

    def write(files: Files) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write
