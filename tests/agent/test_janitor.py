"""What an agent leaves behind is removed, however it ended, unless its run comes back."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.agent.living_processes import ends, lives
from tests.agent.running_agent import FakeDevice, RunningAgent, burst_of, digest_of, waits_until

SOON_S = 0.0

MODEL = b"any model"


def test_a_killed_agent_leaves_nothing(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, grace_s=SOON_S) as agent:
        agent.greet()
        agent.store(MODEL)
        agent.kill()
        assert waits_until(device.is_clean)


def test_a_connection_that_was_lost_leaves_nothing(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, grace_s=SOON_S) as agent:
        agent.greet()
        agent.store(MODEL)
        agent.cut()
        assert agent.wait() == 0
        assert waits_until(device.is_clean)


def test_what_hangs_is_killed_when_its_agent_is(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, grace_s=SOON_S) as agent:
        agent.greet()
        agent.open()
        agent.store(b"hang")
        agent.request("measure", **burst_of(b"hang", "t"))
        assert waits_until(lambda: device.noted("hangs"))
        hanging = [int(device.noted(word)[0]) for word in ("hangs", "child")]
        assert all(map(lives, hanging))
        agent.kill()
        assert all(map(ends, hanging))
        assert waits_until(device.is_clean)


def test_the_folder_waits_for_its_run(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.store(MODEL)
        agent.kill()
    assert waits_until(device.janitors)
    (janitor,) = device.janitors()
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert ends(janitor)
        assert agent.store(MODEL)
        agent.ask("bye")
        agent.wait()
    assert waits_until(device.is_clean)


def test_a_run_that_comes_back_again_and_again_is_removed_once_it_stays_away(device: FakeDevice, bundle: bytes) -> None:
    for _ in range(4):
        with RunningAgent(device, bundle, grace_s=0.2, wait_s=60.0) as agent:
            agent.greet()
            agent.kill()
    assert waits_until(device.is_clean)


def test_where_the_janitor_was_killed_the_next_run_cleans_up(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, "run-1") as agent:
        left = Path(agent.greet()["folder"])
        assert waits_until(device.janitors)
        for janitor in device.janitors():
            os.kill(janitor, signal.SIGKILL)
            assert ends(janitor)
        agent.kill()
    assert left.exists()
    with RunningAgent(device, bundle, "run-2") as agent:
        agent.greet()
        assert not left.exists()
        agent.ask("bye")
        agent.wait()
    assert waits_until(device.is_clean)


def test_a_killed_janitor_does_not_stop_the_agent(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert waits_until(device.janitors)
        for janitor in device.janitors():
            os.kill(janitor, signal.SIGKILL)
        assert agent.store(MODEL) == {"stored": digest_of(MODEL)}
        assert agent.ask("bye") == {"bye": True}
        agent.wait()
    assert waits_until(device.is_clean)


def test_it_holds_no_stream_of_the_connection_and_no_session(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert waits_until(device.janitors)
        (janitor,) = device.janitors()
        ours = {Path(f"/proc/{agent.pid}/fd/{number}").readlink() for number in range(3)}
        held = set[Path]()
        for path in Path(f"/proc/{janitor}/fd").iterdir():
            with suppress(FileNotFoundError):  # A file that it closed meanwhile: it may still be importing.
                held.add(path.readlink())
        assert not ours & held
        assert os.getsid(janitor) == janitor
        os.killpg(agent.pid, signal.SIGHUP)
        assert agent.next_line() == {}
        assert lives(janitor)
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.ask("bye")
        agent.wait()
    assert waits_until(device.is_clean)


def test_another_run_of_the_user_is_left_alone(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, "waits") as agent:
        waiting = Path(agent.greet()["folder"])
        agent.kill()
        with RunningAgent(device, bundle, "another") as other:
            other.greet()
            assert waiting.exists()
            other.ask("bye")
        assert waiting.exists()
    with RunningAgent(device, bundle, "waits") as agent:
        agent.greet()
        agent.ask("bye")
        agent.wait()
    assert waits_until(device.is_clean)
