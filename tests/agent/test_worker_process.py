"""Asking a process: real processes, real crashes, real kills, with this Python and with old ones."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.worker_process import DiedError, HungError, WorkerProcess
from tests.agent.living_processes import ends, lives
from tests.agent.old_pythons import run_alone

PATIENCE_S = 60.0
"""For what takes milliseconds."""

ANSWERS = """
import json, os, signal, subprocess, sys, time
for line in sys.stdin:
    request = json.loads(line)
    do = request.get("do")
    if do == "end":
        sys.exit(request["status"])
    if do == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if do == "complain":
        sys.stderr.write(request["words"] * request["times"])
        sys.exit(3)
    if do == "hang":
        child = subprocess.Popen(["sleep", "600"])
        sys.stderr.write("%d\\n" % child.pid)
        sys.stderr.flush()
        open(request["begun"], "w").write(str(child.pid))
        time.sleep(600)
    if do == "close":
        os.close(1)
        time.sleep(600)
    answer = json.dumps({"cwd": os.getcwd(), "env": dict(os.environ), **request})
    sys.stdout.write(request.get("say", answer) + "\\n")
    sys.stdout.flush()
"""

Start = Callable[..., WorkerProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that answer; they are killed after the test."""
    started: list[WorkerProcess] = []

    def begin(cwd: str | None = None, env: dict[str, str] | None = None) -> WorkerProcess:
        started.append(WorkerProcess([sys.executable, "-I", "-S", "-c", ANSWERS], cwd, env))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


def comes(condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.01)
    return condition()


def read_number(path: Path) -> int:
    """The number of the child, which is written a moment after the file is there."""
    assert comes(lambda: path.exists() and path.read_text() != "")
    return int(path.read_text())


def test_each_request_is_answered_by_the_same_process(start: Start) -> None:
    process = start()
    assert [process.ask({"number": number}, PATIENCE_S)["number"] for number in range(3)] == [0, 1, 2]
    assert process.is_ready()


def test_an_answer_longer_than_a_pipe_arrives_whole(start: Start) -> None:
    assert len(start().ask({"long": "é" * 300_000}, PATIENCE_S)["long"]) == 300_000


def test_two_answers_to_one_request_are_told_apart(start: Start) -> None:
    process = start()
    assert process.ask({"say": '{"number": 1}\n{"number": 2}'}, PATIENCE_S) == {"number": 1}
    assert process.ask({}, PATIENCE_S) == {"number": 2}


def test_it_runs_in_the_folder_and_the_environment_that_it_is_given(start: Start, tmp_path: Path) -> None:
    answer = start(str(tmp_path), {"COLOUR": "red"}).ask({}, PATIENCE_S)
    assert answer["cwd"] == str(tmp_path)
    assert answer["env"].get("COLOUR") == "red"
    assert "PATH" not in answer["env"]
    assert start().ask({}, PATIENCE_S)["env"]["PATH"] == os.environ["PATH"]


def test_it_leads_a_group_of_its_own(start: Start) -> None:
    process = start()
    assert os.getpgid(process.pid) == process.pid


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"do": "end", "status": 7}, "its process ended with status 7 without a word"),
        ({"do": "crash"}, "its process was killed by SIGSEGV without a word"),
        (
            {"do": "complain", "words": "assertion failed:\n\t kernel != nullptr\n", "times": 1},
            "its process ended with status 3: assertion failed: kernel != nullptr",
        ),
    ],
)
def test_a_death_is_told_with_its_last_words(start: Start, request_: dict[str, object], words: str) -> None:
    process = start()
    with pytest.raises(DiedError) as caught:
        process.ask(request_, PATIENCE_S)
    assert str(caught.value) == words
    assert not process.is_ready()


def test_of_megabytes_of_words_the_last_are_kept(start: Start) -> None:
    with pytest.raises(DiedError) as caught:
        start().ask({"do": "complain", "words": "x  \n", "times": 1_000_000}, PATIENCE_S)
    assert str(caught.value) == "its process ended with status 3: " + " x" * 150


def test_a_process_that_is_asked_after_its_death_tells_how_it_died(start: Start) -> None:
    process = start()
    os.kill(process.pid, signal.SIGKILL)
    assert comes(lambda: not process.is_ready())
    with pytest.raises(DiedError, match=r"^its process was killed by SIGKILL without a word$"):
        process.ask({}, PATIENCE_S)


def test_a_process_that_hangs_is_told_after_as_long_as_was_given_and_ends_with_its_children(
    start: Start, tmp_path: Path
) -> None:
    process = start()
    process.ask({}, PATIENCE_S)  # It has begun.
    with pytest.raises(HungError, match=r"^no answer within 0\.5 s; its process was killed$"):
        process.ask({"do": "hang", "begun": str(tmp_path / "child")}, 0.5)
    assert not process.is_ready(), "its answer may come yet, and is not that of the next request"
    child = read_number(tmp_path / "child")
    process.kill()
    assert not lives(process.pid)
    assert ends(child)


def test_a_process_that_closes_its_output_and_lives_on_hangs(start: Start) -> None:
    for patience_s in (0.5, 5.0, 60.0):  # So long that it has closed it.
        process = start()
        process.ask({}, PATIENCE_S)  # It has begun.
        with pytest.raises(HungError) as caught:
            process.ask({"do": "close"}, patience_s)
        if "no answer within" not in str(caught.value):
            break
    assert "closed its output and did not end" in str(caught.value)


@pytest.mark.parametrize("said", ["Loading engine...", "[1, 2]", '{"torn": '])
def test_what_is_no_json_object_is_no_answer(start: Start, said: str) -> None:
    process = start()
    with pytest.raises(DiedError, match="its process answered what is no JSON") as caught:
        process.ask({"say": said}, PATIENCE_S)
    assert said in str(caught.value)
    assert not process.is_ready()


def test_a_kill_is_heard_by_whoever_waits_for_an_answer(start: Start, tmp_path: Path) -> None:
    process, heard = start(), list[str]()

    def wait() -> None:
        with pytest.raises(DiedError) as caught:
            process.ask({"do": "hang", "begun": str(tmp_path / "child")}, PATIENCE_S)
        heard.append(str(caught.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    child = read_number(tmp_path / "child")
    process.kill()
    waiting.join()
    assert heard == [f"its process was killed by SIGKILL: {child}"]
    assert ends(child)


def test_after_a_kill_it_is_not_ready_and_dead_for_good(start: Start) -> None:
    process = start()
    for _ in range(2):
        process.kill()
    assert not lives(process.pid)
    assert not process.is_ready()
    with pytest.raises(DiedError, match="was killed before it was asked"):
        process.ask({}, PATIENCE_S)


def test_a_program_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        WorkerProcess(["/no-such-program"])


ASKS = """
import json
from agent.worker_process import DiedError, HungError, WorkerProcess

def heard(request, patience_s):
    process = WorkerProcess([sys.executable, "-c", json.loads(%r)])
    try:
        return process.ask(request, patience_s)["number"]
    except (DiedError, HungError) as error:
        return "%%s: %%s" %% (type(error).__name__, error)
    finally:
        process.kill()

requests = [({"number": 5}, 60), ({"do": "crash"}, 60), ({"do": "hang", "begun": "/dev/null"}, 0.5)]
sys.stdout.write(json.dumps([heard(*request) for request in requests]))
"""


def test_an_old_python_asks_and_buries_processes_all_the_same(old_python: Path, copied_agent: Path) -> None:
    done = run_alone(old_python, copied_agent, ASKS % json.dumps(ANSWERS))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [
        5,
        "DiedError: its process was killed by SIGSEGV without a word",
        "HungError: no answer within 0.5 s; its process was killed",
    ]
