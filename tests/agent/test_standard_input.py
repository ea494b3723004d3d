"""Requests as they come, what follows them, and the end that may come at any moment."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agent.standard_input import Requests
from tests.agent.running_agent import waits_until


class Pipe:
    """What is read, from the other side."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()

    def send(self, data: bytes) -> None:
        os.write(self._writing, data)

    def end(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.end()
    # The thread that reads it has its end by now, or never had a beginning.
    os.close(pipe.reading)


def line(do: str, **fields: Any) -> bytes:
    return json.dumps({"do": do, **fields}).encode() + b"\n"


def test_requests_come_in_their_order_in_whatever_pieces(pipe: Pipe) -> None:
    requests = iter(Requests(pipe.reading, lambda: None))
    pipe.send(line("state", id=1) + line("open", id=2)[:5])
    assert next(requests) == {"do": "state", "id": 1}
    pipe.send(line("open", id=2)[5:])
    assert next(requests) == {"do": "open", "id": 2}
    pipe.end()
    assert list(requests) == []


def test_what_follows_a_request_is_no_request(pipe: Pipe) -> None:
    requests = Requests(pipe.reading, lambda: None)
    content = line("bye") * 3 + b"\n"
    pipe.send(line("store", bytes=len(content)) + content + line("state"))
    one_by_one = iter(requests)
    assert next(one_by_one)["do"] == "store"
    came = b""
    while len(came) < len(content):
        came += requests.payload(len(content) - len(came))
    assert came == content
    assert next(one_by_one)["do"] == "state"
    pipe.end()
    assert list(one_by_one) == []


def test_nothing_follows_a_request_that_does_not_say_so(pipe: Pipe) -> None:
    requests = iter(Requests(pipe.reading, lambda: None))
    pipe.send(line("drop", bytes=1000) + line("store", bytes=0) + line("state"))
    assert [next(requests)["do"] for _ in range(3)] == ["drop", "store", "state"]
    pipe.end()
    assert list(requests) == []


def test_an_end_within_a_file_is_said_as_often_as_one_asks(pipe: Pipe) -> None:
    requests = Requests(pipe.reading, lambda: None)
    pipe.send(line("store", bytes=10) + b"12345")
    pipe.end()
    one_by_one = iter(requests)
    next(one_by_one)
    assert requests.payload(10) == b"12345"
    for _ in range(2):
        with pytest.raises(EOFError):
            requests.payload(5)
    assert list(one_by_one) == []


@pytest.mark.parametrize("last", [b"", line("bye"), b'{"do": "sta'])
def test_the_end_interrupts_what_is_being_done_until_it_is_noticed(pipe: Pipe, last: bytes) -> None:
    interrupted = threading.Semaphore(0)
    requests = Requests(pipe.reading, interrupted.release)
    one_by_one = iter(requests)
    pipe.send(line("measure"))
    assert [next(one_by_one), requests.ends] == [{"do": "measure"}, False]
    pipe.send(last)
    pipe.end()
    for _ in range(3):  # More than once: a process may be started at that very moment.
        assert interrupted.acquire(timeout=60)
    assert requests.ends
    assert [request["do"] for request in one_by_one] == (["bye"] if last.endswith(b"\n") else [])
    assert waits_until(lambda: not any("_read_all" in thread.name for thread in threading.enumerate()))


def test_one_that_sends_faster_than_is_written_has_to_wait(pipe: Pipe) -> None:
    requests = Requests(pipe.reading, lambda: None)
    content = bytes(range(256)) * 40_000

    def send_all() -> None:
        pipe.send(line("store", bytes=len(content)))
        for start in range(0, len(content), 1 << 16):
            pipe.send(content[start : start + (1 << 16)])

    sender = threading.Thread(target=send_all)
    sender.start()
    one_by_one = iter(requests)
    next(one_by_one)
    came, left_bytes = [], len(content)
    while left_bytes:
        came.append(requests.payload(left_bytes))
        left_bytes -= len(came[-1])
    sender.join()
    assert b"".join(came) == content
    pipe.end()
    assert list(one_by_one) == []
