"""One agent, from its start to its end, and what its silence is taken for."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices import ConnectionLost, NotAvailable
from latency.remote import agent_session
from latency.remote.agent_session import AgentEnded, AgentSession, SessionSettings
from latency.remote.models import ModelFile
from tests.agent.running_agent import FakeDevice, burst_of, digest_of, waits_until
from tests.latency.remote.breaking_transport import BreakingTransport

BRIEF_S = 0.3

Open = Callable[..., AgentSession]


@pytest.fixture
def open_session(device: FakeDevice, transport: BreakingTransport, bundle: bytes) -> Open:
    """Starts an agent on the device."""

    def open_session(bundle: bytes = bundle, **changes: Any) -> AgentSession:
        usual: dict[str, Any] = {"python": device.python, "run": "run-1", "base": str(device.base)}
        times = {"grace_s": 0.0, "wait_s": 30.0, "start_s": 60.0, "quiet_s": 60.0}
        return AgentSession(transport, SessionSettings(**usual | times | changes), bundle)

    return open_session


@contextmanager
def running(open_session: Open, **changes: Any) -> Iterator[AgentSession]:
    session = open_session(**changes)
    try:
        yield session
    finally:
        session.end()


def play(device: FakeDevice, script: str) -> None:
    """Have another program play the device's Python."""
    Path(device.python).write_text(f"#!/bin/sh\n{script}\n")


def file_of(folder: Path, content: bytes) -> ModelFile:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return ModelFile(path, digest_of(content), len(content))


def send(session: AgentSession, file: ModelFile) -> dict[str, Any]:
    return session.ask("store", payload=file, model=file.digest, bytes=file.size_bytes)


# From the start to the end


def test_it_asks_and_is_answered_and_leaves_nothing(device: FakeDevice, open_session: Open) -> None:
    with running(open_session) as session:
        assert session.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert session.ask("lacks", models=[digest_of(b"a")])["lacks"] == [digest_of(b"a")]
        assert session.ask("lacks", models=[])["lacks"] == []
    assert device.is_clean()


def test_a_file_follows_its_request_in_pieces(tmp_path: Path, open_session: Open) -> None:
    file = file_of(tmp_path, os.urandom(3 * agent_session._CHUNK_BYTES + 1))
    with running(open_session) as session:
        assert send(session, file)["stored"] == file.digest
        assert session.ask("lacks", models=[file.digest])["lacks"] == []


def test_signs_of_life_that_come_before_an_answer_are_no_answer(device: FakeDevice, open_session: Open) -> None:
    with running(open_session) as session:
        os.kill(device.agents()[0], signal.SIGSTOP)
        os.kill(device.agents()[0], signal.SIGCONT)
        assert "opened" in session.ask("open", runtime="dummy", threads=1, options={})


def test_what_the_shell_says_before_the_agent_means_nothing(device: FakeDevice, open_session: Open) -> None:
    device.write_python("echo Welcome to the device!; echo; echo '[1, 2]'; echo '{\"message\": \"of the day\"}'")
    with running(open_session) as session:
        assert session.ask("lacks", models=[])["lacks"] == []


# No agent


@pytest.mark.parametrize("kind", ["busy", "disk full", "folder", "python"])
def test_a_refusal_is_told_with_the_way_out(device: FakeDevice, open_session: Open, kind: str) -> None:
    play(device, "echo '" + json.dumps({"refused": {"kind": kind, "words": "for this reason"}}) + "'")
    with pytest.raises(NotAvailable, match="for this reason") as raised:
        open_session()
    assert "the device" in str(raised.value)


def test_a_refusal_counts_when_nothing_was_read_of_what_was_sent(device: FakeDevice, open_session: Open) -> None:
    play(device, "exec 0<&-; echo '" + json.dumps({"refused": {"kind": "python", "words": "too old"}}) + "'")
    with pytest.raises(NotAvailable, match="too old"):
        open_session(bundle=bytes(5_000_000))


def test_a_second_run_learns_who_measures(open_session: Open) -> None:
    with running(open_session), pytest.raises(NotAvailable, match=r"has it.*run run-1.*Run the same command again"):
        open_session(run="run-2", wait_s=0.0)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exec no-such-program", "status 127"),
        ("echo this account is not available; exit 1", "it said: this account is not available"),
        ("echo Segmentation fault 1>&2; exit 139", "Segmentation fault"),
        ("yes no | head -n 1500", "it said much, and nothing that an agent says"),
        ("exit 0", "cannot be started"),
    ],
)
def test_what_is_no_python_is_told_with_what_it_said(
    device: FakeDevice, open_session: Open, script: str, words: str
) -> None:
    play(device, script)
    with pytest.raises(NotAvailable, match=words) as raised:
        open_session()
    assert "must be a Python there, 3.6 or later" in str(raised.value)


def test_an_agent_that_is_killed_before_it_greets_can_be_started_again(device: FakeDevice, open_session: Open) -> None:
    play(device, "kill -9 $$")
    with pytest.raises(AgentEnded, match="SIGKILL"):
        open_session()


def test_a_device_that_says_nothing_is_given_up(device: FakeDevice, open_session: Open) -> None:
    play(device, "cat > /dev/null")
    with pytest.raises(ConnectionLost, match=f"no sign of life for {BRIEF_S:g} s"):
        open_session(start_s=BRIEF_S)


def test_a_device_that_does_not_answer_is_not_there(transport: BreakingTransport, open_session: Open) -> None:
    transport.refusals = 1
    with pytest.raises(ConnectionLost, match="did not answer"):
        open_session()


# An agent that goes


def test_an_agent_that_is_killed_has_ended(device: FakeDevice, open_session: Open) -> None:
    with closing_at_once(open_session()) as session:
        os.kill(device.agents()[0], signal.SIGKILL)
        with pytest.raises(AgentEnded, match="SIGKILL"):
            session.ask("lacks", models=[])
    assert waits_until(device.is_clean)


def test_an_agent_that_is_killed_while_it_takes_a_file_has_ended(
    device: FakeDevice, open_session: Open, tmp_path: Path
) -> None:
    with closing_at_once(open_session()) as session:
        os.kill(device.agents()[0], signal.SIGKILL)
        with pytest.raises(AgentEnded, match="SIGKILL"):
            send(session, file_of(tmp_path, bytes(5_000_000)))


def test_a_connection_that_is_cut_is_lost_and_no_end_of_the_agent(
    device: FakeDevice, transport: BreakingTransport, open_session: Open
) -> None:
    with closing_at_once(open_session()) as session:
        transport.cut()
        with pytest.raises(ConnectionLost, match="was cut"):
            session.ask("lacks", models=[])
    assert waits_until(device.is_clean)


def test_an_agent_without_a_sign_of_life_counts_as_lost(device: FakeDevice, open_session: Open) -> None:
    opened = open_session()
    opened._settings = replace(opened._settings, quiet_s=BRIEF_S)  # Not before it was greeted.
    with closing_at_once(opened) as session:
        (agent,) = device.agents()
        os.kill(agent, signal.SIGSTOP)
        with pytest.raises(ConnectionLost, match=f"no sign of life for {BRIEF_S:g} s"):
            session.ask("lacks", models=[])
    assert waits_until(device.is_clean)  # With its channel everything that was stopped is killed.


def test_an_agent_that_lives_and_does_not_answer_in_time_has_ended(open_session: Open, tmp_path: Path) -> None:
    with closing_at_once(open_session()) as session:
        session.ask("open", runtime="dummy", threads=1, options={})
        send(session, file_of(tmp_path, b"hang"))
        with pytest.raises(AgentEnded, match="no answer within 0 s"):
            session.ask("measure", patience_s=0.0, **burst_of(b"hang", "1"))


def closing_at_once(session: AgentSession) -> Any:
    """The session, abandoned when the block ends."""
    return closing(_Abandoned(session))


class _Abandoned:
    def __init__(self, session: AgentSession) -> None:
        self.ask, self.close = session.ask, session.abandon


# The end


def test_an_agent_that_cannot_be_reached_any_more_is_left_to_itself(
    device: FakeDevice, transport: BreakingTransport, open_session: Open
) -> None:
    session = open_session()
    transport.cut()
    session.end()
    assert waits_until(device.is_clean)


def test_after_a_file_that_was_cut_short_nothing_more_is_said(
    device: FakeDevice, transport: BreakingTransport, open_session: Open, tmp_path: Path
) -> None:
    session = open_session()
    transport.cut(after_writes=2)
    file = file_of(tmp_path, bytes(5_000_000))
    with pytest.raises(ConnectionLost):
        send(session, file)
    session.end()
    assert waits_until(device.is_clean)


def test_a_good_bye_in_the_middle_of_a_measurement_ends_that(
    device: FakeDevice, open_session: Open, tmp_path: Path
) -> None:
    session = open_session()
    session.ask("open", runtime="dummy", threads=1, options={})
    send(session, file_of(tmp_path, b"hang"))
    with pytest.raises(AgentEnded):
        session.ask("measure", patience_s=0.0, **burst_of(b"hang", "1"))
    session.end()
    assert device.is_clean()
