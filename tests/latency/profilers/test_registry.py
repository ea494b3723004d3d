"""Profilers by name."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from devices import NotAvailable, WrongUse
from latency import DummyProfiler, OrtCpuProfiler, find_profiler, known_profilers, open_profiler
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


def test_a_third_party_registers_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = metadata.EntryPoint("theirs", "latency:DummyProfiler", "paceline.profilers")

    def entry_points(*, group: str) -> list[metadata.EntryPoint]:
        return [entry] if group == entry.group else []

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    assert isinstance(open_profiler("theirs", DEVICE, idle), DummyProfiler)
