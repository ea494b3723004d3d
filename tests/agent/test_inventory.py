"""What a device is and has, as it tells."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agent.inventory import serve, take_inventory
from agent.runtimes import RUNTIMES
from agent.runtimes.gpu_sensors import ROOT_VARIABLE
from agent.worker_process import WorkerProcess
from devices import Device, DeviceState
from tests.agent.boards import AGX_XAVIER, build

MOST_WAIT_S = 300.0


def test_a_jetson_is_known_with_its_gpu_and_its_health(tmp_path: Path) -> None:
    found = take_inventory(build(tmp_path, AGX_XAVIER))
    assert Device.from_json(found["device"]).name == "Jetson-AGX"
    assert DeviceState.from_json(found["state"]).power_mode is not None
    assert found["gpu"]["device"] == found["device"]
    assert found["health"]["cores"] == found["device"]["cores"]


def test_each_runtime_is_there_or_says_why_not_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTEXEC", str(tmp_path / "nowhere"))
    runtimes = take_inventory("/")["runtimes"]
    assert runtimes.keys() == RUNTIMES.keys()
    assert runtimes["dummy"] is None
    assert "no trtexec is found" in runtimes["trtexec"]["reason"]
    assert "JetPack" in runtimes["trtexec"]["remedy"]


def test_each_line_is_answered_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    said: list[dict[str, object]] = []
    serve(iter(["{}\n", "{}\n"]), said.append)
    assert len(said) == 2
    assert said[0].keys() == {"device", "state", "gpu", "health", "runtimes"}


def test_a_process_of_its_own_tells_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = WorkerProcess([sys.executable, "-m", "agent.inventory"], env=environment)
    try:
        assert process.ask({}, MOST_WAIT_S)["device"]["kind"] == "cpu"
    finally:
        process.kill()
