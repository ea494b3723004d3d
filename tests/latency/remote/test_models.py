"""Models on the host: exported once, in a folder that goes with the run."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from latency import ExportedModels, ProfilingError, Workload
from latency.remote import models as models_module
from tests.contracts.examples import BLOCKS, block


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Workload]:
    """What was exported, in place of torch's exporter: bytes that depend on the workload."""
    asked: list[Workload] = []

    def export(graph: Workload) -> bytes:
        asked.append(graph)
        return graph.digest.encode()

    monkeypatch.setattr(models_module, "onnx_model", export)
    return asked


def test_a_file_is_named_by_what_is_in_it() -> None:
    models = ExportedModels()
    try:
        found = models.of(block())
        content = found.path.read_bytes()
        assert found.digest == hashlib.sha256(content).hexdigest()
        assert found.size_bytes == len(content) > 1000
    finally:
        models.close()


def test_a_workload_is_exported_once(exports: list[Workload]) -> None:
    models = ExportedModels()
    assert models.of(block()) == models.of(block())
    models.of(replace(block(), precision="fp16"))
    assert len(exports) == 2
    models.close()


def test_devices_that_share_models_export_each_once(exports: list[Workload]) -> None:
    models = ExportedModels()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(models.of, BLOCKS * 4))
    assert sorted(graph.digest for graph in exports) == sorted(graph.digest for graph in BLOCKS)
    assert len({file.path for file in found}) == len(BLOCKS)
    models.close()


def test_what_cannot_be_exported_fails_at_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(graph: Workload) -> bytes:
        raise NotImplementedError("no such operator in opset 17")

    monkeypatch.setattr(models_module, "onnx_model", refuse)
    models = ExportedModels()
    with pytest.raises(ProfilingError, match="no such operator") as raised:
        models.of(block())
    assert raised.value.stage == "build"
    models.close()


def test_the_folder_goes_with_the_run(exports: list[Workload]) -> None:
    models = ExportedModels()
    folder = models.of(block()).path.parent
    assert folder.is_dir()
    models.close()
    assert not Path(folder).exists()
    assert exports
