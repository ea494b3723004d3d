"""TensorRT through trtexec, played by a stand-in."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices import NotAvailable, WrongUse
from latency import Failure, Measurement, Outcome, Workload, open_profiler
from latency.profilers.trtexec import TrtexecProfiler
from tests.contracts.examples import DEVICE, QUICK, block, idle
from tests.contracts.profiler_contract import ProfilerContract
from tests.stand_ins import trtexec

Install = Callable[..., Path]
OLD_PYTHON = shutil.which("python3.6")
VERSIONS = {8502: "8.5.2", 8601: "8.6.1", 101600: "10.16.0", 110100: "11.1.0"}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a stand-in where $TRTEXEC says; returns the file that gets its arguments."""

    def put(version: int = 8502, fault: str = "") -> Path:
        log = tmp_path / "log"
        monkeypatch.setenv("TRTEXEC", trtexec.install(str(tmp_path), version, fault, str(log)))
        return log

    return put


def starts(log: Path) -> list[list[str]]:
    """The arguments of each start but that of the probe."""
    return [line for text in log.read_text().splitlines() if (line := json.loads(text)) != ["--help"]]


def measured(workload: Workload, **settings: object) -> Outcome:
    construct: Callable[..., TrtexecProfiler] = TrtexecProfiler
    return construct(DEVICE, idle, **settings).measure(workload, QUICK)


def failed(workload: Workload, **settings: object) -> Failure:
    outcome = measured(workload, **settings)
    assert isinstance(outcome, Failure)
    return outcome


class TestTrtexecOfTheXavier(ProfilerContract):
    kind = TrtexecProfiler

    @pytest.fixture(autouse=True)
    def _stand_in(self, install: Install) -> None:
        install(8502)


class TestTrtexec11(ProfilerContract):
    kind = TrtexecProfiler

    @pytest.fixture(autouse=True)
    def _stand_in(self, install: Install) -> None:
        install(110100)


@pytest.mark.parametrize(("version", "shown"), VERSIONS.items(), ids=VERSIONS.values())
def test_the_environment_tells_version_and_flags(install: Install, version: int, shown: str) -> None:
    install(version)
    runtime = TrtexecProfiler(DEVICE, idle).environment.runtime
    assert runtime.versions["tensorrt"] == shown
    for flag in ("--useCudaGraph", "--useSpinWait", "--noDataTransfers", "--separateProfileRun"):
        assert flag in runtime.options["flags"].split()
    assert "--memPoolSize=workspace:1024" in runtime.options["flags"].split()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_version_measures_fp32_and_fp16(install: Install, version: int, precision: str) -> None:
    log = install(version)
    outcome = measured(replace(block(), precision=precision))
    assert isinstance(outcome, Measurement), outcome
    build = starts(log)[0]
    assert ("--fp16" in build) == (precision == "fp16" and version < 110000)
    assert ("--buildOnly" in build) == (version == 8502)
    assert ("--skipInference" in build) == (version != 8502)


def test_int8_starts_from_a_graph_of_fp32(install: Install) -> None:
    log = install(8502)
    assert isinstance(measured(replace(block(), precision="int8")), Measurement)
    assert "--int8" in starts(log)[0]


def test_int8_is_refused_by_11_with_the_way_out(install: Install) -> None:
    log = install(110100)
    failure = failed(replace(block(), precision="int8"))
    assert failure.stage == "build"
    assert "Q/DQ" in failure.reason
    assert "measure fp16" in failure.reason
    assert not starts(log)


def test_bf16_is_refused_by_8_with_the_option_it_lacks(install: Install) -> None:
    install(8502)
    assert "no option --bf16" in failed(replace(block(), precision="bf16")).reason


def test_tf32_is_left_out_unless_it_is_asked_for(install: Install) -> None:
    log = install()
    assert isinstance(measured(block()), Measurement)
    assert isinstance(measured(block(), options={"tf32": "yes"}), Measurement)
    builds = [start for start in starts(log) if "--buildOnly" in start]
    assert ["--noTF32" in build for build in builds] == [True, False]


@pytest.mark.parametrize("version", [8502, 110100])
def test_launching_kernel_by_kernel_leaves_the_graph_out(install: Install, version: int) -> None:
    log = install(version)
    assert isinstance(measured(block(), options={"launch": "stream"}), Measurement)
    run = starts(log)[-1]
    assert "--useCudaGraph" not in run
    assert ("--noCudaGraph" in run) == (version == 110100)


def test_a_shared_timing_cache_is_one_file_for_all_builds(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log = install(8502)
    assert isinstance(measured(block()), Measurement)
    assert not (tmp_path / "cache").exists()
    for workload in (block(), block(12)):
        assert isinstance(measured(workload, options={"timing_cache": "shared"}), Measurement)
    (cache,) = (tmp_path / "cache" / "paceline").iterdir()
    assert cache.name == f"trtexec-8.5.2-{DEVICE.fingerprint}.timing"
    assert len(cache.read_text().splitlines()) == 2
    builds = [start for start in starts(log) if f"--timingCacheFile={cache}" in start]
    assert len(builds) == 2


def test_iterations_are_handed_out_in_the_order_they_happened(install: Install) -> None:
    log = install()
    with TrtexecProfiler(DEVICE, idle).open(block()) as run:
        one_by_one = [run(1) for _ in range(6)]
    with TrtexecProfiler(DEVICE, idle).open(block()) as run:
        in_threes = [run(3) for _ in range(2)]
    assert in_threes == pytest.approx([sum(one_by_one[:3]), sum(one_by_one[3:])])
    assert len(set(one_by_one)) > 1
    assert len(starts(log)) == 4  # A build and a run, twice: six iterations start the program once.


def test_used_up_iterations_are_recorded_again_from_the_same_engine(install: Install) -> None:
    log = install()
    with TrtexecProfiler(DEVICE, idle).open(block()) as run:
        assert run(99) > 0
        assert run(2) > 0
        assert run(20_000) > 0
    build, first, *more = starts(log)
    assert "--iterations=100" in first
    assert [argument for argument in first if argument.startswith("--loadEngine")] == [
        argument.replace("--saveEngine", "--loadEngine") for argument in build if argument.startswith("--saveEngine")
    ]
    assert [a for start in more for a in start if a.startswith("--iterations")] == [
        "--iterations=10000",
        "--iterations=20000",
    ]


def test_the_time_to_enqueue_is_a_cost_of_its_own(install: Install) -> None:
    install()
    outcome = measured(block())
    assert isinstance(outcome, Measurement), outcome
    assert outcome.costs.enqueue_s == pytest.approx(5e-6)
    assert outcome.costs.peak_memory_bytes is None


def test_the_warm_up_that_old_versions_write_is_left_out(install: Install) -> None:
    install(8001)
    with TrtexecProfiler(DEVICE, idle).open(block()) as run:
        first = run(100)
    install(8502)
    with TrtexecProfiler(DEVICE, idle).open(block()) as run:
        # The older one draws the same noise for its warm-up first, so only the level can be compared.
        assert run(100) == pytest.approx(first, rel=0.02)


def test_a_larger_network_takes_longer(install: Install) -> None:
    install()
    times = []
    for workload in (block(8), block(64, source=64)):
        outcome = measured(workload)
        assert isinstance(outcome, Measurement), outcome
        times.append(statistics.median(outcome.samples_s))
    assert times[0] < times[1]


@pytest.mark.parametrize(
    ("fault", "stage", "words"),
    [
        ("build", "build", "Engine could not be created from network"),
        ("run", "run", "illegal memory access"),
        ("crash", "run", "trtexec failed (-6)"),
        ("garbage", "run", "no times that can be read"),
        ("empty", "run", "no times beyond its warm-up"),
        ("silent", "run", "wrote no times"),
    ],
)
def test_what_goes_wrong_in_trtexec_is_a_failure_in_its_words(
    install: Install, fault: str, stage: str, words: str
) -> None:
    install(8502, fault)
    failure = failed(block())
    assert failure.stage == stage
    assert words in failure.reason


def test_a_model_it_cannot_read_fails_to_build(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    monkeypatch.setattr(sys.modules[TrtexecProfiler.__module__], "onnx_model", lambda workload: b"no model")
    failure = failed(block())
    assert failure.stage == "build"
    assert "Failed to parse onnx file" in failure.reason


def test_a_run_that_hangs_is_ended_and_a_failure(install: Install) -> None:
    install(8502, "hang")
    for limit_s in (3.0, 15.0, 60.0):  # So long that it was built.
        failure = failed(block(), limit_s=limit_s)
        assert f"did not end within {limit_s:g} s" in failure.reason
        if failure.stage == "run":
            break
    assert failure.stage == "run"


def test_without_trtexec_it_says_where_it_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTEXEC", "/no/such/trtexec")
    with pytest.raises(NotAvailable, match=r"\$TRTEXEC.*libnvinfer-bin"):
        open_profiler("trtexec", DEVICE, idle)


def test_it_is_found_on_path(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    monkeypatch.delenv("TRTEXEC")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert TrtexecProfiler.missing() is None


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false"])
def test_another_program_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setenv("TRTEXEC", program)
    with pytest.raises(NotAvailable, match="is not the help of trtexec"):
        TrtexecProfiler(DEVICE, idle)


def test_fewer_than_one_thread_is_refused(install: Install) -> None:
    install()
    with pytest.raises(WrongUse, match="at least 1 thread; got 0"):
        TrtexecProfiler(DEVICE, idle, 0)


def test_the_stand_in_refuses_an_option_of_another_version_as_trtexec_does(install: Install) -> None:
    install(110100)
    ended = subprocess.run([os.environ["TRTEXEC"], "--fp16"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Unknown option: --fp16" in ended.stdout
    assert ended.stdout.rstrip().splitlines()[-1].startswith("&&&& FAILED TensorRT.trtexec [TensorRT v110100]")


@pytest.mark.skipif(OLD_PYTHON is None, reason="there is no python3.6 on PATH")
def test_the_stand_in_runs_under_the_python_of_old_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if subprocess.run([str(OLD_PYTHON), "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the python3.6 on PATH does not start")
    monkeypatch.setenv("TRTEXEC", trtexec.install(str(tmp_path), python=str(OLD_PYTHON)))
    assert isinstance(measured(block()), Measurement)
