"""The agent, asked line by line by a host that may go away at any moment; what measures is a stand-in."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from agent import PROTOCOL
from latency import Burst
from tests.agent.living_processes import ends
from tests.agent.old_pythons import OLD_VERSIONS, find_python
from tests.agent.running_agent import FakeDevice, RunningAgent, burst_of, digest_of, waits_until

MODEL = b"any model"


@pytest.fixture(params=[*OLD_VERSIONS, "this"])
def any_device(request: pytest.FixtureRequest, tmp_path: Path) -> FakeDevice:
    """A device with each of the Pythons."""
    python = Path(sys.executable) if request.param == "this" else find_python(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} in pyenv's folder or on the PATH")
    return FakeDevice(tmp_path / "device", python)


def test_a_whole_run_from_the_greeting_to_an_empty_device(any_device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(any_device, bundle) as agent:
        hello = agent.greet()
        assert hello["protocol"] == PROTOCOL
        assert hello["free_bytes"] > 0
        assert agent.open(tf32="no")["opened"]["options"] == {"tf32": "no"}
        assert agent.ask("lacks", models=[digest_of(MODEL)]) == {"lacks": [digest_of(MODEL)]}
        assert agent.store(MODEL) == {"stored": digest_of(MODEL)}
        assert agent.ask("lacks", models=[digest_of(MODEL)]) == {"lacks": []}
        answer = agent.measure(MODEL)
        assert len(Burst.from_json(answer["burst"]).samples_s) == 6
        assert answer["usual_s"] is None
        agent.ask("bye")
        assert agent.wait() == 0
        assert agent.last_words() == ""
    assert any_device.is_clean()


def test_it_says_what_the_device_is_and_has(any_device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(any_device, bundle) as agent:
        agent.greet()
        state = agent.ask("state")
        assert state["device"]["kind"] == "cpu"
        assert "dummy" in state["runtimes"]
        assert state["runtimes"]["dummy"] is None
        agent.ask("bye")


def test_each_round_has_a_process_of_its_own(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.store(MODEL)
        processes = []
        for number in range(2):
            agent.open()
            processes += [agent.measure(MODEL, f"{number} {again}")["burst"]["process"] for again in range(2)]
        assert processes[0] == processes[1] != processes[2] == processes[3]
        assert ends(int(processes[0]))
        agent.ask("bye")


def test_what_the_worker_writes_for_a_moment_goes_with_the_run(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        folder = agent.greet()["folder"]
        agent.open()
        agent.store(MODEL)
        worker = agent.measure(MODEL)["burst"]["process"]
        variables = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
        assert f"TMPDIR={folder}/scratch".encode() in variables
        assert Path(f"{folder}/scratch").is_dir()
        agent.ask("bye")


def test_a_runtime_that_is_missing_is_said_and_asked_for_again(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert agent.open("tensorrt") == {"missing": {"reason": "it is not there", "remedy": "Bring it."}}
        agent.store(MODEL)
        assert agent.measure(MODEL) == {"missing": {"reason": "it is not there", "remedy": "Bring it."}}
        assert "opened" in agent.open()
        assert "burst" in agent.measure(MODEL)
        agent.ask("bye")


def test_a_crash_is_a_failure_of_one_workload(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"crash")
        agent.store(MODEL)
        failure = agent.measure(b"crash", "1")["failure"]
        assert failure["stage"] == "run"
        assert "SIGSEGV" in failure["reason"]
        assert "burst" in agent.measure(MODEL, "2")
        agent.ask("bye")


def test_a_worker_that_is_killed_is_a_failure_of_one_workload(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"hang")
        agent.store(MODEL)
        agent.request("measure", **burst_of(b"hang", "1"))
        assert waits_until(lambda: device.noted("hangs"))
        os.kill(int(device.noted("hangs")[0]), signal.SIGKILL)
        assert "SIGKILL" in agent.next_line()["failure"]["reason"]
        assert "burst" in agent.measure(MODEL, "2")
        agent.ask("bye")
    assert waits_until(device.is_clean)


def test_a_hang_is_a_failure_of_one_workload(any_device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(any_device, bundle) as agent:
        agent.greet()
        agent.open(patience_s="0.3")
        agent.store(b"hang")
        agent.store(MODEL)
        assert "no answer within 0.3 s" in agent.measure(b"hang", "1")["failure"]["reason"]
        for again in range(60):
            if any_device.noted("hangs"):
                break
            agent.measure(b"hang", f"1 {again}")  # The one before was killed before it came that far.
        assert ends(int(any_device.noted("hangs")[0]))
        assert any("burst" in agent.measure(MODEL, f"2 {again}") for again in range(60))  # Which may be late, too.
        agent.ask("bye")
    assert waits_until(any_device.is_clean)


def test_a_process_that_is_spent_is_replaced(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"refuse")
        agent.store(MODEL)
        before = agent.measure(MODEL, "1")["burst"]["process"]
        assert agent.measure(b"refuse", "2") == {"failure": {"stage": "load", "reason": "the runtime refused it"}}
        assert agent.measure(MODEL, "3")["burst"]["process"] != before
        agent.ask("bye")


def test_signs_of_life_come_while_something_hangs(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"hang")
        agent.request("measure", **burst_of(b"hang", "1"))
        beats = [json.loads(agent._output.readline())["beat"] for _ in range(2)]
        assert beats[1] > beats[0]
        agent.request("bye")
        assert agent.next_line() == {"id": 4, "bye": True}
    assert waits_until(device.is_clean)


def test_bye_stops_what_is_being_measured(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"hang")
        agent.request("measure", **burst_of(b"hang", "1"))
        assert waits_until(lambda: device.noted("hangs"))
        agent.request("bye")
        assert agent.next_line() == {"id": 4, "bye": True}
        assert agent.wait() == 0
    assert list(device.base.iterdir()) == []
    assert waits_until(device.is_clean)  # What was killed may not have ended yet.
    assert all(ends(int(device.noted(word)[0])) for word in ("hangs", "child"))


def test_bye_may_come_with_the_request_before_it(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"hang")
        agent.request("measure", **burst_of(b"hang", "1"))
        agent.request("bye")
        agent.cut()
        assert agent.next_line() == {"id": 4, "bye": True}
        assert agent.wait() == 0
    assert list(device.base.iterdir()) == []
    assert waits_until(device.is_clean)  # What was killed may not have ended yet.


def test_a_token_that_was_answered_gets_the_same_answer_from_the_next_agent(
    any_device: FakeDevice, bundle: bytes
) -> None:
    with RunningAgent(any_device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(MODEL)
        first = agent.measure(MODEL, "token", number=1)
        agent.kill()
    with RunningAgent(any_device, bundle) as agent:
        agent.greet()
        agent.open()
        assert agent.measure(MODEL, "token", number=1) == first
        agent.measure(MODEL, "another", number=2)
        agent.ask("bye")
        agent.wait()
    assert any_device.noted("measure") == ["model 1", "model 2"]
    assert waits_until(any_device.is_clean)


def test_what_was_cut_off_is_no_answer_to_its_token(any_device: FakeDevice, bundle: bytes) -> None:
    any_device.fault.write_text("hang")
    with RunningAgent(any_device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(MODEL)
        agent.request("measure", **burst_of(MODEL, "token"))
        assert waits_until(lambda: any_device.noted("hangs"))
        agent.cut()
        assert agent.wait() == 0
        assert agent.next_line() == {}
    assert ends(int(any_device.noted("hangs")[0]))
    any_device.fault.unlink()
    with RunningAgent(any_device, bundle) as agent:
        agent.greet()
        agent.open()
        assert "burst" in agent.measure(MODEL, "token")
        agent.ask("bye")
        agent.wait()
    assert waits_until(any_device.is_clean)


def test_a_connection_that_is_cut_within_a_file_leaves_no_part_of_it(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        folder = Path(agent.greet()["folder"])
        agent.request("store", MODEL[:4], model=digest_of(MODEL), bytes=len(MODEL))
        agent.cut()
        assert agent.wait() == 0
    assert list((folder / "models").iterdir()) == []
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        assert agent.ask("lacks", models=[digest_of(MODEL)]) == {"lacks": [digest_of(MODEL)]}
        agent.ask("bye")
        agent.wait()
    assert waits_until(device.is_clean)


def test_large_models_come_whole(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        content = os.urandom(9_000_001)
        assert agent.store(content) == {"stored": digest_of(content)}
        assert agent.store(MODEL) == {"stored": digest_of(MODEL)}
        agent.ask("bye")


def test_a_model_that_is_not_there_is_asked_for(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        assert agent.measure(MODEL) == {"lacks": [digest_of(MODEL)]}
        agent.ask("bye")


def test_a_second_run_is_told_who_has_the_device(device: FakeDevice, bundle: bytes) -> None:
    device.variables = {"SSH_CONNECTION": "10.0.0.7 50000 10.0.0.5 22"}
    device.write_python()
    with RunningAgent(device, bundle, "run-1") as first:
        hello = first.greet()
        with RunningAgent(device, bundle, "run-2") as second:
            refused = second.next_line()["refused"]
            assert second.wait() == 0
        assert refused["kind"] == "busy"
        assert f"run run-1, process {hello['pid']}, from 10.0.0.7" in refused["words"]
        assert [path.name for path in Path(hello["folder"]).parent.iterdir() if path.is_dir()] == ["run-1"]
        with RunningAgent(device, bundle, "run-2", wait_s=60.0) as second:
            first.ask("bye")
            assert second.greet()["folder"].endswith("run-2")
            second.ask("bye")
            second.wait()
    assert waits_until(device.is_clean)


def test_one_that_waits_for_the_device_ends_with_its_connection(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle, "run-1") as first:
        first.greet()
        with RunningAgent(device, bundle, "run-2", wait_s=1e6) as second:
            assert waits_until(lambda: len(device.agents()) == 2)
            second.cut()
            assert second.wait() == 0
        first.ask("bye")
        first.wait()
    assert waits_until(device.is_clean)


def test_the_same_run_takes_over_from_an_agent_whose_connection_looks_alive(
    any_device: FakeDevice, bundle: bytes
) -> None:
    any_device.fault.write_text("hang")
    with RunningAgent(any_device, bundle) as first:
        first.greet()
        first.open()
        first.store(MODEL)
        first.request("measure", **burst_of(MODEL, "token"))
        assert waits_until(lambda: any_device.noted("hangs"))
        any_device.fault.unlink()
        with RunningAgent(any_device, bundle, wait_s=60.0) as second:
            second.greet()
            assert first.wait() == -signal.SIGKILL
            assert all(ends(int(any_device.noted(word)[0])) for word in ("hangs", "child"))
            second.open()
            assert "burst" in second.measure(MODEL, "token")
            second.ask("bye")
            second.wait()
    assert waits_until(any_device.is_clean)


def test_ctrl_c_does_not_reach_it(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        os.kill(agent.pid, signal.SIGINT)
        assert "opened" in agent.open()
        agent.ask("bye")


def test_a_failure_for_want_of_room_is_no_failure_of_the_workload(device: FakeDevice, bundle: bytes) -> None:
    with RunningAgent(device, bundle) as agent:
        agent.greet()
        agent.open()
        agent.store(b"fill")
        failed = agent.measure(b"fill", "token")["failed"]
        assert failed["kind"] == "disk full"
        assert "No space left" in failed["words"]
        assert "failed" in agent.measure(b"fill", "token")
        agent.ask("bye")
    assert len(device.noted("measure")) == 2


def test_on_a_full_disk_models_are_refused_and_the_rest_goes_on(
    device: FakeDevice, bundle: bytes, small_disk: Path
) -> None:
    with RunningAgent(device, bundle, base=str(small_disk)) as agent:
        agent.greet()
        agent.open()
        large, small = os.urandom(2_500_000), b"small"
        assert agent.store(small) == {"stored": digest_of(small)}
        assert agent.store(large) == {"stored": digest_of(large)}
        failed = agent.store(large[::-1])["failed"]
        assert failed["kind"] == "disk full"
        assert 0 < failed["free_bytes"] < 4 << 20
        assert agent.ask("drop", bytes=1 << 62, keep=[digest_of(small)])["dropped"] == [digest_of(large)]
        assert agent.store(large[::-1]) == {"stored": digest_of(large[::-1])}
        assert "burst" in agent.measure(small)
        agent.ask("bye")
        agent.wait()
    assert list(small_disk.iterdir()) == []


def fill_up(disk: Path) -> None:
    """Leave no room on a disk."""
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_run_comes_back_to_a_disk_that_is_full(device: FakeDevice, bundle: bytes, small_disk: Path) -> None:
    with RunningAgent(device, bundle, base=str(small_disk)) as agent:
        agent.greet()
        agent.store(MODEL)
        agent.kill()
    fill_up(small_disk)
    with RunningAgent(device, bundle, base=str(small_disk)) as agent:
        agent.greet()
        agent.open()
        assert "burst" in agent.measure(MODEL)
        agent.ask("bye")
        agent.wait()
    assert waits_until(lambda: [path.name for path in small_disk.iterdir()] == ["full"])


def test_a_disk_that_is_full_from_the_beginning_is_refused(device: FakeDevice, bundle: bytes, small_disk: Path) -> None:
    fill_up(small_disk)
    with RunningAgent(device, bundle, base=str(small_disk)) as agent:
        assert agent.next_line()["refused"]["kind"] == "disk full"
        agent.wait()
    assert [path.name for path in small_disk.iterdir()] == ["full"]


@pytest.mark.parametrize("name", ["bench", "janitor", "lock", "processes", "server", "standard_input", "store"])
def test_no_duration_is_taken_by_a_clock_that_somebody_sets(name: str) -> None:
    source = (Path(__file__).resolve().parents[2] / "agent" / f"{name}.py").read_text()
    assert "time.time()" not in source
    assert "datetime" not in source
