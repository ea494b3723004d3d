"""An agent that runs as a device runs it, and what it leaves behind; the measuring is done by a stand-in."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from agent.protocol import COMMAND
from latency.remote.bundle import AGENT, bootstrap_line, bundle_of
from tests.agent.living_processes import MOST_WAIT_S, lives

STAND_IN = Path(__file__).resolve().parents[1] / "stand_ins" / "worker.py"

MODEL_INPUTS = [{"name": "input_0", "shape": [1, 8, 8, 8], "type": "float32"}]


def bundle_with_stand_in(folder: Path) -> bytes:
    """The agent, with a stand-in for what measures.

    Args:
        folder: an empty one.
    """
    shutil.copytree(AGENT, folder / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(STAND_IN, folder / "agent" / "worker.py")
    return bundle_of(folder / "agent", [])


def waits_until(condition: Callable[[], object]) -> bool:
    """Whether a condition comes true, now or soon."""
    until_s = time.monotonic() + MOST_WAIT_S
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.01)
    return bool(condition())


@dataclass
class FakeDevice:
    """A folder for temporary files, and a Python that has an empty environment.

    Attributes:
        folder: where all of it lies.
        interpreter: the Python that runs the agent.
        variables: what its environment has all the same.
    """

    folder: Path
    interpreter: Path = Path(sys.executable)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base.mkdir(parents=True)
        self.write_python()

    def write_python(self, before: str = "") -> None:
        """Write the program that plays the device's Python.

        Args:
            before: lines of shell to run first.
        """
        known = {"LOG": str(self.log), "FAULT": str(self.fault), "PATH": "/usr/bin:/bin", **self.variables}
        words = shlex.join([f"{name}={value}" for name, value in known.items()])
        program = Path(self.python)
        # Written beside and renamed: one that is running is left as it is.
        new = program.with_suffix(".new")
        new.write_text(f'#!/bin/sh\n{before}\nexec env -i {words} {shlex.quote(str(self.interpreter))} "$@"\n')
        new.chmod(0o755)
        new.replace(program)

    @property
    def base(self) -> Path:
        """Its folder for temporary files."""
        return self.folder / "temporary"

    @property
    def python(self) -> str:
        """The program that plays its Python."""
        return str(self.folder / "python3")

    @property
    def log(self) -> Path:
        """What the stand-in notes."""
        return self.folder / "log"

    @property
    def fault(self) -> Path:
        """What the stand-in is to do wrong."""
        return self.folder / "fault"

    def noted(self, word: str) -> list[str]:
        """What the stand-in noted after a word, a line each."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(word + " ")]

    def processes(self, *words: str) -> list[int]:
        """Processes that have to do with it and have these words on their command lines."""
        return [pid for pid, line in _command_lines(str(self.base)) if all(word in line for word in words)]

    def agents(self) -> list[int]:
        """Processes that are agents."""
        return self.processes("-m\0agent\0")

    def janitors(self) -> list[int]:
        """Processes that are janitors."""
        return self.processes("agent.janitor")

    def is_clean(self) -> bool:
        """Whether nothing is left on it: no file, and no process."""
        return not list(self.base.iterdir()) and not self.processes()


def _command_lines(base: str) -> Iterator[tuple[int, str]]:
    """The processes whose command lines or environments name a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            variables = (process / "environ").read_bytes().decode(errors="replace")
            if base in line + variables and lives(int(process.name)):
                yield int(process.name), line


class RunningAgent:
    """An agent, and the two pipes to it.

    Args:
        device: where it runs.
        bundle: the agent, zipped.
        run: name of the run.
        header: changes to the header.
        command: what starts it, in place of the device's Python.
    """

    def __init__(
        self,
        device: FakeDevice,
        bundle: bytes,
        run: str = "run-1",
        *,
        command: Sequence[str] | None = None,
        **header: Any,
    ) -> None:
        self._popen = subprocess.Popen(
            [*(command or [device.python]), "-c", COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd=device.folder,
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._input: IO[bytes] = self._popen.stdin
        self._output: IO[bytes] = self._popen.stdout
        self._requests = 0
        values = {"protocol": 1, "run": run, "bundle": len(bundle), "base": str(device.base), "grace_s": 60.0}
        with suppress(BrokenPipeError):
            self.send(bootstrap_line() + json.dumps(values | {"wait_s": 0.0} | header).encode() + b"\n" + bundle)

    @property
    def pid(self) -> int:
        """Number of the process that was started."""
        return self._popen.pid

    def send(self, data: bytes) -> None:
        """Bytes to its standard input."""
        self._input.write(data)
        self._input.flush()

    def next_line(self) -> dict[str, Any]:
        """The next line that is no sign of life; empty after the last."""
        for line in self._output:
            answer: dict[str, Any] = json.loads(line)
            if "beat" not in answer:
                return answer
        return {}

    def greet(self) -> dict[str, Any]:
        """What it says when it has begun."""
        hello: dict[str, Any] = self.next_line()["hello"]
        return hello

    def request(self, do: str, payload: bytes = b"", **fields: Any) -> None:
        """Ask without waiting."""
        self._requests += 1
        self.send(json.dumps({"id": self._requests, "do": do, **fields}).encode() + b"\n" + payload)

    def ask(self, do: str, payload: bytes = b"", **fields: Any) -> dict[str, Any]:
        """Ask, and wait for the answer, without its number."""
        self.request(do, payload, **fields)
        answer = self.next_line()
        if answer:
            assert answer.pop("id") == self._requests
        return answer

    def open(self, runtime: str = "dummy", **options: str) -> dict[str, Any]:
        """Have it measure."""
        return self.ask("open", runtime=runtime, threads=1, options=options)

    def store(self, content: bytes) -> dict[str, Any]:
        """Give it a model."""
        return self.ask("store", content, model=digest_of(content), bytes=len(content))

    def measure(self, content: bytes, token: str = "token-1", **plan: Any) -> dict[str, Any]:  # noqa: S107 - no secret
        """Have it measure a model that it has."""
        return self.ask("measure", **burst_of(content, token, **plan))

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        return self._popen.wait(MOST_WAIT_S)

    def cut(self) -> None:
        """End its standard input, as a connection does that was lost."""
        with suppress(BrokenPipeError):
            self._input.close()

    def kill(self) -> None:
        """End it without a warning."""
        os.kill(self._popen.pid, 9)
        self._popen.wait()

    def last_words(self) -> str:
        """What it wrote to standard error."""
        assert self._popen.stderr is not None
        return self._popen.stderr.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.cut()
        self._popen.kill()  # Nothing is sent to one that was waited for.
        self._popen.wait()
        for pipe in (self._output, self._popen.stderr):
            assert pipe is not None
            pipe.close()


def digest_of(content: bytes) -> str:
    """What a model is called."""
    return hashlib.sha256(content).hexdigest()


def burst_of(content: bytes, token: str, **plan: Any) -> dict[str, Any]:
    """The request for one burst of a model."""
    model = {"digest": digest_of(content), "precision": "fp32", "inputs": MODEL_INPUTS}
    return {"token": token, "model": model, "plan": plan, "sentinel": None}
