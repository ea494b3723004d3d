"""TensorRT through trtexec, as the agent runs it on a device, played by a stand-in."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pytest

from agent.loop import ProfilingError, take_burst
from agent.nvml import forget
from agent.runtimes import Model, Unavailable
from agent.runtimes.gpu_sensors import ROOT_VARIABLE
from agent.runtimes.trtexec import Iterations, Recorded, TrtexecRuntime
from agent.watch import Watch
from tests.agent.boards import AGX_XAVIER, ZONES, build
from tests.agent.living_processes import ends
from tests.contracts.examples import QUICK, block
from tests.contracts.runtime_contract import RuntimeContract, model_of
from tests.stand_ins import trtexec

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a stand-in where $TRTEXEC says; returns the file that gets its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(version: int = 8502, fault: str = "", **more: str) -> Path:
        log = folder / "log"
        monkeypatch.setenv("TRTEXEC", trtexec.install(str(folder), version, fault, str(log), **more))
        return log

    return put


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_of(block(), tmp_path)


@pytest.fixture
def xavier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine is a Xavier, made of files."""
    root = tmp_path / "root"
    build(root, AGX_XAVIER)
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    monkeypatch.setitem(sys.modules, "pynvml", None)
    forget()
    return root


def logged(log: Path, kind: type) -> list[object]:
    return [entry for line in log.read_text().splitlines() if isinstance(entry := json.loads(line), kind)]


def measured(model: Model, **settings: object) -> list[float]:
    construct: Callable[..., TrtexecRuntime] = TrtexecRuntime
    with construct(1, {}, **settings).open(model) as run:
        return [run(1) for _ in range(6)]


class TestTrtexecOfTheXavier(RuntimeContract):
    kind = TrtexecRuntime

    @pytest.fixture(autouse=True)
    def _stand_in(self, install: Install) -> None:
        install(8502)


class TestTrtexec11(RuntimeContract):
    kind = TrtexecRuntime

    @pytest.fixture(autouse=True)
    def _stand_in(self, install: Install) -> None:
        install(110100)


@pytest.mark.gpu
class TestRealTrtexec(RuntimeContract):
    kind = TrtexecRuntime

    def test_energy_and_time_to_launch_are_of_the_right_size(self, model: Model) -> None:
        runtime = self.make_runtime()
        with runtime.open(model) as run:
            time_s = run(100) / 100
            costs = run.costs()
        assert 1e-7 < time_s < 1e-2
        assert 0 < costs.get("enqueue_s", 1e-6) < 1e-2
        assert 0.1 < costs.get("energy_j", 10 * time_s) / time_s < 1000


def test_a_hung_run_is_ended_with_the_children_it_has(install: Install, model: Model) -> None:
    log = install(8502, "hang")
    for limit_s in (3.0, 15.0, 60.0):  # So long that it was built and has begun.
        with pytest.raises(ProfilingError, match=f"did not end within {limit_s:g} s") as raised:
            measured(model, limit_s=limit_s)
        if log.exists() and logged(log, dict):
            break
    assert raised.value.stage == "run"
    hung = logged(log, dict)[-1]
    assert isinstance(hung, dict)
    assert ends(hung["hangs"])
    assert ends(hung["child"])


@pytest.mark.parametrize(
    ("fault", "stage", "words"),
    [
        ("hang in build", "build", "did not end within 3 s"),
        ("crash in build", "build", "trtexec failed (-6)"),
        ("crash", "run", "trtexec failed (-6)"),
        ("torn engine", "run", "Version tag does not match"),
    ],
)
def test_what_goes_wrong_in_the_program_is_an_error_of_its_stage(
    install: Install, model: Model, fault: str, stage: str, words: str
) -> None:
    install(8502, fault)
    with pytest.raises(ProfilingError) as raised:
        measured(model, limit_s=3.0 if "hang" in fault else 120.0)
    assert raised.value.stage == stage
    assert words in str(raised.value)


def test_a_fault_can_strike_one_model_alone(install: Install, model: Model, tmp_path: Path) -> None:
    other = model_of(block(12), tmp_path, "other.onnx")
    install(8502, "crash", on=str(Path(other.path).stat().st_size))
    assert measured(model)
    with pytest.raises(ProfilingError):
        measured(other)


def test_a_failure_on_a_full_disk_says_so(install: Install, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    install(8502, "build")
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with pytest.raises(ProfilingError, match=r"the disk is full; .*Engine set up failed"):
        measured(model)


def test_builds_that_share_their_times_keep_them_beside_the_model(install: Install, model: Model) -> None:
    install()
    for _ in range(2):
        with TrtexecRuntime(1, {"timing_cache": "shared"}).open(model) as run:
            run(1)
    cache = Path(model.path).with_name("trtexec-8.5.2.timing")
    assert len(cache.read_text().splitlines()) == 2


def test_another_program_is_unavailable_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTEXEC", "/bin/true")
    with pytest.raises(Unavailable, match="is not the help of trtexec") as raised:
        TrtexecRuntime(1, {})
    assert raised.value.missing.remedy == "Set TRTEXEC to the path of one."


@pytest.mark.parametrize(
    ("version", "graphs"),
    [
        (8502, {"fp32": "fp32", "fp16": "fp16", "int8": "fp32"}),
        (101600, {"fp32": "fp32", "fp16": "fp16", "bf16": "bf16", "int8": "fp32"}),
        (110100, {"fp32": "fp32", "fp16": "fp16"}),
    ],
)
def test_each_version_has_its_precisions(install: Install, version: int, graphs: dict[str, str]) -> None:
    install(version)
    assert TrtexecRuntime(1, {}).graph_precisions() == graphs


class Seen(Watch):
    """Says what it is told to, and notes what it is asked about."""

    def __init__(self, *, slowed: bool = False, power_w: float | None = None) -> None:
        self.answers = (slowed, power_w)
        self.asked: list[tuple[float, float]] = []
        self.inside = 0

    def __enter__(self) -> Seen:
        self.inside += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inside -= 1

    def slowed(self, since: float, until: float) -> bool:
        assert self.inside == 1
        self.asked.append((since, until))
        return self.answers[0]

    def power_w(self, since: float, until: float) -> float | None:
        assert self.inside == 1
        return self.answers[1]


def test_samples_of_a_run_that_was_slowed_down_are_disturbed(install: Install, model: Model) -> None:
    install()
    runtime = TrtexecRuntime(1, {}, watch=lambda: Seen(slowed=True))
    with runtime.open(model) as run:
        taken = take_burst(run, QUICK, dict, runtime.disturbances)
    assert taken.disturbed
    quiet = TrtexecRuntime(1, {}, watch=Seen)
    with quiet.open(model) as run:
        taken = take_burst(run, QUICK, dict, quiet.disturbances)
    assert (taken.disturbed, taken.discarded, quiet.disturbances()) == (False, 0, 0)


def test_the_device_is_watched_in_the_time_of_the_iterations(install: Install, model: Model) -> None:
    install(8502, lasts="0.3", slower="100")
    watch = Seen()
    started = time.monotonic()
    with TrtexecRuntime(1, {}, watch=lambda: watch).open(model) as run:
        built = time.monotonic()
        time_s = run(100)
    ((since, until),) = watch.asked
    assert started < built < since < until < time.monotonic()
    assert until - since == pytest.approx(time_s, rel=0.05)


def test_energy_is_the_mean_power_times_the_time_of_an_iteration(install: Install, model: Model) -> None:
    install()
    with TrtexecRuntime(1, {}, watch=lambda: Seen(power_w=20.0)).open(model) as run:
        time_s = run(100) / 100
        # The span has some time between iterations, too.
        assert run.costs()["energy_j"] == pytest.approx(20.0 * time_s, rel=0.05)
        assert run.costs()["enqueue_s"] == pytest.approx(5e-6)


def test_where_nothing_tells_the_power_there_is_no_energy(install: Install, model: Model) -> None:
    install()
    with TrtexecRuntime(1, {}, watch=Seen).open(model) as run:
        run(1)
        assert set(run.costs()) == {"enqueue_s"}


@pytest.mark.usefixtures("xavier")
def test_a_xavier_tells_energy_and_no_driver(install: Install, model: Model) -> None:
    install(8502, lasts="0.2")
    runtime = TrtexecRuntime(1, {})
    with runtime.open(model) as run:
        run(1)
        assert run.costs()["energy_j"] > 0
    assert runtime.versions() == {"tensorrt": "8.5.2"}
    assert runtime.disturbances() == 0


def test_a_xavier_that_is_too_hot_disturbs_its_samples(install: Install, model: Model, xavier: Path) -> None:
    install(8502, lasts="0.2")
    (xavier / ZONES / "cooling_device0" / "cur_state").write_text("2\n")
    runtime = TrtexecRuntime(1, {})
    with runtime.open(model) as run:
        taken = take_burst(run, QUICK, dict, runtime.disturbances)
    assert taken.disturbed


def test_iterations_are_handed_out_in_order_and_recorded_anew_when_they_are_used_up() -> None:
    asked: list[int] = []

    def record(count: int) -> Recorded:
        asked.append(count)
        slowed = len(asked) == 2
        return Recorded(tuple(1e-3 * (len(asked) + n / 1e6) for n in range(count)), 1e-5, slowed, 0.5 * len(asked))

    iterations = Iterations(record)
    assert iterations.take(1) == (1e-3, False)
    assert iterations.take(98)[1] is False
    time_s, slowed = iterations.take(2)  # One of the first run, one of the second.
    assert (round(time_s, 4), slowed) == (3e-3, True)
    assert iterations.take(20_000)[1] is True  # More than one run records by itself: what is left, and a third run.
    assert asked == [100, 1000, 20_000]
    assert iterations.costs() == {"enqueue_s": 1e-5, "energy_j": pytest.approx(3.0 / 21_100)}


def test_it_is_found_on_path_and_where_jetpack_puts_it(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    monkeypatch.delenv("TRTEXEC")
    assert TrtexecRuntime.missing() is not None or shutil.which("trtexec")
    monkeypatch.setattr("agent.runtimes.trtexec._JETPACK_PATH", str(tmp_path / "bin" / "trtexec"))
    assert TrtexecRuntime.missing() is None
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert TrtexecRuntime.missing() is None
