"""The measuring side of two pipes: requests come as JSON lines, and answers are all that leaves by standard output."""

import json
import os
import select
import signal
import sys
import threading
from typing import IO, Any, Callable, Dict, Iterator

Answer = Callable[[Dict[str, Any]], None]
"""Sends one answer."""


def answer_requests(serve: Callable[[Iterator[str], Answer], None]) -> None:
    """Serve the process that started this one, until its requests end or nobody can read the answers any more.

    What a runtime prints goes to standard error from here on.

    Args:
        serve: is given the requests, lines of JSON as they come, and what sends an answer.

    Raises:
        SystemExit: status 1, when nobody reads any more.
    """
    answers = take_output()
    threading.Thread(target=end_without_reader, args=(answers,), daemon=True).start()

    def answer(values: Dict[str, Any]) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    try:
        serve(iter(sys.stdin), answer)
    except BrokenPipeError:
        sys.exit(1)  # Whoever asked was killed.


def take_output() -> IO[str]:
    """Standard output as it was, for answers; whatever else writes to it from now on goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def end_without_reader(answers: IO[str]) -> None:
    """Wait until nobody reads ``answers`` any more, which is how a killed parent looks from here; then end.

    A workload that hangs would otherwise outlive the one that waited for it. What this process started ends with it,
    where this process leads a group of its own, as ``WorkerProcess`` starts it.
    """
    watch = select.poll()
    watch.register(answers, 0)  # An error, which a pipe without a reader is, is told without being asked for.
    watch.poll()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
