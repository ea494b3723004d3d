"""Cost models by name, shipped ones and those of third parties."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, final

import numpy as np
import pytest

from devices import WrongUse
from latency import Workload
from latency.cost_models.cost_model import CostModel, Timings
from latency.cost_models.log_times import LogTimes
from latency.cost_models.registry import broken_cost_models, find_cost_model, known_cost_models


@final
class Theirs(CostModel):
    """As a third party writes one."""

    name = "theirs"
    least_points = 1

    def _fit(self, timings: Timings) -> None: ...

    def _log_times(self, workloads: Sequence[Workload]) -> LogTimes:
        return LogTimes(np.zeros(len(workloads)), np.ones(len(workloads)))

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: Mapping[str, Any]) -> None: ...


def register(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "plug_in", sys.modules[__name__])
    entry = metadata.EntryPoint(name, "plug_in:Theirs", "paceline.cost_models")
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: [entry] if group == entry.group else [])


def test_the_shipped_models_are_known_by_their_names() -> None:
    shipped = {"power-law", "ridge", "gaussian-process", "boosted-trees", "automatic"}
    assert shipped <= known_cost_models().keys()
    assert all(kind.name == name for name, kind in known_cost_models().items())


def test_every_shipped_model_is_constructed_without_arguments_and_says_from_how_many_points_it_works() -> None:
    for kind in known_cost_models().values():
        assert not kind().is_fitted
        assert kind.least_points >= 1


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(WrongUse, match=r"no cost model 'rigde'\. Did you mean 'ridge'\?"):
        find_cost_model("rigde")


def test_a_third_party_registers_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "theirs")
    assert find_cost_model("theirs") is Theirs
    assert broken_cost_models() == {}


def test_a_broken_plug_in_is_said_and_breaks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = dict(known_cost_models())
    register(monkeypatch, "another-name")
    assert known_cost_models() == shipped
    assert "must have the name of its entry point" in broken_cost_models()["another-name"]
