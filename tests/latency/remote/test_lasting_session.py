"""Asking as often as it takes: what breaks meanwhile is begun again, and what never works is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices import ConnectionLost, NotAvailable
from latency.remote import lasting_session
from latency.remote.agent_session import AgentEnded, AgentSession, SessionSettings
from latency.remote.lasting_session import LastingSession, Patience
from tests.agent.living_processes import kill_all
from tests.agent.running_agent import FakeDevice, waits_until
from tests.latency.remote.breaking_transport import BreakingTransport

PATIENT = Patience(60.0, 0.01, 0.05)

Make = Callable[..., LastingSession]


class Told(list[str]):
    """What the user was told."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make(device: FakeDevice, transport: BreakingTransport, bundle: bytes, told: Told) -> Iterator[Make]:
    made: list[LastingSession] = []

    def make(patience: Patience = PATIENT, grace_s: float = 0.0) -> LastingSession:
        settings = SessionSettings(device.python, "run-1", str(device.base), grace_s, 30.0, 60.0, 60.0)
        made.append(LastingSession(transport, settings, bundle, patience, told.append))
        return made[-1]

    yield make
    for session in made:
        session.end()


def look(session: AgentSession) -> list[str]:
    found: list[str] = session.ask("lacks", models=[])["lacks"]
    return found


def kill_agents(device: FakeDevice) -> None:
    kill_all(device.agents())


def killing(device: FakeDevice, times: int) -> Callable[[AgentSession], int]:
    """Work during which the agent is killed so many times; gives how often it was begun."""
    begun: list[int] = []

    def work(session: AgentSession) -> int:
        begun.append(1)
        if len(begun) <= times:
            kill_agents(device)
        look(session)
        return len(begun)

    return work


def cutting(transport: BreakingTransport, times: int, refusals: int = 0) -> Callable[[AgentSession], int]:
    """Work during which the connection is cut so many times; gives how often it was begun."""
    begun: list[int] = []

    def work(session: AgentSession) -> int:
        begun.append(1)
        if len(begun) <= times:
            transport.cut(refusals)
        look(session)
        return len(begun)

    return work


def test_an_agent_is_started_when_it_is_needed_and_once(
    make: Make, transport: BreakingTransport, device: FakeDevice
) -> None:
    session = make()
    assert transport.starts == 0
    assert [session.run(look), session.run(look)] == [[], []]
    assert transport.starts == 1
    session.end()
    assert device.is_clean()
    session.end()


def test_work_is_begun_again_when_its_agent_is_killed(make: Make, device: FakeDevice, told: Told) -> None:
    assert make().run(killing(device, 2)) == 3
    assert len(told) == 2
    assert "the agent on the device ended, starting it again: it was killed by SIGKILL" in told[0]


def test_work_that_no_agent_survives_is_given_up(make: Make, device: FakeDevice) -> None:
    session = make()
    with pytest.raises(AgentEnded, match="SIGKILL"):
        session.run(killing(device, 3))
    assert session.run(look) == []


def test_ends_are_counted_for_each_work_alone(make: Make, device: FakeDevice) -> None:
    session = make()
    assert [session.run(killing(device, 2)) for _ in range(2)] == [3, 3]


def test_work_is_begun_again_when_the_connection_is_cut(make: Make, transport: BreakingTransport, told: Told) -> None:
    assert make().run(cutting(transport, 4)) == 5
    assert sum("lost, trying again for 60 s" in words for words in told) == 4
    assert told[-1] == "the device is back"


def test_a_device_that_is_away_for_a_while_is_waited_for(make: Make, transport: BreakingTransport, told: Told) -> None:
    assert make().run(cutting(transport, 1, refusals=5)) == 2
    assert transport.refusals == 0
    assert len(told) == 2


def test_a_device_that_stays_away_is_given_up(make: Make, transport: BreakingTransport) -> None:
    session = make(Patience(0.05, 0.01, 0.02))
    with pytest.raises(ConnectionLost, match=r"did not come back within 0.05 s.*the same command goes on"):
        session.run(cutting(transport, 1, refusals=1000))
    transport.refusals = 0
    assert session.run(look) == []


def test_a_device_that_was_never_there_is_not_waited_for(make: Make, transport: BreakingTransport) -> None:
    transport.refusals = 2
    with pytest.raises(ConnectionLost, match="did not answer"):
        make().run(look)
    assert transport.refusals == 1


def test_a_refusal_is_not_asked_again(make: Make, device: FakeDevice, transport: BreakingTransport) -> None:
    Path(device.python).write_text('#!/bin/sh\necho \'{"refused": {"kind": "busy", "words": "no"}}\'\n')
    with pytest.raises(NotAvailable):
        make().run(look)
    assert transport.starts == 1


def test_work_that_takes_longer_than_the_connection_ever_lasts_is_given_up(
    make: Make, transport: BreakingTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting_session, "_MOST_BREAKS", 5)
    with pytest.raises(ConnectionLost, match="This came 5 times in one and the same work"):
        make().run(cutting(transport, 100))


def rebooting(device: FakeDevice, transport: BreakingTransport, times: int) -> Callable[[AgentSession], str]:
    """Work during which the device restarts so many times; gives the name of the time since."""
    begun: list[int] = []

    def work(session: AgentSession) -> str:
        begun.append(1)
        if len(begun) <= times:
            boot(device, str(len(begun)))
            transport.cut(refusals=1)
        look(session)
        return session.boot

    return work


def boot(device: FakeDevice, name: str) -> None:
    """Give the time since the device's start another name: what its agents say of it is changed on the way."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    program = Path(device.python)
    if not program.with_suffix(".real").exists():
        program.rename(program.with_suffix(".real"))
    program.write_text(f'#!/bin/sh\n{program.with_suffix(".real")} "$@" | sed -u "s/{kernel}/{name}/"\n')
    program.chmod(0o755)


def test_a_device_that_restarts_is_gone_on_with(make: Make, device: FakeDevice, transport: BreakingTransport) -> None:
    session = make()
    boot(device, "first")
    assert session.run(look) == []
    assert session.run(rebooting(device, transport, 2)) == "2"


def test_work_that_restarts_the_device_is_given_up(
    make: Make, device: FakeDevice, transport: BreakingTransport
) -> None:
    session = make()
    boot(device, "first")
    session.run(look)
    with pytest.raises(AgentEnded, match="the device restarted while it ran, again and again"):
        session.run(rebooting(device, transport, 3))


def test_errors_of_the_work_itself_are_its_own(make: Make) -> None:
    def work(session: AgentSession) -> Any:
        raise ValueError(f"mine, in {session.boot}")

    session = make()
    with pytest.raises(ValueError, match="mine"):
        session.run(work)
    assert session.run(look) == []


@pytest.mark.parametrize("after_writes", [0, 1])
def test_a_good_bye_that_was_cut_off_is_said_once_more(
    make: Make, device: FakeDevice, transport: BreakingTransport, told: Told, after_writes: int
) -> None:
    session = make(grace_s=600.0)
    session.run(look)
    transport.cut(after_writes=after_writes)
    session.end()
    assert waits_until(device.is_clean)
    assert told == []


def test_a_good_bye_is_not_said_to_a_device_that_is_gone(make: Make, transport: BreakingTransport) -> None:
    session = make()
    session.run(look)
    transport.cut(refusals=2)
    session.end()
    assert transport.refusals == 1


def test_whatever_happened_the_device_is_left_as_it_was(
    make: Make, device: FakeDevice, transport: BreakingTransport
) -> None:
    session = make()
    session.run(cutting(transport, 2))
    session.run(killing(device, 1))
    session.end()
    assert waits_until(device.is_clean)
