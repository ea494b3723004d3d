"""What `import search` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import search

ROOT = Path(__file__).resolve().parents[2]


def test_every_name_resolves() -> None:
    pytest.importorskip("torch", reason="torch is not installed; some names need it")
    for name in search.__all__:
        assert getattr(search, name) is not None
    assert sorted(set(search.__all__)) == sorted(search.__all__)


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="module 'search' has no attribute 'Supernett'"):
        search.Supernett  # noqa: B018 - the access is the test


def test_heavy_libraries_are_loaded_with_the_first_name_that_needs_them() -> None:
    code = (
        "import sys, search; heavy = {'torch', 'onnx', 'onnxruntime', 'tensorrt'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "search.open_published('lat_small'); search.Recipe.read(None); "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "search.Supernet; assert 'torch' in sys.modules"
    )
    pytest.importorskip("torch", reason="torch is not installed; nothing could load it")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
