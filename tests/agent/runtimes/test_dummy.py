"""The runtime that times nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.loop import ProfilingError
from agent.runtimes import Model
from agent.runtimes.dummy import DummyRuntime
from tests.contracts.runtime_contract import RuntimeContract


class TestDummyRuntime(RuntimeContract):
    kind = DummyRuntime


def times(path: Path, content: bytes) -> list[float]:
    path.write_bytes(content)
    with DummyRuntime(1, {}).open(Model(str(path), "fp32")) as run:
        return [run(1) for _ in range(5)]


def test_times_follow_the_size_of_the_model_with_noise_that_is_the_same_in_every_run(tmp_path: Path) -> None:
    small, large = times(tmp_path / "a", b"x" * 1000), times(tmp_path / "b", b"x" * 100_000)
    assert small == times(tmp_path / "c", b"x" * 1000)
    assert len(set(small)) == 5
    assert min(large) > 50 * max(small)


def test_a_model_declared_broken_fails_to_load(tmp_path: Path) -> None:
    with pytest.raises(ProfilingError, match="declared broken") as raised:
        times(tmp_path / "a", b"this one is broken")
    assert raised.value.stage == "load"
