from __future__ import annotations

import random

import pytest

from devices.transports.lines import Lines, Tail, ending


def taken(lines: Lines) -> list[bytes]:
    found = []
    while (line := lines.take()) is not None:
        found.append(line)
    return found


@pytest.mark.parametrize("most_bytes", [1, 2, 7, 1000])
def test_lines_are_the_same_however_they_are_cut(most_bytes: int) -> None:
    text = b"one\n\n\ntwo and more\r\n" * 20 + b"no end"
    lines, draw = Lines(), random.Random(most_bytes)
    while text:
        size = draw.randint(1, most_bytes)
        lines.add(text[:size])
        text = text[size:]
    assert taken(lines) == [b"one\n", b"\n", b"\n", b"two and more\r\n"] * 20
    lines.finish()
    assert taken(lines) == [b"no end"]


def test_what_waits_is_counted() -> None:
    lines = Lines()
    lines.add(b"one\ntw")
    assert lines
    assert lines.waiting_bytes == 6
    lines.take()
    assert not lines
    assert lines.waiting_bytes == 2


def test_an_end_without_words_is_no_line() -> None:
    lines = Lines()
    lines.finish()
    assert lines.take() is None


def test_the_tail_is_the_end_however_long_the_speech() -> None:
    tail = Tail()
    for _ in range(1000):
        tail.add(b"word " * 1000)
    tail.add("and\n  out \xff".encode("latin-1"))
    assert tail.words().endswith("word and out \N{REPLACEMENT CHARACTER}")
    assert len(tail.words()) == 500


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (0, b"", "ended with status 0 without a word"),
        (3, b"no luck\n", "ended with status 3: no luck"),
        (-9, b"", "was killed by SIGKILL without a word"),
        (-255, b"", "was killed by signal 255 without a word"),
    ],
)
def test_an_end_is_told_in_words(status: int, said: bytes, words: str) -> None:
    tail = Tail()
    tail.add(said)
    assert ending(status, tail) == words
