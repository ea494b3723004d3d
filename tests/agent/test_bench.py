"""The process that measures, from the side of the agent that keeps one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.bench import Bench
from agent.processes import MARK, mark
from tests.agent.living_processes import ends, lives
from tests.agent.old_pythons import copy_agent
from tests.agent.running_agent import MODEL_INPUTS, STAND_IN

Ask = Callable[[bytes], dict[str, Any]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """One with a stand-in for what measures."""
    code = copy_agent(tmp_path / "code")
    (code / "agent" / "worker.py").write_text(STAND_IN.read_text())
    monkeypatch.setenv("PYTHONPATH", str(code))
    monkeypatch.chdir(code)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    bench = Bench(tmp_path / "scratch", mark(tmp_path))
    yield bench
    bench.close()


@pytest.fixture
def measure(bench: Bench, tmp_path: Path) -> Ask:
    """Have it measure a model."""

    def ask(content: bytes) -> dict[str, Any]:
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        model = {"path": str(path), "precision": "fp32", "inputs": MODEL_INPUTS}
        return bench.measure({"model": model, "plan": {}, "sentinel": None})

    return ask


def test_one_process_measures_all_of_a_round_and_a_new_one_the_next(bench: Bench, measure: Ask) -> None:
    processes = []
    for _ in range(2):
        assert "opened" in bench.open("dummy", 1, {})
        processes += [measure(b"model")["burst"]["process"] for _ in range(2)]
    assert processes[0] == processes[1] != processes[2] == processes[3]
    assert ends(int(processes[0]))


def test_it_is_marked_and_writes_where_it_is_told_to(bench: Bench, measure: Ask, tmp_path: Path) -> None:
    bench.open("dummy", 1, {})
    process = measure(b"model")["burst"]["process"]
    variables = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    assert {f"TMPDIR={tmp_path}/scratch".encode(), f"{MARK}={mark(tmp_path)}".encode()} <= set(variables)
    (tmp_path / "scratch" / "left").write_text("")
    bench.open("dummy", 1, {})
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_crash_and_a_hang_are_failures_and_what_was_asked_for_stays(bench: Bench, measure: Ask) -> None:
    bench.open("dummy", 1, {})
    assert "SIGSEGV" in measure(b"crash")["failure"]["reason"]
    bench.open("dummy", 1, {"patience_s": "0.5"})
    assert "no answer within 0.5 s" in measure(b"hang")["failure"]["reason"]
    assert any("burst" in measure(b"model") for _ in range(60))  # It has no more patience with this one.


def test_a_process_that_is_spent_ends_before_the_next_is_asked(bench: Bench, measure: Ask) -> None:
    bench.open("dummy", 1, {})
    process = int(measure(b"model")["burst"]["process"])
    assert measure(b"refuse") == {"failure": {"stage": "load", "reason": "the runtime refused it"}}
    assert not lives(process)


def test_a_runtime_that_is_missing_is_told(bench: Bench, measure: Ask) -> None:
    missing = {"missing": {"reason": "it is not there", "remedy": "Bring it."}}
    assert bench.open("tensorrt", 1, {}) == missing
    assert measure(b"model") == missing


def test_a_process_that_cannot_be_started_is_told_with_its_last_words(
    bench: Bench, measure: Ask, tmp_path: Path
) -> None:
    (tmp_path / "code" / "agent" / "worker.py").write_text("raise SystemExit('the folder was cleared away')")
    missing = bench.open("dummy", 1, {})["missing"]
    assert "the folder was cleared away" in missing["reason"]
    assert missing["remedy"]
    assert "missing" in measure(b"model")


def test_it_ends_with_all_that_it_started(bench: Bench, measure: Ask) -> None:
    bench.open("dummy", 1, {})
    process = int(measure(b"model")["burst"]["process"])
    bench.close()
    assert not lives(process)
    bench.close()
