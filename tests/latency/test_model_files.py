"""Models that processes share: exported once, whole or not there, and the same as without sharing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from latency import Workload, export_onnx, model_files
from latency.model_files import FOLDER_VARIABLE, input_arrays, onnx_model
from tests.contracts.examples import block, decoder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def counted(exported: list[Workload]) -> Callable[[Workload], bytes]:
    """An export that notes what it exports."""

    def export(workload: Workload) -> bytes:
        exported.append(workload)
        return b"model of " + workload.digest.encode()

    return export


@pytest.mark.parametrize("setting", [None, ""], ids=["not set", "empty"])
def test_without_a_folder_every_call_exports(monkeypatch: pytest.MonkeyPatch, setting: str | None) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    if setting is not None:
        monkeypatch.setenv(FOLDER_VARIABLE, setting)
    exported: list[Workload] = []
    monkeypatch.setattr(model_files, "export_onnx", counted(exported))
    assert onnx_model(block()) == onnx_model(block())
    assert exported == [block(), block()]


def test_with_a_folder_each_workload_is_exported_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[Workload] = []
    monkeypatch.setattr(model_files, "export_onnx", counted(exported))
    half = replace(block(), precision="fp16")
    models = [onnx_model(workload) for workload in (block(), half, block(), block(12), half)]
    assert exported == [block(), half, block(12)]
    assert models[0] == models[2] != models[1] == models[4]
    assert {file.name for file in folder.iterdir()} == {f"{workload.digest}.onnx" for workload in exported}


def test_a_shared_model_is_the_one_that_is_exported(folder: Path) -> None:
    assert onnx_model(block()) == export_onnx(block())
    assert onnx_model(block()) == (folder / f"{block().digest}.onnx").read_bytes()


@pytest.mark.usefixtures("folder")
def test_another_process_finds_it_and_does_not_need_torch() -> None:
    model = onnx_model(block())
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from latency.model_files import onnx_model, input_arrays\n"
        "from tests.contracts.examples import block\n"
        "sys.stdout.buffer.write(onnx_model(block())); input_arrays(block())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == model


def test_an_export_that_fails_leaves_nothing_behind(folder: Path) -> None:
    with pytest.raises(WrongUse, match="no_such_operator"):
        onnx_model(Workload("no_such_operator", ((8, 8, 8),)))
    assert list(folder.iterdir()) == []


def test_a_process_that_is_killed_while_it_writes_leaves_no_half_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            onnx_model(block())
    assert not (folder / f"{block().digest}.onnx").exists()
    assert onnx_model(block()) == export_onnx(block())


@pytest.mark.parametrize(("precision", "kind"), [("fp32", np.float32), ("fp16", np.float16), ("int8", np.float32)])
def test_inputs_have_the_shapes_and_the_type_of_the_model(precision: str, kind: type) -> None:
    workload = replace(decoder(), precision=precision, batch=2)
    arrays = input_arrays(workload)
    assert [array.shape for array in arrays] == [(2, 8, 4, 8), (2, 6, 16, 32)]
    assert {array.dtype for array in arrays} == {np.dtype(kind)}


def test_inputs_are_the_same_every_time_and_look_like_standard_normal_numbers() -> None:
    workload = block(source=64, size=32)
    (one,), (again,) = input_arrays(workload), input_arrays(workload)
    assert np.array_equal(one, again)
    assert one.mean() == pytest.approx(0, abs=0.02)
    assert one.std() == pytest.approx(1, abs=0.02)


def test_inputs_of_both_precisions_are_the_same_numbers_up_to_rounding() -> None:
    (single,), (half,) = input_arrays(block()), input_arrays(replace(block(), precision="fp16"))
    assert np.allclose(single, half, rtol=1e-3, atol=1e-6)
