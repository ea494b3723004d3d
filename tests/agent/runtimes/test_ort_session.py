"""What all that measure with ONNX Runtime share; more of it in tests/latency/profilers/test_ort_session.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agent.loop import ProfilingError
from agent.runtimes import ort_session
from agent.runtimes.ort_session import PROCESSOR, bound, common_options, load, normal_arrays, session_options
from latency import export_onnx
from latency.model_files import input_arrays
from tests.contracts.examples import block, decoder

onnxruntime: Any = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def old_runtime(monkeypatch: pytest.MonkeyPatch, providers: Sequence[str]) -> None:
    """An ONNX Runtime whose sessions do not tell where their nodes are."""

    class Session:
        def __init__(self, *arguments: object, **settings: object) -> None:
            pass

        def get_providers(self) -> list[str]:
            return list(providers)

    class Old:
        InferenceSession = Session

    monkeypatch.setattr(ort_session, "installed", Old)


def test_a_session_of_an_old_version_with_the_processor_alone_needs_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    old_runtime(monkeypatch, [PROCESSOR])
    assert load(b"", None, PROCESSOR, {}).get_providers() == [PROCESSOR]


@pytest.mark.parametrize("providers", [["CUDAExecutionProvider", PROCESSOR], [PROCESSOR]])
def test_a_session_of_an_old_version_with_another_provider_is_refused(
    monkeypatch: pytest.MonkeyPatch, providers: Sequence[str]
) -> None:
    old_runtime(monkeypatch, providers)
    with pytest.raises(ProfilingError, match=r"before 1\.24 does not tell") as raised:
        load(b"", None, "CUDAExecutionProvider", {})
    assert raised.value.stage == "load"


def test_several_threads_stop_spinning_between_runs_and_the_record_says_so() -> None:
    spinning = "session.force_spinning_stop"
    assert session_options(2).get_session_config_entry(spinning) == "1"
    assert common_options(2)["spinning"] == "within a run"
    assert "spinning" not in common_options(1)
    assert session_options(3).intra_op_num_threads == 3


def test_what_is_bound_is_what_a_plain_run_gives() -> None:
    workload = decoder()
    arrays = dict(zip(("input_0", "input_1"), input_arrays(workload), strict=True))
    session = load(export_onnx(workload), session_options(1), PROCESSOR, {})
    binding = bound(session, arrays)
    session.run_with_iobinding(binding)
    (output,) = binding.copy_outputs_to_cpu()
    np.testing.assert_array_equal(output, session.run(None, arrays)[0])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_inputs_are_the_numbers_that_the_host_has(dtype: str) -> None:
    workload = block(batch=2)
    (mine,) = normal_arrays([(2, 8, 8, 8)], dtype)
    assert mine.dtype == dtype
    np.testing.assert_array_equal(mine, input_arrays(workload)[0].astype(dtype))
