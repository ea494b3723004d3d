"""A device that is measured from here: what it is, what it takes, and what becomes of what fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.runtimes import RUNTIMES
from devices import DeviceState, LocalTransport, NotAvailable, WrongUse, read_device, read_state
from latency import (
    Failure,
    Measurement,
    Outcome,
    RemoteDevice,
    RemoteSettings,
    SamplingPlan,
    Workload,
    find_profiler,
    open_profiler,
    sentinel_workload,
)
from latency.remote import remote_device
from tests.agent.living_processes import kill_all
from tests.agent.running_agent import FakeDevice, digest_of, waits_until
from tests.contracts.examples import BLOCKS, QUICK, block
from tests.latency.remote.breaking_transport import BreakingTransport
from tests.latency.remote.small_models import SmallModels

Open = Callable[..., RemoteDevice]


@pytest.fixture
def open_device(
    transport: BreakingTransport, settings: RemoteSettings, bundle: bytes, models: SmallModels
) -> Iterator[Open]:
    """The device, measured by the stand-in; closed after the test."""
    opened: list[RemoteDevice] = []

    def open_device(models: SmallModels = models, **changes: Any) -> RemoteDevice:
        opened.append(RemoteDevice(transport, replace(settings, **changes), models=models, bundle=bundle))
        return opened[-1]

    yield open_device
    for device in opened:
        device.close()


def measured(device: RemoteDevice, *workloads: Workload, plan: SamplingPlan = QUICK) -> list[Outcome]:
    with device.round() as measurer:
        return [measurer.measure(workload, plan) for workload in workloads]


def burst_of(outcome: Outcome) -> Any:
    assert isinstance(outcome, Measurement)
    return outcome.bursts[0]


# Settings


def test_every_runtime_of_the_agent_is_one_of_the_host_with_the_same_choices() -> None:
    for name, runtime in RUNTIMES.items():
        assert find_profiler(name).choices == runtime.choices
        RemoteSettings(name)


@pytest.mark.parametrize(
    ("runtime", "options", "words"),
    [
        ("tensorflow", {}, "tensorflow"),
        ("replay", {}, "replay"),
        ("trtexec", {"launch": "rocket"}, "rocket"),
    ],
)
def test_what_cannot_be_asked_of_a_device_is_refused_at_once(runtime: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        RemoteSettings(runtime, options=options)


def test_no_two_runs_have_the_same_name() -> None:
    assert RemoteSettings("dummy").run != RemoteSettings("dummy").run


# What a device is


@pytest.mark.parametrize("runtime", ["dummy", "onnxruntime-cpu"])
def test_a_machine_measured_from_afar_is_the_one_that_measures_itself(tmp_path: Path, runtime: str) -> None:
    settings = RemoteSettings(runtime, python=sys.executable, base=str(tmp_path))
    with LocalTransport() as transport, RemoteDevice(transport, settings) as device, device.round() as measurer:
        here = open_profiler(runtime, read_device(), read_state).environment
        assert here.differences(measurer.environment) == ""
        assert measurer.environment.digest == here.digest
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_it_is_and_has(open_device: Open) -> None:
    state = open_device().state()
    assert state.device.name == read_device().name
    assert state.runtimes.keys() == RUNTIMES.keys()
    assert state.runtimes["dummy"] is None
    missing = state.runtimes["onnxruntime-cpu"]
    assert missing is not None
    assert missing.remedy


def test_a_runtime_that_is_missing_there_is_named_with_its_remedy(open_device: Open) -> None:
    with pytest.raises(NotAvailable, match=r"tensorrt cannot be used on the device: it is not there. Bring it."):
        measured(open_device(runtime="tensorrt"))


# Rounds and bursts


def test_each_round_has_a_process_of_its_own(open_device: Open) -> None:
    device = open_device()
    rounds = [[burst_of(outcome).process for outcome in measured(device, *BLOCKS[:2])] for _ in range(2)]
    assert [len(set(processes)) for processes in rounds] == [1, 1]
    assert rounds[0] != rounds[1]


def test_a_burst_says_when_it_was_taken_by_the_clock_of_the_host(open_device: Open) -> None:
    (outcome,) = measured(open_device(), block())
    assert "1970" not in burst_of(outcome).measured_at
    assert burst_of(outcome).measured_at[:4] >= "2024"


def test_a_model_goes_over_once(open_device: Open) -> None:
    remote = open_device()
    asked = noting(remote)
    for _ in range(3):
        measured(remote, *BLOCKS[:2])
    assert asked.count("store") == 2
    assert asked.count("lacks") == 2, "what the device has is not asked again in the next round"
    assert asked.count("measure") == 6


def test_after_a_break_the_device_is_asked_what_it_still_has(open_device: Open, transport: BreakingTransport) -> None:
    remote = open_device()
    asked = noting(remote)
    with remote.round() as measurer:
        measurer.measure(block(), QUICK)
        transport.cut()
        measurer.measure(block(), QUICK)
    assert (asked.count("lacks"), asked.count("store")) == (2, 1)


def noting(device: RemoteDevice) -> list[str]:
    """What is asked of the agent from now on."""
    asked: list[str] = []
    run = device._agent.run

    def noting_run(work: Callable[[Any], Any]) -> Any:
        def noting_work(session: Any) -> Any:
            if not hasattr(session, "noted"):
                ask = session.ask
                session.ask = lambda do, **fields: (asked.append(do), ask(do, **fields))[1]
                session.noted = True
            return work(session)

        return run(noting_work)

    device._agent.run = noting_run  # type: ignore[method-assign]
    return asked


def test_a_model_that_vanished_from_the_device_goes_over_again(open_device: Open, device: FakeDevice) -> None:
    remote = open_device()
    with remote.round() as measurer:
        assert isinstance(measurer.measure(block(), QUICK), Measurement)
        for file in device.base.glob("paceline-*/*/models/*"):
            file.unlink()
        assert isinstance(measurer.measure(block(), QUICK), Measurement)


def test_models_that_always_vanish_are_given_up(
    open_device: Open, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = open_device()
    bring = remote._bring

    def losing(session: Any, request: Any) -> None:
        bring(session, request)
        for file in device.base.glob("paceline-*/*/models/*"):
            file.unlink()

    monkeypatch.setattr(remote, "_bring", losing)
    with pytest.raises(NotAvailable, match="models vanish from its work folder"):
        measured(remote, block())


def test_the_sentinel_goes_over_and_what_it_usually_takes_is_passed_on(open_device: Open, device: FakeDevice) -> None:
    device.variables["TURNS"] = "yes"
    device.write_python()
    remote = open_device()
    assert isinstance(measured(remote, block())[0], Measurement)
    assert remote._usual_s == {"fp32": 0.5}
    with remote.round({"fp32": 0.25}) as measurer:
        measurer.measure(block(), QUICK)
    assert remote._usual_s == {"fp32": 0.25}
    sent = {path.name.partition(".")[0] for path in device.base.glob("paceline-*/*/models/*")}
    files = [remote._models.of(workload) for workload in (block(), sentinel_workload("fp32"))]
    assert sent == {file.digest for file in files}


# What fails


@pytest.mark.parametrize(
    ("fault", "stage", "words"), [("crash", "run", "SIGSEGV"), ("refuse", "load", "the runtime refused it")]
)
def test_what_fails_there_is_a_failure_and_the_next_is_unaffected(
    open_device: Open, tmp_path: Path, fault: str, stage: str, words: str
) -> None:
    bad, good = BLOCKS[:2]
    failure, measurement = measured(open_device(SmallModels(tmp_path / "bad", {bad: fault})), bad, good)
    assert isinstance(failure, Failure)
    assert (failure.workload, failure.stage) == (bad, stage)
    assert words in failure.reason
    assert isinstance(measurement, Measurement)


def test_what_hangs_is_a_failure_after_the_patience_of_its_runtime(
    open_device: Open, device: FakeDevice, tmp_path: Path
) -> None:
    bad, good = BLOCKS[:2]
    device.variables["PATIENCE_S"] = "5"
    device.write_python()
    failure, measurement = measured(open_device(SmallModels(tmp_path / "bad", {bad: "hang"})), bad, good)
    assert isinstance(failure, Failure)
    assert "no answer within 5 s" in failure.reason
    assert isinstance(measurement, Measurement)


def test_a_precision_that_is_not_measured_there_is_a_failure(open_device: Open) -> None:
    (failure,) = measured(open_device(), replace(block(), precision="bf16"))
    assert isinstance(failure, Failure)
    assert failure.reason == "the runtime measures fp32, int8 on this device; got bf16"


def test_a_workload_that_no_agent_survives_is_a_failure(open_device: Open, device: FakeDevice, tmp_path: Path) -> None:
    bad, good = BLOCKS[:2]
    remote = open_device(SmallModels(tmp_path / "bad", {bad: "hang"}))
    with remote.round() as measurer:
        with killing_agents(device):
            failure = measurer.measure(bad, QUICK)
        assert isinstance(failure, Failure)
        assert failure.reason.startswith("the agent did not survive it: it was killed by SIGKILL")
        assert isinstance(measurer.measure(good, QUICK), Measurement)


@contextmanager
def killing_agents(device: FakeDevice) -> Iterator[None]:
    """Kill the agent whenever the stand-in hangs, in a thread."""
    over = threading.Event()

    def kill() -> None:
        killed = 0
        while not over.wait(0.01):
            if len(device.noted("hangs")) > killed:
                killed += 1
                kill_all(device.agents())

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_agent_that_ends_each_time_is_no_failure_of_a_workload(open_device: Open, device: FakeDevice) -> None:
    device.write_python("kill -9 $$")
    with pytest.raises(NotAvailable, match=r"The agent on the device ends each time it is started.*SIGKILL"):
        measured(open_device(), block())


def test_a_device_that_comes_back_as_another_is_refused(
    open_device: Open, device: FakeDevice, transport: BreakingTransport
) -> None:
    remote = open_device()
    with remote.round() as measurer:
        measurer.measure(block(), QUICK)
        device.variables["VERSION"] = "2"
        device.write_python()
        transport.cut()
        with pytest.raises(WrongUse, match=r"came back as another environment.*standin"):
            measurer.measure(BLOCKS[1], QUICK)


def test_a_device_that_lost_its_held_clocks_in_a_restart_is_not_gone_on_with(open_device: Open) -> None:
    remote = open_device()
    held = DeviceState(power_mode="MAXN", clocks_held=True)
    remote._refuse_other_clocks(DeviceState(clock_mhz=1000.0))  # A device that does not tell.
    remote._refuse_other_clocks(held)
    remote._refuse_other_clocks(held)
    with pytest.raises(WrongUse, match=r"MAXN, clocks held.*MAXN, clocks not held.*jetson_clocks"):
        remote._refuse_other_clocks(replace(held, clocks_held=False))


# A disk that is full


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 4 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


class LargeModels(SmallModels):
    """Of which few fit on a small disk."""

    def of(self, graph: Workload) -> Any:
        path = self._where / f"{graph.digest}.onnx"
        path.write_bytes(graph.digest.encode() * (1_300_000 // len(graph.digest)))
        return super().of(graph)


def test_models_that_were_measured_make_room_for_others(
    open_device: Open, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_device, "_ROOM_BYTES", 1 << 20)
    workloads = [block(channels) for channels in range(8, 14)]
    remote = open_device(LargeModels(tmp_path / "large"), base=str(small_disk))
    for _ in range(2):
        assert all(isinstance(outcome, Measurement) for outcome in measured(remote, *workloads))
    remote.close()
    assert list(small_disk.iterdir()) == []


def test_a_disk_on_which_nothing_can_be_freed_is_told_with_the_way_out(
    open_device: Open, small_disk: Path, tmp_path: Path
) -> None:
    remote = open_device(LargeModels(tmp_path / "large"), base=str(small_disk))
    with remote.round() as measurer:
        (small_disk / "somebody's film").write_bytes(bytes(3_000_000))
        with pytest.raises(NotAvailable, match=r"disk full.*name a folder on another disk"):
            measurer.measure(block(), QUICK)
        (small_disk / "somebody's film").unlink()
        assert isinstance(measurer.measure(block(), QUICK), Measurement)


def test_a_failure_for_want_of_room_is_none_of_the_workload(open_device: Open, device: FakeDevice) -> None:
    remote = open_device()
    with remote.round() as measurer:
        measurer.measure(block(), QUICK)
        device.fault.write_text("fill")
        with pytest.raises(NotAvailable, match="No space left on device"):
            measurer.measure(BLOCKS[1], QUICK)
        device.fault.unlink()
        assert isinstance(measurer.measure(BLOCKS[1], QUICK), Measurement)


# The end


def test_nothing_is_left_on_the_device(open_device: Open, device: FakeDevice) -> None:
    remote = open_device()
    measured(remote, block())
    assert device.processes()
    remote.close()
    assert device.is_clean()
    remote.close()


def test_a_device_that_cannot_be_reached_any_more_cleans_up_by_itself(
    open_device: Open, device: FakeDevice, transport: BreakingTransport
) -> None:
    remote = open_device(grace_s=0.0)
    measured(remote, block())
    transport.cut(refusals=1000)
    remote.close()
    assert waits_until(device.is_clean)


def test_models_of_its_own_go_with_it(transport: BreakingTransport, settings: RemoteSettings, bundle: bytes) -> None:
    with RemoteDevice(transport, settings, bundle=bundle) as remote:
        file = remote._models.of(block()).path
        assert digest_of(file.read_bytes())
    assert not file.exists()
