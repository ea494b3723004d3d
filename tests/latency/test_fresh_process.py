"""Measuring in another process: real processes, real crashes, real kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from agent.worker_process import WorkerProcess
from devices import NotAvailable, WrongUse
from latency import (
    Failure,
    FreshProcess,
    Measurement,
    Outcome,
    ProfilerSettings,
    Workload,
    open_profiler,
    sentinel_workload,
)
from tests.agent.living_processes import MOST_WAIT_S, ends, lives
from tests.contracts.examples import DEVICE, QUICK, block, idle

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent

DUMMY = ProfilerSettings("dummy", DEVICE)
UNRULY = ProfilerSettings("unruly", DEVICE)


@pytest.fixture
def unruly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that registers the unruly profiler, for processes that begin from here."""
    shutil.copy(HERE / "unruly_profiler.py", tmp_path)
    information = tmp_path / "unruly-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: unruly\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[paceline.profilers]\nunruly = unruly_profiler:UnrulyProfiler\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))


def act(operator: str) -> Workload:
    """A workload that makes the unruly profiler do that."""
    return Workload(operator, ((1, 1, 1),))


def alone_s(workload: Workload) -> float:
    """What one call takes by the clock of the dummy."""
    with open_profiler("dummy", DEVICE, idle).open(workload) as run:
        return run(1)


def times_of(outcome: Outcome) -> tuple[float, ...]:
    assert isinstance(outcome, Measurement), outcome
    return outcome.samples_s


def process_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Measurement), outcome
    return outcome.bursts[0].process


def pid_of(measurer: FreshProcess) -> int:
    return measurer._process.pid


def test_it_measures_what_the_same_profiler_measures_here() -> None:
    here = open_profiler("dummy", DEVICE, idle, 2)
    with FreshProcess(replace(DUMMY, threads=2)) as there:
        assert there.environment == here.environment
        outcome = there.measure(block(), QUICK)
    expected = here.measure(block(), QUICK)
    assert isinstance(outcome, Measurement)
    assert isinstance(expected, Measurement)
    assert outcome.samples_s[0] == pytest.approx(expected.samples_s[0], rel=0.1)
    assert (outcome.workload, outcome.plan, outcome.stopped) == (block(), QUICK, expected.stopped)
    assert outcome.bursts[0].sentinel_s is not None
    assert outcome.bursts[0].before.load_1min is not None


def test_each_is_a_process_of_its_own_and_stays_one() -> None:
    names = []
    for _ in range(2):
        with FreshProcess(DUMMY) as measurer:
            names.append([process_of(measurer.measure(block(channels), QUICK)) for channels in (8, 12)])
    assert names[0][0] == names[0][1]
    assert names[1][0] == names[1][1]
    assert (
        len({names[0][0], names[1][0], process_of(open_profiler("dummy", DEVICE, idle).measure(block(), QUICK))}) == 3
    )


def test_a_workload_that_cannot_be_built_is_a_failure_like_any_other() -> None:
    with FreshProcess(DUMMY) as measurer:
        pid = pid_of(measurer)
        outcome = measurer.measure(act("no_such_operator"), QUICK)
        assert isinstance(outcome, Failure)
        assert (outcome.stage, outcome.workload) == ("load", act("no_such_operator"))
        assert "no_such_operator" in outcome.reason
        assert times_of(measurer.measure(block(), QUICK))
        assert pid_of(measurer) == pid


def test_onnxruntime_measures_in_another_process(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    settings = ProfilerSettings("onnxruntime-cpu", DEVICE, models=tmp_path)
    with FreshProcess(settings) as measurer:
        outcome = measurer.measure(block(), QUICK)
        assert min(times_of(outcome)) > 0
        assert outcome.environment == measurer.environment == open_profiler(settings.name, DEVICE, idle).environment


def test_what_is_usual_is_told_to_it_and_learned_from_it() -> None:
    with FreshProcess(DUMMY, {"fp32": 1e-9}) as measurer:
        outcome = measurer.measure(block(), QUICK)
        assert isinstance(outcome, Measurement)
        assert outcome.bursts[0].disturbed  # Beside a machine that fast, this one is slow.
    with FreshProcess(DUMMY, {"fp32": 1.0}) as measurer:
        measurer.measure(block(), QUICK)
        assert measurer._usual_s["fp32"] == pytest.approx(alone_s(sentinel_workload("fp32")), rel=0.1)


def test_an_unknown_profiler_is_wrong_use_with_the_nearest_name() -> None:
    with pytest.raises(WrongUse, match="Did you mean 'dummy'"):
        FreshProcess(ProfilerSettings("dumy", DEVICE))


def test_an_unknown_option_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="no option of dummy 'colour'"):
        FreshProcess(replace(DUMMY, options={"colour": "red"}))


@pytest.mark.usefixtures("unruly")
def test_a_missing_runtime_is_not_available_and_says_what_to_do() -> None:
    with pytest.raises(NotAvailable, match=r"there is no such chip\. Buy one\."):
        FreshProcess(replace(UNRULY, options={"mood": "missing"}))


@pytest.mark.usefixtures("unruly")
def test_a_runtime_that_cannot_be_opened_is_not_available_in_its_own_words() -> None:
    with pytest.raises(NotAvailable, match=r"^unruly could not be opened: its process ended with status 1: ") as caught:
        FreshProcess(replace(UNRULY, options={"mood": "foul"}))
    assert str(caught.value).endswith("RuntimeError: the licence has run out.")


@pytest.mark.usefixtures("unruly")
@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        ("crash", "its process was killed by SIGSEGV without a word"),
        ("complain_and_crash", "its process was killed by SIGSEGV: assertion failed: kernel != nullptr"),
        ("end", "its process ended with status 7 without a word"),
    ],
)
def test_a_workload_that_kills_its_process_is_a_failure_and_the_next_has_another(operator: str, reason: str) -> None:
    with FreshProcess(UNRULY) as measurer:
        first = process_of(measurer.measure(act("calm"), QUICK))
        outcome = measurer.measure(act(operator), QUICK)
        assert isinstance(outcome, Failure)
        assert (outcome.stage, outcome.reason) == ("run", reason)
        assert (outcome.workload, outcome.environment) == (act(operator), measurer.environment)
        second = measurer.measure(act("calm"), QUICK)
        assert times_of(second)[0] == 1e-3
        assert process_of(second) != first


@pytest.mark.usefixtures("unruly")
def test_a_workload_that_hangs_is_killed_with_its_process_and_the_next_has_another() -> None:
    with FreshProcess(UNRULY) as measurer:
        measurer._patience_s = 0.5  # Long enough for nothing; opening was given more.
        pid = pid_of(measurer)
        outcome = measurer.measure(act("hang"), QUICK)
        assert isinstance(outcome, Failure)
        assert (outcome.stage, outcome.reason) == ("run", "no answer within 0.5 s; its process was killed")
        assert not lives(pid)
        measurer._patience_s = 300.0
        assert times_of(measurer.measure(act("calm"), QUICK))
        assert pid_of(measurer) != pid


@pytest.mark.usefixtures("unruly")
def test_what_a_dead_process_started_ends_with_it() -> None:
    with FreshProcess(UNRULY) as measurer:
        outcome = measurer.measure(act("leave_a_child"), QUICK)
        assert isinstance(outcome, Failure)
        assert ends(int(outcome.reason.split()[-1]))


@pytest.mark.usefixtures("unruly")
def test_an_error_that_spoils_a_gpu_is_a_failure_and_the_next_workload_has_another_process() -> None:
    with FreshProcess(UNRULY) as measurer:
        pid = pid_of(measurer)
        outcome = measurer.measure(act("spoil"), QUICK)
        assert isinstance(outcome, Failure)
        assert (outcome.stage, outcome.reason) == ("run", "illegal memory access")
        assert not lives(pid)
        assert times_of(measurer.measure(act("calm"), QUICK))


@pytest.mark.usefixtures("unruly")
@pytest.mark.parametrize(("asked_s", "given_s"), [(None, 50.0), (2.0, 2.0)])
def test_its_profiler_says_how_long_a_workload_may_take_unless_it_is_told(
    monkeypatch: pytest.MonkeyPatch, asked_s: float | None, given_s: float
) -> None:
    seen_s = []
    ask = WorkerProcess.ask

    def note(process: WorkerProcess, request: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
        seen_s.append(patience_s)
        return ask(process, request, patience_s)

    monkeypatch.setattr(WorkerProcess, "ask", note)
    with FreshProcess(UNRULY, patience_s=asked_s) as measurer:
        measurer.measure(act("calm"), QUICK)
    assert seen_s == [300.0, given_s]


@pytest.mark.usefixtures("unruly")
def test_what_a_runtime_prints_does_not_disturb_the_answers() -> None:
    with FreshProcess(UNRULY) as measurer:
        for _ in range(2):
            assert times_of(measurer.measure(act("chatter"), QUICK))[0] == 1e-3


@pytest.mark.usefixtures("unruly")
def test_a_process_that_died_between_two_workloads_is_replaced() -> None:
    with FreshProcess(DUMMY) as measurer:
        os.kill(pid_of(measurer), signal.SIGKILL)
        measurer._process._popen.wait()
        assert times_of(measurer.measure(block(), QUICK))


@pytest.mark.usefixtures("unruly")
def test_an_answer_that_nobody_waited_for_is_never_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with FreshProcess(UNRULY) as measurer:
        with monkeypatch.context() as patch:
            patch.setattr(measurer._process, "_line", interrupt)
            with pytest.raises(KeyboardInterrupt):
                measurer.measure(act("calm"), QUICK)
        outcome = measurer.measure(act("chatter"), QUICK)
        assert outcome.workload == act("chatter")


def interrupt(*_: object) -> bytes:
    raise KeyboardInterrupt


def test_an_interruption_while_it_is_opened_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pids = []

    def introduce(measurer: FreshProcess) -> None:
        pids.append(pid_of(measurer))
        raise KeyboardInterrupt

    monkeypatch.setattr(FreshProcess, "_introduce", introduce)
    with pytest.raises(KeyboardInterrupt):
        FreshProcess(DUMMY)
    assert len(pids) == 1
    assert not lives(pids[0])


def test_its_process_is_gone_when_it_is_left_however_it_is_left() -> None:
    with pytest.raises(ZeroDivisionError), FreshProcess(DUMMY) as measurer:
        raise ZeroDivisionError
    assert not lives(pid_of(measurer))


def test_a_file_in_the_current_folder_does_not_stand_in_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('not the random that was meant')\n")
    monkeypatch.chdir(tmp_path)
    with FreshProcess(DUMMY) as measurer:
        assert times_of(measurer.measure(block(), QUICK))


ASKS = """
import sys
from latency import FreshProcess, ProfilerSettings, Workload
from tests.contracts.examples import DEVICE, QUICK

with FreshProcess(ProfilerSettings("unruly", DEVICE)) as measurer:
    print(measurer._process.pid, flush=True)
    if sys.argv[1] == "hang":
        measurer.measure(Workload("hang", ((1, 1, 1),)), QUICK)
    sys.stdin.read()
"""


@contextmanager
def asking(what: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process, the leader of a group as a shell starts it, that asks another one; with the other one's number."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])}
    command = [sys.executable, "-c", ASKS, what]
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE, process_group=0) as parent:
        try:
            assert parent.stdout is not None
            yield parent, int(parent.stdout.readline())
        finally:
            parent.kill()


@pytest.mark.usefixtures("unruly")
@pytest.mark.parametrize("what", ["idle", "hang"])
def test_it_ends_when_the_one_who_asked_is_killed(what: str) -> None:
    with asking(what) as (parent, child):
        assert lives(child)
        parent.kill()
        parent.wait()
        assert ends(child)


@pytest.mark.usefixtures("unruly")
def test_ctrl_c_reaches_the_one_who_asked_and_leaves_no_process() -> None:
    with asking("hang") as (parent, child):
        time.sleep(1.0)  # Nobody types Ctrl-C in the instant in which a request is written.
        os.killpg(parent.pid, signal.SIGINT)  # As a terminal does: to all processes of the group.
        assert parent.wait(MOST_WAIT_S) == -signal.SIGINT
        assert parent.stderr is not None
        assert parent.stderr.read().rstrip().endswith(b"KeyboardInterrupt")
        assert not lives(child)
