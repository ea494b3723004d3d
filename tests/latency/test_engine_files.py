"""Engines to be shipped, built by stand-ins for TensorRT; a GPU's own are built where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from devices import Device
from latency import BuiltEngine, Missing, ProfilingError, build_engine, build_module, missing_for_engine
from latency.profilers.tensorrt_native import TensorRtProfiler
from tests.latency.fake_cuda import FakeCuda
from tests.latency.fake_tensorrt import Fake
from tests.latency.test_dynamic_shapes import classifying

pytest.importorskip("torch", reason="torch is not installed; it exports what TensorRT reads")

WORKLOAD = replace(classifying(), precision="fp16")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Fake]:
    def put(version: str) -> Fake:
        fake = Fake(version)
        monkeypatch.setitem(sys.modules, "tensorrt", fake.module)
        monkeypatch.setattr(sys.modules[TensorRtProfiler.__module__], "find_cuda", lambda: FakeCuda)
        monkeypatch.setattr("latency.engine_files.read_timed_device", lambda kind: Device("gpu", "A card", "sm_90"))
        return fake

    return put


@pytest.mark.parametrize("version", ["8.6.1", "11.4.0"])
def test_an_engine_is_built_of_the_precision(version: str, install: Callable[[str], Fake]) -> None:
    install(version)
    assert missing_for_engine() is None
    engine = build_engine(WORKLOAD, build_module(WORKLOAD))
    assert isinstance(engine, BuiltEngine)
    assert engine.plan
    assert (engine.built_by, engine.precision) == (f"tensorrt {version}", "fp16")
    assert "A card" in engine.device


def test_what_tensorrt_refuses_says_why(install: Callable[[str], Fake]) -> None:
    install("11.4.0")
    with pytest.raises(ProfilingError, match="int8"):
        build_engine(replace(WORKLOAD, precision="int8"), build_module(WORKLOAD))


def test_without_tensorrt_it_is_said_how_it_gets_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    lacking = build_engine(WORKLOAD, build_module(WORKLOAD))
    assert isinstance(lacking, Missing)
    assert "tensorrt cannot be imported" in lacking.reason
    assert "pip install" in lacking.remedy
    assert missing_for_engine() == lacking
