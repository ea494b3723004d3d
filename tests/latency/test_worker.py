"""The process that measures, asked line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, final

import pytest

from latency import (
    DummyProfiler,
    Environment,
    Failure,
    Measurement,
    Missing,
    Profiler,
    ProfilingError,
    TimedRun,
    Workload,
    open_profiler,
    sentinel_workload,
    worker,
)
from latency.worker import serve
from tests.contracts.examples import DEVICE, QUICK, block, idle

ROOT = Path(__file__).resolve().parents[2]


def opening(profiler: str = "dummy", **changes: Any) -> dict[str, Any]:
    """The first request; ``changes`` replace fields."""
    return {
        "profiler": profiler,
        "device": DEVICE.to_json(),
        "threads": 1,
        "options": {},
        "plug_ins": [],
        "usual_s": {},
    } | changes


def asking(workload: Workload) -> dict[str, Any]:
    return {"workload": workload.to_json(), "plan": QUICK.to_json()}


def answers(*requests: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is answered, as it arrives at the other end."""
    given: list[dict[str, Any]] = []
    serve(iter([json.dumps(request) + "\n" for request in requests]), given.append)
    again: list[dict[str, Any]] = json.loads(json.dumps(given))
    return again


@final
class Hand(Profiler):
    """Notes which workloads are opened; refuses the sentinel's where it is told to."""

    name = "hand"
    opened: ClassVar[list[Workload]]
    refused: ClassVar[Sequence[str]]
    refusal: ClassVar[Exception] = ProfilingError("load", "not in this precision")

    def __init__(self) -> None:
        super().__init__(DummyProfiler(DEVICE, idle).environment, idle)

    @classmethod
    def missing(cls) -> Missing | None:
        return None

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        self.opened.append(workload)
        if workload == sentinel_workload(workload.precision) and workload.precision in self.refused:
            raise self.refusal
        if workload.operator == "broken":
            raise ProfilingError(str(workload.attributes["stage"]), "broken")
        yield TimedRun(lambda calls: calls * 1e-3)
        self.opened.remove(workload)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> type[Hand]:
    """A profiler that requests get whatever they ask for."""
    monkeypatch.setattr(worker, "open_profiler", lambda *arguments: Hand())
    monkeypatch.setattr(Hand, "opened", [], raising=False)
    monkeypatch.setattr(Hand, "refused", (), raising=False)
    return Hand


def test_the_first_answer_is_the_environment() -> None:
    (answer,) = answers(opening(threads=3))
    assert Environment.from_json(answer["environment"]) == open_profiler("dummy", DEVICE, idle, 3).environment


def test_each_workload_is_answered_with_its_outcome_in_order() -> None:
    broken = Workload("no_such_operator", ((8, 8, 8),))
    _, first, second, third = answers(opening(), asking(block(8)), asking(broken), asking(block(12)))
    assert [answer["kind"] for answer in (first, second, third)] == ["measurement", "failure", "measurement"]
    assert Measurement.from_json(first["outcome"]).workload == block(8)
    assert Failure.from_json(second["outcome"]).workload == broken
    assert Measurement.from_json(third["outcome"]).plan == QUICK


@pytest.mark.parametrize(
    ("request_", "words", "exit_code"),
    [
        (opening("dumy"), "Did you mean 'dummy'", 2),
        (opening(options={"colour": "red"}), "no option of dummy 'colour'", 2),
    ],
)
def test_what_cannot_be_opened_is_said_and_nothing_more(request_: dict[str, Any], words: str, exit_code: int) -> None:
    (answer,) = answers(request_, asking(block()))
    assert words in answer["missing"]
    assert answer["exit_code"] == exit_code


def test_nothing_asked_is_nothing_answered() -> None:
    assert answers() == []


def test_one_sentinel_for_each_precision_stays_loaded_until_the_end(hand: type[Hand]) -> None:
    half = Workload("inverted_residual", block().inputs, block().attributes, "fp16")
    loaded = []

    def answer(_: Mapping[str, Any]) -> None:
        loaded.append([workload.precision for workload in hand.opened])

    requests = [opening(), asking(block()), asking(half), asking(block(12))]
    serve(iter(map(json.dumps, requests)), answer)
    assert loaded == [[], ["fp32"], ["fp32", "fp16"], ["fp32", "fp16"]]
    assert hand.opened == []


@pytest.mark.usefixtures("hand")
def test_what_the_sentinel_usually_takes_is_told_and_answered() -> None:
    _, unknown = answers(opening(), asking(block()))
    _, known = answers(opening(usual_s={"fp32": 0.8e-3, "fp16": 1e-9}), asking(block()))
    assert unknown["usual_s"] == pytest.approx(1e-3)
    assert known["usual_s"] == 0.8e-3
    assert Measurement.from_json(known["outcome"]).bursts[0].disturbed  # 1 ms is more than 0.8 ms and the tolerance.


@pytest.mark.parametrize("error", [ProfilingError("load", "not in this precision"), ArithmeticError(), Hand])
def test_a_precision_without_a_sentinel_is_measured_without(
    hand: type[Hand], monkeypatch: pytest.MonkeyPatch, error: object
) -> None:
    monkeypatch.setattr(hand, "refused", ("fp32",))
    monkeypatch.setattr(hand, "refusal", error)  # The last one cannot even be raised, which is a TypeError.
    _, answer = answers(opening(), asking(block()))
    assert answer["usual_s"] is None
    assert Measurement.from_json(answer["outcome"]).bursts[0].sentinel_s is None


def test_a_runtime_that_takes_no_turns_has_no_sentinel(hand: type[Hand], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand, "takes_turns", False)
    _, answer = answers(opening(), asking(block()))
    assert answer["usual_s"] is None
    assert Measurement.from_json(answer["outcome"]).bursts[0].sentinel_s is None


def broken(stage: str) -> Workload:
    return Workload("broken", ((1, 1, 1),), {"stage": stage})


@pytest.mark.parametrize("stage", ["load", "run"])
def test_after_an_error_on_a_gpu_it_says_that_it_ends_and_does(
    hand: type[Hand], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(hand, "accelerator", "cuda")
    _, good, last = answers(opening(), asking(block()), asking(broken(stage)), asking(block()))
    assert (good["kind"], good["ends"]) == ("measurement", False)
    assert (last["kind"], last["ends"]) == ("failure", True)


@pytest.mark.parametrize(("stage", "accelerator"), [("build", "cuda"), ("load", "cpu"), ("run", "cpu")])
def test_after_other_errors_it_goes_on(
    hand: type[Hand], monkeypatch: pytest.MonkeyPatch, stage: str, accelerator: str
) -> None:
    monkeypatch.setattr(hand, "accelerator", accelerator)
    _, failed, good = answers(opening(), asking(broken(stage)), asking(block()))
    assert (failed["kind"], failed["ends"], good["kind"]) == ("failure", False, "measurement")


def test_it_says_how_long_its_profiler_may_take(hand: type[Hand], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand, "patience_s", 7.0)
    (answer,) = answers(opening())
    assert answer["patience_s"] == 7.0


def run_worker(*requests: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, "-m", "latency.worker"]
    return subprocess.run(command, input=lines, cwd=ROOT, capture_output=True, text=True, check=False)


def test_as_a_process_it_answers_on_standard_output_and_ends_with_standard_input() -> None:
    done = run_worker(opening(), asking(block()))
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert set(first) == {"environment", "patience_s"}
    assert second["kind"] == "measurement"
    assert second["usual_s"] > 0


def test_as_a_process_that_is_asked_nothing_it_ends() -> None:
    done = run_worker()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
