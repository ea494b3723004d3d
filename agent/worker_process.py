"""A process that answers JSON lines, from the side that asks: it may crash, hang, or end without a word."""

import json
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO, Any, Dict, Mapping, Optional, Sequence

_MOST_WORDS = 300
"""Characters of a dead process' last words that an error keeps."""

_MOST_WORDS_BYTES = 16 * 1024
"""How far back its last words are looked for: runtimes write megabytes, with much white space."""

_LEAST_TO_END_S = 1.0
"""What a process has at least, from the end of its output to its own."""


class HungError(Exception):
    """A process gave no answer in time."""


class DiedError(Exception):
    """A process ended without an answer, or answered what is none."""


class WorkerProcess:
    """A running process and the two pipes to it: one JSON object a line, each way.

    It leads a process group of its own, so that Ctrl-C does not reach it: it is for whoever asked, who ends this
    process in their own time.

    Args:
        argv: program and arguments.
        cwd: folder to run it in; the current one when None.
        env: its environment; that of this process when None.
    """

    def __init__(self, argv: Sequence[str], cwd: Optional[str] = None, env: Optional[Mapping[str, str]] = None) -> None:
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`, as the pipes are
        try:
            self._popen = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                cwd=cwd,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        except OSError:
            self._words.close()
            raise
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._requests, self._answers = self._popen.stdin, self._popen.stdout
        self._buffer = b""
        self._owes_answer = False
        self._in_use = threading.RLock()

    @property
    def pid(self) -> int:
        """Number of the process and of the group that it leads."""
        return self._popen.pid

    def is_ready(self) -> bool:
        """Whether it can be asked: it lives, and has answered all that it was asked before."""
        return self._popen.poll() is None and not self._owes_answer

    def ask(self, request: Mapping[str, Any], patience_s: float) -> Dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            HungError: none came in time.
            DiedError: the process ended first, was killed before, or gave an answer that is no JSON object.
        """
        with self._in_use:
            if self._requests.closed:
                raise DiedError("its process was killed before it was asked")
            self._owes_answer, until_s = True, time.monotonic() + patience_s
            try:
                self._requests.write(json.dumps(request).encode() + b"\n")
                self._requests.flush()
            except BrokenPipeError as error:
                raise DiedError(self._last_words(until_s)) from error
            answer = _parsed(self._line(until_s, patience_s))
            self._owes_answer = False
            return answer

    def _line(self, until_s: float, patience_s: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, until_s - time.monotonic())):
                    raise HungError(f"no answer within {patience_s:g} s; its process was killed")
                part = os.read(self._answers.fileno(), 1 << 20)
                if not part:
                    raise DiedError(self._last_words(until_s))
                self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _last_words(self, until_s: float) -> str:
        """How the process ended, and the end of what it wrote to standard error."""
        try:
            code = self._popen.wait(max(_LEAST_TO_END_S, until_s - time.monotonic()))
        except subprocess.TimeoutExpired as error:  # A driver that hangs while it is unloaded.
            raise HungError("its process closed its output and did not end; it was killed") from error
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        length_bytes = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, length_bytes - _MOST_WORDS_BYTES))
        said = " ".join(self._words.read().decode(errors="replace").split())[-_MOST_WORDS:]
        return f"its process {how}: {said}" if said else f"its process {how} without a word"

    def kill(self) -> None:
        """End it, whatever it is doing, and everything that it started, which may outlive it.

        Another thread may be waiting for an answer; it gets a DiedError.
        """
        if self._requests.closed:
            return  # It was killed before, and its number may be that of another process by now.
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        with self._in_use:
            for pipe in (self._requests, self._answers, self._words):
                with suppress(BrokenPipeError):  # An unsent request of a dead process.
                    pipe.close()


def _parsed(line: bytes) -> Dict[str, Any]:
    try:
        answer = json.loads(line.decode())
    except ValueError as error:
        raise DiedError(f"its process answered what is no JSON: {line[:_MOST_WORDS]!r}") from error
    if not isinstance(answer, dict):
        raise DiedError(f"its process answered what is no JSON object: {line[:_MOST_WORDS]!r}")
    return answer
