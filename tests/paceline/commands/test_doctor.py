from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import gpu
from devices import Device, Health, Load, NotAvailable
from latency import DummyProfiler, Missing
from latency.steadiness import Steadiness, Window
from paceline.commands import doctor as module
from tests.devices.fake_pynvml import Board, FakePynvml
from tests.paceline.conftest import Command

STEADY = Steadiness((Window((0.001,) * 5, (False,) * 5),) * 6)
SHAKY = Steadiness(tuple(Window((0.001 * (1 + n / 5),), (False,)) for n in range(6)))

Room = Callable[..., None]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """A machine with that steadiness and those readings, where nobody else computes; without an NVIDIA GPU."""

    def furnish(steadiness: Steadiness = STEADY, health: Health | None = None, gpus: FakePynvml | None = None) -> None:
        load = Load(processors=4, busy_cores=0.0, steal=0.0)
        gpu.forget()
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setitem(sys.modules, "pynvml", gpus)
        monkeypatch.setattr(module, "read_load", lambda: load)
        monkeypatch.setattr(module, "read_health", lambda: health or Health(cores=4))
        monkeypatch.setattr(module, "probe_steadiness", lambda seconds: steadiness)

    return furnish


@pytest.fixture(autouse=True)
def _no_gpu_stays_behind() -> Any:
    yield
    gpu.forget()


def test_a_machine_that_is_steady_can_be_trusted(command: Command, room: Room) -> None:
    room()
    ended = command("doctor")
    assert ended.status == 0
    assert "A time taken now is good to about ±0 %." in ended.out
    assert "onnxruntime-cpu" in ended.out
    assert "nvidia-ml-py" in ended.out  # why no GPU can be asked


def test_a_machine_that_shakes_cannot(command: Command, room: Room) -> None:
    room(SHAKY)
    ended = command("doctor")
    assert ended.status == 1
    assert "Do not trust it: look again in a while." in ended.out


def test_a_problem_is_to_be_mended_first(command: Command, room: Room) -> None:
    room(health=Health(cores=4, on_battery=True))
    ended = command("doctor")
    assert ended.status == 1
    assert "Do not trust it: mend battery first." in ended.out
    assert "  battery: Connect the mains." in ended.out


def test_programs_get_everything(command: Command, room: Room) -> None:
    room(health=Health(cores=4, on_battery=True))
    ended = command("doctor", "--json")
    assert ended.status == 1
    found = ended.json
    assert found["trusted"] is False
    assert found["device"]["kind"] == "cpu"
    assert {"topic": "battery", "severity": "problem"}.items() <= {
        **next(finding for finding in found["findings"] if finding["topic"] == "battery")
    }.items()
    assert found["steadiness"]["is_steady"] is True
    runtimes = {runtime["name"]: runtime for runtime in found["runtimes"]}
    assert runtimes["dummy"]["ready"] is True
    assert runtimes["onnxruntime-cpu"]["versions"]["onnxruntime"]
    assert runtimes["cuda-events"]["options"]["l2"] == ["warm", "cold"]
    assert found["gpus"] == []
    assert "nvidia-ml-py" in found["no_gpu"]


def test_a_missing_runtime_comes_with_its_reason_and_its_remedy(
    command: Command, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    runtimes = {runtime["name"]: runtime for runtime in command("doctor", "--json").json["runtimes"]}
    missing = runtimes["onnxruntime-cpu"]["missing"]
    assert "not installed" in missing["reason"]
    assert "pip install" in missing["remedy"]
    assert "pip install" in command("doctor").out


def test_options_are_listed_with_their_values(command: Command, room: Room) -> None:
    room()
    assert "  torch-eager: memory_format=contiguous|channels_last\n" in command("doctor").out


def test_a_broken_plug_in_is_shown(command: Command, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room()
    monkeypatch.setattr(module, "broken_profilers", lambda: {"theirs": "its module cannot be imported"})
    ended = command("doctor", "--json")
    assert ended.status == 0
    (theirs,) = (runtime for runtime in ended.json["runtimes"] if runtime["name"] == "theirs")
    assert theirs["missing"]["reason"] == "its plug-in is broken: its module cannot be imported"


def test_a_gpu_is_shown_with_what_speaks_against_it(command: Command, room: Room) -> None:
    hot = Board(answers={"nvmlDeviceGetCurrentClocksEventReasons": 0x40})
    room(gpus=FakePynvml(hot))
    ended = command("doctor")
    assert ended.status == 1
    assert "NVIDIA H100 80GB HBM3 (sm_90, 16896 cores, 79 GiB)" in ended.out
    assert "mend throttling first" in ended.out
    assert "  throttling: sudo nvidia-smi -i 0 -lgc 1485" in ended.out
    found = command("doctor", "--json").json
    assert found["gpus"][0]["device"]["architecture"] == "sm_90"
    assert found["no_gpu"] is None


@pytest.mark.parametrize(
    "error", [NotAvailable("no such device."), ImportError("x.so.11"), TypeError("2 arguments"), ValueError("half")]
)
def test_a_runtime_that_says_it_is_there_and_cannot_be_opened_is_missing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "open_profiler", refuse)
    found = module._runtime("dummy", DummyProfiler, Device("cpu", "Example", "x86_64"))
    assert found.missing == Missing(str(error).rstrip("."), "")


def test_a_runtime_for_gpus_is_opened_on_the_gpu(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room(gpus=FakePynvml(Board()))
    monkeypatch.setattr(DummyProfiler, "accelerator", "cuda")
    opened = module._open("dummy", DummyProfiler, Device("cpu", "Example", "x86_64"))
    assert opened.environment.device.architecture == "sm_90"
    assert opened.state().clock_mhz == 1755


def test_two_packages_that_own_one_folder_are_a_problem_by_themselves() -> None:
    ready = module._Runtime("onnxruntime-cpu", {"onnxruntime": "1.31"}, None)
    assert module.software_findings([ready], ["onnxruntime 1.31"]) == ()
    (finding,) = module.software_findings([ready], ["onnxruntime 1.31", "onnxruntime-gpu 1.30"])
    assert finding.severity == "problem"
    assert finding.remedy.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && pip install")


def test_a_dummy_alone_measures_nothing() -> None:
    dummy = module._Runtime("dummy", {}, None, measures=False)
    broken = module._Runtime("onnxruntime-cpu", {}, Missing("it is not installed", "install it"))
    (finding,) = module.software_findings([dummy, broken], [])
    assert (finding.topic, finding.severity) == ("runtimes", "problem")


def test_installed_packages_are_named_with_their_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        folder = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert module.installed_packages(module._ONE_FOLDER) == ["onnxruntime 1.2", "onnxruntime-gpu 1.2"]


@pytest.mark.parametrize("arguments", [("--seconds", "0.1"), ("--seconds", "soon")])
def test_a_time_to_look_that_makes_no_sense_is_wrong_use(command: Command, arguments: tuple[str, ...]) -> None:
    assert command("doctor", *arguments).status == 2


@pytest.mark.parametrize("width", [80, 120])
def test_every_table_fits_the_screen(command: Command, room: Room, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    room()
    lines = [line for line in command("doctor").out.splitlines() if line[:1] in set("│┃┏┡└")]
    assert len(lines) > 10
    assert max(map(len, lines)) <= width


def test_the_doctor_looks_at_the_real_machine(command: Command) -> None:
    ended = command("doctor", "--seconds", "0.6", "--json")
    assert ended.status == (0 if ended.json["trusted"] else 1)
    severities = {finding["severity"] for finding in ended.json["findings"]}
    assert severities <= {"ok", "warning", "problem", "unknown"}
    assert len(ended.json["steadiness"]["medians_s"]) == 6
