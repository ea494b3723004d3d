"""The device whose time is taken, with NVML that a GPU answers, and without."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import gpu
from devices import NotAvailable, read_device, read_timed_device, state_reader
from tests.devices.fake_pynvml import Board, FakePynvml

Furnish = Callable[[FakePynvml | None], None]


@pytest.fixture
def furnish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Furnish]:
    """Give this process an NVML; None for none."""

    def put(nvml: FakePynvml | None) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", nvml)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpu.forget()
    yield put
    gpu.forget()


@pytest.fixture
def jetson(tmp_path: Path) -> Path:
    """A file system that a Jetson has, with a load of 1.5."""
    files = {"etc/nv_tegra_release": "# R35 (release), REVISION: 4.1", "proc/loadavg": "1.50 1.00 1.00 1/100 1\n"}
    for name, words in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(words)
    return tmp_path


def test_a_profiler_of_the_processor_times_this_machine(furnish: Furnish) -> None:
    furnish(FakePynvml(Board()))
    assert read_timed_device("cpu") == read_device()
    assert state_reader("cpu")().load_1min is not None


def test_a_profiler_of_a_gpu_times_the_gpu(furnish: Furnish, tmp_path: Path, jetson: Path) -> None:
    furnish(FakePynvml(Board()))
    for root in (tmp_path / "nothing", jetson):
        assert read_timed_device("cuda", root).architecture == "sm_90"
        assert state_reader("cuda", root)().clock_mhz == 1755


def test_a_jetson_without_nvml_is_the_device_itself(furnish: Furnish, jetson: Path) -> None:
    furnish(None)
    assert read_timed_device("cuda", jetson) == read_device(jetson)
    assert state_reader("cuda", jetson)().load_1min == 1.5


def test_another_machine_without_nvml_is_refused_with_the_way_out(furnish: Furnish, tmp_path: Path) -> None:
    furnish(None)
    with pytest.raises(NotAvailable, match="pip install nvidia-ml-py"):
        read_timed_device("cuda", tmp_path)
    with pytest.raises(NotAvailable, match="pip install nvidia-ml-py"):
        state_reader("cuda", tmp_path)()
