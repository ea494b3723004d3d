"""The process that measures on the device, asked line by line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agent import worker
from agent.loop import ProfilingError, TimedRun
from agent.nvml import forget
from agent.runtimes import RUNTIMES, Missing, Model, Runtime
from agent.runtimes.gpu_sensors import ROOT_VARIABLE
from agent.worker import serve
from agent.worker_process import DiedError, WorkerProcess
from devices import Device
from latency import Burst, open_profiler
from tests.agent.boards import AGX_XAVIER, ZONES, build
from tests.contracts.examples import DEVICE, QUICK, block, idle
from tests.contracts.runtime_contract import model_of
from tests.stand_ins import trtexec

MOST_WAIT_S = 300.0


class Hand(Runtime):
    """Notes which models are open; fails where it is told to."""

    name = "hand"
    opened: ClassVar[list[str]] = []
    failures: ClassVar[dict[str, Exception]] = {}
    disturbed: ClassVar[int] = 0

    @classmethod
    def missing(cls) -> Missing | None:
        return None

    def versions(self) -> dict[str, str]:
        return {"hand": "5"}

    def graph_precisions(self) -> dict[str, str]:
        return {"fp32": "fp32", "int8": "fp32"}

    @contextmanager
    def open(self, model: Model) -> Iterator[TimedRun]:
        if model.path in self.failures:
            raise self.failures[model.path]
        self.opened.append(model.path)
        yield TimedRun(lambda calls: calls * 1e-3, lambda: {"energy_j": 0.25})
        self.opened.remove(model.path)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> type[Hand]:
    monkeypatch.setitem(RUNTIMES, "hand", Hand)
    monkeypatch.setattr(Hand, "opened", [])
    monkeypatch.setattr(Hand, "failures", {})
    return Hand


def opening(runtime: str, **changes: Any) -> dict[str, Any]:
    return {"runtime": runtime, "threads": 1, "options": {}} | changes


def model(path: str = "a", precision: str = "fp32") -> dict[str, Any]:
    inputs = [{"name": "input_0", "shape": [1, 8, 8, 8], "type": "float32"}]
    return {"path": path, "precision": precision, "inputs": inputs}


def asking(path: str = "a", sentinel: Any = None) -> dict[str, Any]:
    return {"model": model(path), "plan": QUICK.to_json(), "sentinel": sentinel}


def beside(path: str = "sentinel", usual_s: float | None = None) -> dict[str, Any]:
    return {"model": model(path), "usual_s": usual_s}


def answers(*requests: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is answered, as it arrives at the other end."""
    given: list[dict[str, Any]] = []
    serve(iter([json.dumps(request) + "\n" for request in requests]), given.append)
    again: list[dict[str, Any]] = json.loads(json.dumps(given))
    return again


@pytest.mark.usefixtures("hand")
def test_the_first_answer_says_what_was_opened() -> None:
    (answer,) = answers(opening("hand", threads=3))
    opened = answer["opened"]
    assert Device.from_json(opened.pop("device")).kind == "cpu"
    assert opened == {
        "versions": {"hand": "5"},
        "options": {},
        "patience_s": 300.0,
        "takes_turns": True,
        "graph_precisions": {"fp32": "fp32", "int8": "fp32"},
    }


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (opening("dumy"), "no runtime 'dumy'"),
        (opening("dummy", options={"colour": "red"}), "no option colour = red"),
        (opening("dummy", threads=0), "at least 1 thread"),
    ],
)
def test_what_cannot_be_opened_is_said_with_the_remedy_and_nothing_more(request_: dict[str, Any], words: str) -> None:
    (answer,) = answers(request_, asking())
    assert words in answer["missing"]["reason"]
    assert answer["missing"]["remedy"]


def test_a_gpu_that_cannot_be_asked_is_missing(hand: type[Hand], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand, "accelerator", "cuda")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    forget()
    (answer,) = answers(opening("hand"))
    assert answer["missing"] == {
        "reason": "NVIDIA GPUs cannot be asked: the package nvidia-ml-py is not installed",
        "remedy": "`pip install nvidia-ml-py` brings it.",
    }


def test_nothing_asked_is_nothing_answered() -> None:
    assert answers() == []


@pytest.mark.usefixtures("hand")
def test_a_burst_is_one_that_the_host_reads() -> None:
    _, answer = answers(opening("hand"), asking())
    burst = Burst.from_json(answer["burst"])
    assert set(burst.samples_s) == {1e-3}
    assert burst.costs.energy_j == 0.25
    assert burst.process
    assert (answer["usual_s"], answer["ends"]) == (None, False)


@pytest.mark.parametrize("error", [ProfilingError("build", "a " * 900), ArithmeticError("  two\n lines ")])
def test_a_failure_has_a_stage_and_a_short_reason_in_one_line(hand: type[Hand], error: Exception) -> None:
    hand.failures["bad"] = error
    _, bad, good = answers(opening("hand"), asking("bad"), asking())
    stage = "build" if isinstance(error, ProfilingError) else "load"
    reason = ("a " * 900)[:500] if stage == "build" else "ArithmeticError: two lines"
    assert bad == {"failure": {"stage": stage, "reason": reason}, "ends": False}
    assert "burst" in good


def test_a_model_is_released_and_its_sentinel_stays_until_the_end(hand: type[Hand]) -> None:
    loaded: list[list[str]] = []
    requests = [opening("hand"), asking("a", beside("s")), asking("b", beside("s")), asking("c", beside("t"))]
    serve(iter(map(json.dumps, requests)), lambda _: loaded.append(list(hand.opened)))
    assert loaded == [[], ["s"], ["s"], ["s", "t"]]
    assert hand.opened == []


@pytest.mark.usefixtures("hand")
def test_what_the_sentinel_usually_takes_is_told_and_answered() -> None:
    _, unknown = answers(opening("hand"), asking("a", beside()))
    _, known = answers(opening("hand"), asking("a", beside(usual_s=0.8e-3)))
    assert unknown["usual_s"] == pytest.approx(1e-3)
    assert known["usual_s"] == 0.8e-3
    assert Burst.from_json(known["burst"]).disturbed  # 1 ms is more than 0.8 ms and the tolerance.


def test_a_sentinel_that_cannot_be_loaded_is_done_without(hand: type[Hand]) -> None:
    hand.failures["sentinel"] = ArithmeticError()
    _, answer = answers(opening("hand"), asking("a", beside()))
    assert answer["usual_s"] is None
    assert Burst.from_json(answer["burst"]).sentinel_s is None


def test_a_runtime_that_takes_no_turns_has_no_sentinel(hand: type[Hand], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand, "takes_turns", False)
    _, answer = answers(opening("hand"), asking("a", beside()))
    assert answer["usual_s"] is None


@pytest.mark.parametrize(
    ("accelerator", "takes_turns", "stage", "ends"),
    [
        ("cuda", True, "run", True),
        ("cuda", True, "load", True),
        ("cuda", True, "build", False),
        ("cuda", False, "run", False),
        ("cpu", True, "run", False),
    ],
)
def test_it_ends_after_an_error_on_a_gpu_that_it_uses_itself(
    hand: type[Hand],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    accelerator: str,
    takes_turns: bool,
    stage: str,
    ends: bool,
) -> None:
    monkeypatch.setattr(hand, "accelerator", accelerator)
    monkeypatch.setattr(hand, "takes_turns", takes_turns)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv(ROOT_VARIABLE, build(tmp_path, AGX_XAVIER))
    forget()
    hand.failures["bad"] = ProfilingError(stage, "broken")
    _, bad, *more = answers(opening("hand"), asking("bad"), asking())
    assert bad["ends"] is ends
    assert len(more) == (0 if ends else 1)


@pytest.mark.usefixtures("hand")
def test_samples_of_a_machine_that_is_held_down_are_disturbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {f"{ZONES}/cooling_device0/type": "thermal-cpufreq-0\n", f"{ZONES}/cooling_device0/cur_state": "2\n"}
    monkeypatch.setenv(ROOT_VARIABLE, build(tmp_path, AGX_XAVIER, files))
    _, answer = answers(opening("hand"), asking())
    burst = Burst.from_json(answer["burst"])
    assert burst.disturbed
    assert burst.before.throttle_reasons


def test_a_board_that_tells_its_power_gives_energy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, build(tmp_path, AGX_XAVIER))
    _, answer = answers(opening("dummy"), asking("/dev/null"))
    assert Burst.from_json(answer["burst"]).costs.energy_j


@contextmanager
def started(python: Path, folder: Path, **env: str) -> Iterator[WorkerProcess]:
    """A worker as the agent starts it: with the agent alone, in an empty environment."""
    with ExitStack() as stack:
        argv = [str(python), "-B", "-W", "error", "-m", "agent.worker"]
        process = WorkerProcess(argv, str(folder), {"PATH": os.defpath, **env})
        stack.callback(process.kill)
        yield process


def test_an_old_python_measures_with_the_dummy_what_this_one_does(
    old_python: Path, copied_agent: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 5000)
    _, mine = answers(opening("dummy"), asking(str(path)))
    with started(old_python, copied_agent) as process:
        opened = process.ask(opening("dummy"), MOST_WAIT_S)["opened"]
        theirs = process.ask(asking(str(path)), MOST_WAIT_S)
    assert theirs["burst"]["samples_s"] == mine["burst"]["samples_s"]
    runtime = open_profiler("dummy", DEVICE, idle).environment.runtime
    assert (opened["versions"], opened["options"]) == (runtime.versions, runtime.options)


def test_an_old_python_measures_with_trtexec_on_a_xavier(old_python: Path, copied_agent: Path, tmp_path: Path) -> None:
    program = trtexec.install(str(tmp_path), 8502, python=str(old_python))
    root = build(tmp_path / "root", AGX_XAVIER)
    workload = block()
    placed = model_of(workload, tmp_path)
    with started(old_python, copied_agent, TRTEXEC=program, **{ROOT_VARIABLE: root}) as process:
        opened = process.ask(opening("trtexec"), MOST_WAIT_S)["opened"]
        answer = process.ask(asking(placed.path, beside(placed.path)), MOST_WAIT_S)
    assert opened["versions"] == {"tensorrt": "8.5.2"}
    assert opened["device"]["kind"] == "cpu"
    assert not opened["takes_turns"]
    assert "--useCudaGraph" in opened["options"]["flags"]
    burst = Burst.from_json(answer["burst"])
    size_bytes = Path(placed.path).stat().st_size
    assert burst.time_s == pytest.approx(20e-6 + size_bytes * 1e-9, rel=0.02)
    assert burst.before.power_mode
    assert answer["usual_s"] is None


def test_the_environment_over_ssh_is_that_of_the_machine_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRTEXEC", trtexec.install(str(tmp_path), 8502))
    monkeypatch.setenv(ROOT_VARIABLE, build(tmp_path / "root", AGX_XAVIER))
    monkeypatch.setitem(sys.modules, "pynvml", None)
    forget()
    opened = answers(opening("trtexec", options={"tf32": "yes"}))[0]["opened"]
    runtime = open_profiler("trtexec", DEVICE, idle, 1, {"tf32": "yes"}).environment.runtime
    assert {**opened["versions"], "torch": runtime.versions["torch"]} == runtime.versions
    assert {**opened["options"], "opset": "17"} == runtime.options


def test_a_request_that_is_none_ends_it_with_its_reason(old_python: Path, copied_agent: Path) -> None:
    with started(old_python, copied_agent) as process:
        process.ask(opening("dummy"), MOST_WAIT_S)
        request = asking("/dev/null") | {"plan": {}}  # Not to be measured: an error that is not the runtime's.
        assert process.ask(request, MOST_WAIT_S)["failure"]["stage"] == "run"
        with pytest.raises(DiedError, match="KeyError"):
            process.ask({}, MOST_WAIT_S)


def test_it_ends_with_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(worker, "answer_requests", called.append)
    worker.main()
    assert called == [serve]
