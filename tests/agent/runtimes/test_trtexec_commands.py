"""What is said to trtexec and what it answers."""

from __future__ import annotations

import json

import pytest

from agent.loop import ProfilingError
from agent.runtimes.trtexec_commands import Trtexec, failure_reason, has_failed, read_help, read_times, shown

ALWAYS = frozenset({"useSpinWait", "noDataTransfers", "separateProfileRun", "useCudaGraph"})
OLD = Trtexec("8.5.2", ALWAYS | {"fp16", "int8", "memPoolSize", "buildOnly", "noTF32"})
NEW = Trtexec("11.1.0", ALWAYS | {"noCudaGraph", "memPoolSize", "skipInference", "noTF32", "builderOptimizationLevel"})

ROW = {"startEnqMs": 201.0, "endEnqMs": 201.5, "startComputeMs": 201.2, "endComputeMs": 203.2, "computeMs": 2.0}
"""Beside these, 8.4 to 11 write H2d and D2h; 8.0 adds endToEndMs; 7.1 writes startInMs and outMs."""


def help_of(digits: str) -> str:
    return (
        f"&&&& RUNNING TensorRT.trtexec [TensorRT v{digits}] # trtexec --help\n=== Model Options ===\n"
        "  --onnx=<file>               ONNX model\n      not an option: see --onnx\n"
        "  --exportTimes=<file>        Write the timing results in a json file (default = disabled)\n"
        "  --fp16                      Enable fp16 precision, in addition to fp32 (default = disabled)\n"
    )


@pytest.mark.parametrize(
    ("digits", "version"),
    [
        *(("7103", "7.1.3"), ("8001", "8.0.1"), ("8502", "8.5.2"), ("8601", "8.6.1")),
        *(("100300", "10.3.0"), ("101600", "10.16.0"), ("110100", "11.1.0")),
    ],
)
def test_the_help_tells_version_and_options(digits: str, version: str) -> None:
    assert read_help(help_of(digits)) == Trtexec(version, frozenset({"onnx", "exportTimes", "fp16"}))


def test_a_banner_without_a_version_is_still_trtexec() -> None:
    trtexec = read_help(help_of("8502").replace(" [TensorRT v8502]", ""))
    assert trtexec is not None
    assert trtexec.version == "unknown"


@pytest.mark.parametrize("text", ["", "usage: other [--onnx FILE]\n  --onnx\n  --exportTimes\n", "TensorRT.trtexec\n"])
def test_another_programs_help_is_not_taken_for_it(text: str) -> None:
    assert read_help(text) is None


def test_a_build_says_all_that_the_version_has_a_word_for() -> None:
    assert shown(OLD.build("m.onnx", "e", "fp16")) == (
        "--onnx=m.onnx --saveEngine=e --buildOnly --memPoolSize=workspace:1024 --fp16 --noTF32"
    )
    assert shown(NEW.build("m.onnx", "e", "fp16", tf32=True, timing_cache="c")) == (
        "--onnx=m.onnx --saveEngine=e --skipInference --memPoolSize=workspace:1024 --builderOptimizationLevel=3 "
        "--timingCacheFile=c"
    )


@pytest.mark.parametrize(
    ("trtexec", "launch", "flag"),
    [
        (OLD, "graph", "--useCudaGraph "),
        (OLD, "stream", ""),
        (NEW, "graph", "--useCudaGraph "),
        (NEW, "stream", "--noCudaGraph "),
    ],
)
def test_a_run_says_what_happens_by_default_in_some_version(trtexec: Trtexec, launch: str, flag: str) -> None:
    assert shown(trtexec.run("e", "t.json", 100, launch)) == (
        "--loadEngine=e --exportTimes=t.json --warmUp=200 --duration=0 --iterations=100 --avgRuns=1 "
        f"{flag}--useSpinWait --noDataTransfers --separateProfileRun"
    )


@pytest.mark.parametrize(
    ("trtexec", "precision", "graph"),
    [(OLD, "fp32", "fp32"), (OLD, "fp16", "fp16"), (OLD, "int8", "fp32"), (NEW, "fp16", "fp16")],
)
def test_a_precision_asks_for_its_graph(trtexec: Trtexec, precision: str, graph: str) -> None:
    assert trtexec.graph_precision(precision) == graph


@pytest.mark.parametrize(
    ("trtexec", "precision", "reason"),
    [(OLD, "bf16", "has no option --bf16"), (NEW, "int8", "Q/DQ"), (NEW, "bf16", "only from a graph of that type")],
)
def test_a_precision_it_cannot_run_is_refused(trtexec: Trtexec, precision: str, reason: str) -> None:
    with pytest.raises(ProfilingError, match=reason) as raised:
        trtexec.graph_precision(precision)
    assert raised.value.stage == "build"


@pytest.mark.parametrize("more", [{"h2dMs": 0.0, "latencyMs": 2.0}, {"endToEndMs": 2.0}, {"inMs": 0.0, "outMs": 0.0}])
def test_times_are_read_from_the_files_of_every_version(more: dict[str, float]) -> None:
    times = read_times(json.dumps([ROW | more, ROW | more | {"computeMs": 3.0}]))
    assert times.compute_s == pytest.approx((0.002, 0.003))
    assert times.enqueue_s == pytest.approx(0.0005)


def test_iterations_of_the_warm_up_are_left_out() -> None:
    early = ROW | {"startComputeMs": 199.9, "computeMs": 50.0}
    assert read_times(json.dumps([early, ROW])).compute_s == pytest.approx((0.002,))
    with pytest.raises(ProfilingError, match="beyond its warm-up"):
        read_times(json.dumps([early]))


def test_a_file_without_enqueue_times_leaves_that_cost_unknown() -> None:
    assert read_times('[{"computeMs": 2.0}]').enqueue_s is None


@pytest.mark.parametrize("time_ms", ["-0.001", "NaN", "Infinity"])
def test_one_strange_time_among_many_is_a_failure(time_ms: str) -> None:
    text = "[" + ", ".join(['{"computeMs": 2.0}'] * 99 + [f'{{"computeMs": {time_ms}}}']) + "]"
    with pytest.raises(ProfilingError, match="must take 0 ms or more") as raised:
        read_times(text)
    assert raised.value.stage == "run"


@pytest.mark.parametrize("text", ["", "[ {", "{}", "[1]", '[{"latencyMs": 1}]', '[{"computeMs": "x"}]', "[]", "null"])
def test_another_file_is_a_failed_run(text: str) -> None:
    with pytest.raises(ProfilingError, match="trtexec wrote no times") as raised:
        read_times(text)
    assert raised.value.stage == "run"


def test_a_failure_is_told_in_the_last_errors_each_once() -> None:
    lines = [f"[01/02/2024-03:04:05] [E] error {n}" for n in (1, 2, 3, 4, 5, 5)]
    output = "\n".join(["[I] started", *lines, "&&&& FAILED TensorRT.trtexec [TensorRT v8502] # trtexec"])
    assert failure_reason(output) == "error 3; error 4; error 5"


@pytest.mark.parametrize(("output", "reason"), [("", "it said nothing"), ("a\nkilled\n\n", "killed")])
def test_without_errors_the_last_line_is_the_reason(output: str, reason: str) -> None:
    assert failure_reason(output) == reason


@pytest.mark.parametrize(
    ("exit_status", "output", "failed"),
    [(0, "&&&& PASSED TensorRT.trtexec", False), (0, "&&&& FAILED TensorRT.trtexec", True), (-11, "", True)],
)
def test_a_run_has_failed_by_its_status_or_by_its_last_words(exit_status: int, output: str, failed: bool) -> None:
    assert has_failed(exit_status, output) is failed
