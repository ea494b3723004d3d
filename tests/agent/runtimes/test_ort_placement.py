"""A session whose nodes are elsewhere than wanted is refused; asked of real sessions on the processor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agent.runtimes.ort_placement import RECORD_PLACEMENT, placements, refuse_elsewhere
from latency import ProfilingError, Workload, example_inputs, export_onnx, input_names
from tests.contracts.examples import OPERATOR_CASES, block, network

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def session_on_cpu(workload: Workload, *, record: bool = True, profile: Path | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(RECORD_PLACEMENT, str(int(record)))
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return onnxruntime.InferenceSession(export_onnx(workload), options, providers=[CPU])


def ran_in(events: Iterable[dict[str, Any]]) -> set[str]:
    return {event["args"]["provider"] for event in events if event["cat"] == "Node"}


def test_the_nodes_of_a_session_are_told_with_name_and_operator() -> None:
    placed = placements(session_on_cpu(block()))
    assert list(placed) == [CPU]
    assert [node for node in placed[CPU] if node.endswith("(Conv)")] == [
        f"/body/body.{part}/body.{part}.0/Conv (Conv)" for part in range(3)
    ]


@pytest.mark.parametrize("case", OPERATOR_CASES)
def test_a_session_with_all_nodes_where_they_are_wanted_is_fine(case: str) -> None:
    session = session_on_cpu(OPERATOR_CASES[case])
    refuse_elsewhere(session.get_providers(), placements(session), CPU)


@pytest.mark.parametrize("case", ["identity", "inverted residual", "lr_aspp", "network"])
def test_what_is_told_is_where_nodes_run(case: str, tmp_path: Path) -> None:
    session = session_on_cpu(OPERATOR_CASES[case], profile=tmp_path / "run")
    inputs = zip(input_names(OPERATOR_CASES[case]), example_inputs(OPERATOR_CASES[case]), strict=True)
    session.run(None, {name: tensor.numpy() for name, tensor in inputs})
    assert ran_in(json.loads(Path(session.end_profiling()).read_text())) == set(placements(session))


def test_a_session_that_fell_back_to_the_processor_is_refused() -> None:
    session = session_on_cpu(block())
    with pytest.raises(ProfilingError, match=f"{CUDA} could not be loaded, .* went on with {CPU}") as raised:
        refuse_elsewhere(session.get_providers(), placements(session), CUDA)
    assert raised.value.stage == "load"


def test_nodes_that_are_elsewhere_are_named_with_the_provider_that_has_them() -> None:
    session = session_on_cpu(block())
    with pytest.raises(ProfilingError, match=r"must be in CUDA.*body\.0\.0/Conv \(Conv\) in CPUExecutionProvider"):
        refuse_elsewhere([CUDA, CPU], placements(session), CUDA)


def test_one_stray_among_many_is_enough() -> None:
    with pytest.raises(ProfilingError, match=r"got /Gather \(Gather\) in CPUExecutionProvider$"):
        refuse_elsewhere([CUDA, CPU], {CUDA: ["/Conv (Conv)"] * 40, CPU: ["/Gather (Gather)"]}, CUDA)


def test_of_many_strays_some_are_named_and_the_others_counted() -> None:
    placed = placements(session_on_cpu(network()))
    with pytest.raises(ProfilingError, match=f"and {len(placed[CPU]) - 5} more$") as raised:
        refuse_elsewhere([CUDA, CPU], placed, CUDA)
    assert str(raised.value).count(f" in {CPU}") == 5


def test_a_session_that_was_not_told_to_keep_a_record_has_none_to_go_by() -> None:
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail, match=RECORD_PLACEMENT):
        placements(session_on_cpu(block(), record=False))


@pytest.mark.parametrize("placed", [{}, {CPU: []}], ids=["no provider", "no node"])
def test_a_record_of_no_node_proves_nothing(placed: dict[str, list[str]]) -> None:
    with pytest.raises(ProfilingError, match="does not tell where they are"):
        refuse_elsewhere([CPU], placed, CPU)
