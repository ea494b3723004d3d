"""The published tables, where they are there; none of them is part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("PACELINE_DATA") or ROOT.parent / "shared" / "data") / "lut"

needs_files = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no published tables at {FOLDER}; set PACELINE_DATA to the folder that holds lut"
)
