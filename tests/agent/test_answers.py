"""The answering side, as a process: what leaves by its standard output, and when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

from agent.worker_process import WorkerProcess
from tests.agent.living_processes import ends, lives
from tests.agent.old_pythons import AGENT, run_alone

PATIENCE_S = 60.0
"""For what takes milliseconds."""

SERVES = f"""
import sys
sys.path.insert(0, {str(AGENT.parent)!r})
import json, os, subprocess, time
from agent.answers import answer_requests

def serve(requests, answer):
    for request in map(json.loads, requests):
        if request.get("do") == "chatter":
            sys.stdout.write("from Python\\n")
            sys.stdout.flush()
            os.write(1, b"past Python\\n")
        if request.get("do") == "hang":
            child = subprocess.Popen(["sleep", "600"])
            answer({{"child": child.pid}})
            time.sleep(600)
        if request.get("do") == "end":
            return
        answer({{"asked": request}})

answer_requests(serve)
"""

COMMAND = [sys.executable, "-I", "-S", "-c", SERVES]


def said(*requests: dict[str, object]) -> subprocess.CompletedProcess[str]:
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    return subprocess.run(COMMAND, input=lines, capture_output=True, text=True, check=False)


def test_requests_are_answered_in_their_order_until_they_end() -> None:
    done = said({"number": 1}, {"word": "größer"})
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"asked": {"number": 1}},
        {"asked": {"word": "größer"}},
    ]


def test_it_ends_when_what_serves_ends() -> None:
    assert said({"do": "end"}, {"number": 1}).stdout == ""


def test_what_is_printed_is_no_answer() -> None:
    done = said({"do": "chatter"})
    assert done.stdout == '{"asked": {"do": "chatter"}}\n'
    assert done.stderr == "from Python\npast Python\n"


@contextmanager
def serving(*, group: int | None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(COMMAND, stdin=PIPE, stdout=PIPE, stderr=PIPE, process_group=group) as process:
        try:
            yield process
        finally:
            process.kill()


def ask_to_hang(process: subprocess.Popen[bytes]) -> int:
    """The number of the process that it started before it hung."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"do": "hang"}\n')
    process.stdin.flush()
    child: int = json.loads(process.stdout.readline())["child"]
    return child


def test_without_a_reader_a_process_that_hangs_ends_and_what_it_started_with_it() -> None:
    with serving(group=0) as process:
        child = ask_to_hang(process)
        assert lives(child)
        assert process.stdout is not None
        process.stdout.close()
        assert ends(process.pid)
        assert ends(child)


def test_a_process_in_the_group_of_another_ends_alone() -> None:
    with serving(group=None) as process:
        child = ask_to_hang(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 1
        assert lives(child)
        os.kill(child, 9)


def test_asked_by_its_counterpart_it_answers_and_is_gone_after_it() -> None:
    process = WorkerProcess(COMMAND)
    try:
        child = process.ask({"do": "hang"}, PATIENCE_S)["child"]
        assert lives(child)
    finally:
        process.kill()
    assert ends(child)


OLD = """
import json
from agent.worker_process import WorkerProcess
process = WorkerProcess([sys.executable, "-I", "-S", "-c", json.loads(%r)])
try:
    sys.stdout.write(json.dumps([process.ask({"do": "chatter", "number": number}, 60) for number in range(2)]))
finally:
    process.kill()
"""


def test_an_old_python_answers_all_the_same(old_python: Path, copied_agent: Path) -> None:
    serves = SERVES.replace(repr(str(AGENT.parent)), repr(str(copied_agent)))
    done = run_alone(old_python, copied_agent, OLD % json.dumps(serves))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [{"asked": {"do": "chatter", "number": number}} for number in range(2)]
