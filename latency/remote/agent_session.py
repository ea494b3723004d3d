"""One agent on a device, from its start to its end: what is asked of it, and how its silence is taken."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, final

from agent import PROTOCOL
from agent.protocol import COMMAND
from devices import Channel, ConnectionLost, NotAvailable, Transport
from latency.remote.bundle import bootstrap_line
from latency.remote.models import ModelFile

_CHUNK_BYTES = 1 << 18

_PATIENCE_TO_END_S = 30.0
"""How long an agent may take to clean up."""

_MOST_NOISE_LINES = 1000
"""What the device's shell may say before the agent does."""

_NOISE_LINES_KEPT = 3
_MOST_NOISE_BYTES = 200
"""What of it an error shows."""

_WAYS_OUT = {
    "busy": "Somebody else is measuring on {where}: {words}. Run the same command again when that is done, or end that "
    "process there.",
    "disk full": "The disk of {where} is full: {words}. Free some space there, or name a folder on another disk "
    "(`work` of the target), and run the same command again: it goes on where it was.",
    "folder": "The agent has no place to work on {where}: {words}. Mend that, or name another folder (`work` of the "
    "target), and run the same command again.",
    "python": "The agent cannot run on {where}: {words}. Name the device's newest Python (`python` of the target).",
}
"""What to do when an agent refuses, by the kinds of ``agent.protocol``."""


class AgentEnded(Exception):
    """An agent ended while it was needed, and the connection to its device lives. Never leaves this package."""


@dataclass(frozen=True)
class SessionSettings:
    """How an agent is started.

    Attributes:
        python: Python of the device; a name on its PATH, or a path.
        run: name of the run: an agent of the same run finds what an earlier one left.
        base: folder of the device for temporary files; its own when None.
        grace_s: how long these stay when the connection is lost.
        wait_s: how long to wait for a device on which somebody else measures.
        start_s: how long the agent may take until its first sign of life.
        quiet_s: after so long without one it counts as gone.
    """

    python: str
    run: str
    base: str | None
    grace_s: float
    wait_s: float
    start_s: float
    quiet_s: float


@final
class AgentSession:
    """A running agent.

    Args:
        transport: the way to its device.
        settings: how to start it.
        bundle: the agent itself, zipped.

    Raises:
        ConnectionLost: the device did not answer, or no longer.
        AgentEnded: the agent was killed before it could greet.
        NotAvailable: there will be no agent, however often one is started.
    """

    def __init__(self, transport: Transport, settings: SessionSettings, bundle: bytes) -> None:
        self._where, self._settings = transport.describe(), settings
        self._requests = 0
        self._is_in_step = True
        self._noise: deque[bytes] = deque(maxlen=_NOISE_LINES_KEPT)
        self._channel: Final[Channel] = transport.start([settings.python, "-c", COMMAND])
        with ExitStack() as unless_greeted:
            unless_greeted.callback(self._channel.close)
            header = {"protocol": PROTOCOL, "run": settings.run, "bundle": len(bundle), "base": settings.base}
            times = {"grace_s": settings.grace_s, "wait_s": settings.wait_s}
            with suppress(ConnectionLost):  # One that refuses ends before it has read everything.
                self._channel.write(bootstrap_line() + json.dumps(header | times).encode() + b"\n" + bundle)
            self.boot: Final[str] = self._greeting()["boot"]
            unless_greeted.pop_all()

    def ask(
        self, do: str, *, payload: ModelFile | None = None, patience_s: float = math.inf, **fields: Any
    ) -> dict[str, Any]:
        """Ask, and wait for the answer as long as the agent gives signs of life.

        Args:
            do: what for, see ``agent.protocol``.
            payload: a file that follows the request.
            patience_s: how long to wait all the same.
            fields: the request's other fields.

        Raises:
            ConnectionLost: the connection broke, or there was no sign of life.
            AgentEnded: the agent ended, or took longer than that.
        """
        self._requests += 1
        number, until_s = self._requests, time.monotonic() + patience_s
        self._is_in_step = False
        self._write(json.dumps({"id": number, "do": do, **fields}).encode() + b"\n")
        if payload is not None:
            with payload.path.open("rb") as file:
                while part := file.read(_CHUNK_BYTES):
                    self._write(part)
        self._is_in_step = True
        while True:
            answer = self._answer(self._settings.quiet_s)
            if answer.get("id") == number:
                return answer
            if time.monotonic() > until_s:
                raise AgentEnded(f"it gave no answer within {patience_s:g} s")

    def end(self) -> bool:
        """Have the agent remove what it left on the device, as far as it can be reached, and close the channel.

        Returns:
            Whether the agent said that it has.
        """
        with ExitStack() as stack:
            stack.callback(self._channel.close)
            if self._is_in_step:
                stack.enter_context(suppress(ConnectionLost, AgentEnded))
                self.ask("bye", patience_s=_PATIENCE_TO_END_S)
                return True
        return False

    def abandon(self) -> None:
        """Close the channel to an agent that is gone, or cannot be reached."""
        self._channel.close()

    def _greeting(self) -> dict[str, Any]:
        timeout_s = self._settings.start_s
        try:
            noise = 0
            while noise < _MOST_NOISE_LINES:
                answer = self._answer(timeout_s)
                noise += not answer
                if "hello" in answer:
                    greeting: dict[str, Any] = answer["hello"]
                    return greeting
                if "refused" in answer:
                    raise self._refusal(**answer["refused"])
                if "beat" in answer:
                    timeout_s = self._settings.quiet_s
        except AgentEnded as error:
            if (self._channel.exit_status() or 0) < 0:
                raise
            raise NotAvailable(self._no_agent(str(error))) from error
        raise NotAvailable(self._no_agent("it said much, and nothing that an agent says"))

    def _refusal(self, kind: str, words: str) -> NotAvailable:
        return NotAvailable(_WAYS_OUT[kind].format(where=self._where, words=words))

    def _no_agent(self, words: str) -> str:
        noise = b" ".join(self._noise).decode(errors="replace").split()
        said = f" (it said: {' '.join(noise)})" if noise else ""
        return (
            f"The agent cannot be started on {self._where}: {words}{said}. `{self._settings.python}` must be a Python "
            "there, 3.6 or later; name another one as `python` of the target."
        )

    def _write(self, data: bytes) -> None:
        try:
            self._channel.write(data)
        except ConnectionLost as error:
            raise self._ended(error) from error

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        """The next line; empty for one that no agent says."""
        try:
            line = self._channel.read_line(timeout_s)
        except TimeoutError as error:
            raise ConnectionLost(f"{self._where} gave no sign of life for {timeout_s:g} s.") from error
        except ConnectionLost as error:
            raise self._ended(error) from error
        with suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict):
                return answer
        self._noise.append(line.strip()[:_MOST_NOISE_BYTES])
        return {}

    def _ended(self, error: ConnectionLost) -> ConnectionLost | AgentEnded:
        """What the end of the channel means: a program that ended, or a connection that did."""
        words = self._channel.last_words()  # Waits for the status, which comes after the last line.
        return error if self._channel.exit_status() is None else AgentEnded(words)
