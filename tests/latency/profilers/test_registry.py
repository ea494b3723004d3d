"""Profilers by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import final

import pytest

from devices import Device, DeviceState, NotAvailable, WrongUse
from latency import (
    DummyProfiler,
    Environment,
    Missing,
    OrtCpuProfiler,
    Profiler,
    Runtime,
    TimedRun,
    Workload,
    broken_profilers,
    find_profiler,
    known_profilers,
    open_profiler,
)
from tests.contracts.examples import DEVICE, idle


def test_the_shipped_profilers_are_known_by_their_names() -> None:
    assert {"dummy", "onnxruntime-cpu"} <= known_profilers().keys()
    assert known_profilers()["onnxruntime-cpu"] is OrtCpuProfiler


def test_a_profiler_is_opened_by_name_with_its_threads() -> None:
    profiler = open_profiler("dummy", DEVICE, idle, 4)
    assert isinstance(profiler, DummyProfiler)
    assert profiler.environment.runtime.threads == 4
    assert profiler.state() == idle()


def test_a_profiler_is_found_by_name_without_being_opened() -> None:
    assert find_profiler("onnxruntime-cpu") is OrtCpuProfiler


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    for ask in (find_profiler, lambda name: open_profiler(name, DEVICE, idle)):
        with pytest.raises(WrongUse, match=r"no runtime 'dumy'\. Did you mean 'dummy'\?"):
            ask("dumy")


def test_options_reach_the_profiler() -> None:
    with pytest.raises(WrongUse, match="no option of dummy 'colour'"):
        open_profiler("dummy", DEVICE, idle, options={"colour": "red"})


def test_every_shipped_profiler_has_options_of_which_the_first_value_is_the_default() -> None:
    for kind in known_profilers().values():
        assert kind.chosen({}) == {name: values[0] for name, values in kind.choices.items()}


def test_a_profiler_whose_runtime_is_missing_is_listed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "onnxruntime-cpu" in known_profilers()
    with pytest.raises(NotAvailable, match="pip install"):
        open_profiler("onnxruntime-cpu", DEVICE, idle)


@final
class TheirProfiler(Profiler):
    """As a third party writes one that cannot be used here."""

    name = "theirs"

    @classmethod
    def missing(cls) -> Missing | None:
        return Missing("there is no such chip", "Buy one.")

    def __init__(self, device: Device, state: Callable[[], DeviceState], threads: int, _: Mapping[str, str]) -> None:
        self.refuse_missing()
        super().__init__(Environment(device, Runtime(self.name, {}, threads, {})), state)

    def open(self, workload: Workload) -> AbstractContextManager[TimedRun]:
        raise NotImplementedError


Register = Callable[[str, str], None]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Register:
    """Register an entry point; modules ``raises_...`` and ``plug_in`` can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "plug_in", sys.modules[__name__])

    def entry_point(name: str, value: str) -> None:
        module = value.partition(":")[0]
        if module.startswith("raises_"):
            (tmp_path / f"{module}.py").write_text(f"raise {module.removeprefix('raises_')}('broken')\n")
        entry = metadata.EntryPoint(name, value, "paceline.profilers")
        monkeypatch.setattr(metadata, "entry_points", lambda *, group: [entry] if group == entry.group else [])

    return entry_point


def test_a_third_party_registers_by_entry_point(register: Register) -> None:
    register("theirs", "plug_in:TheirProfiler")
    assert find_profiler("theirs") is TheirProfiler
    assert broken_profilers() == {}
    with pytest.raises(NotAvailable, match="no such chip"):
        open_profiler("theirs", DEVICE, idle)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *((f"their-{n}", f"raises_{n}:X", n) for n in ("ImportError", "SyntaxError", "RuntimeError", "OSError")),
        *((f"their-{n}", f"raises_{n}:X", n) for n in ("TypeError", "ValueError", "NameError", "AttributeError")),
        *((f"their-{n}", f"raises_{n}:X", n) for n in ("KeyError", "ZeroDivisionError", "AssertionError")),
        ("theirs", "nobody_has_this_module:X", "ModuleNotFoundError"),
        ("theirs", "plug_in:nothing", "AttributeError"),
        ("theirs", "plug_in:DEVICE", "must be a subclass of latency.Profiler"),
        ("theirs", "pathlib:Path", "must be a subclass of latency.Profiler"),
        ("others", "plug_in:TheirProfiler", "must have the name of its entry point; got 'theirs'"),
        ("theirs", "latency:Profiler", "must have the name of its entry point; got None"),
        ("dummy", "latency:DummyProfiler", "dummy is shipped with paceline"),
    ],
)
def test_a_broken_plug_in_is_said_and_breaks_nothing_else(
    register: Register, name: str, value: str, words: str
) -> None:
    shipped = known_profilers()
    register(name, value)
    assert known_profilers() == shipped
    assert words in broken_profilers()[name]
