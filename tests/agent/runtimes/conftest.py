"""CUDA's runtime library, played by one that this machine's compiler makes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.runtimes import cuda_library

SOURCE = Path(__file__).resolve().parents[2] / "stand_ins" / "cudart.c"


@pytest.fixture(scope="session", params=["11.4", "10.2"])
def cudart_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, as CUDA 11.4 and later have it, and as 10.2 has it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to make the stand-in for libcudart")
    file = tmp_path_factory.mktemp("cuda") / f"libcudart-{request.param}.so"
    old = ["-DOLD"] if request.param == "10.2" else []
    subprocess.run([compiler, "-shared", "-fPIC", *old, "-o", str(file), str(SOURCE)], check=True)
    return file


@pytest.fixture
def cudart(cudart_file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library, found where CUDA's would be; nothing of a test is left in it."""
    monkeypatch.setattr(cuda_library, "LIBRARIES", ("/no/such/libcudart.so", str(cudart_file)))
    library = ctypes.CDLL(str(cudart_file))
    before = library.cudart_live()
    yield library
    assert library.cudart_live() == before
