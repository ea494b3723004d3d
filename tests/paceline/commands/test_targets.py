from __future__ import annotations

from tests.paceline.conftest import Command


def test_targets_are_listed_with_their_runtime(command: Command) -> None:
    assert command("targets", "--json").json[0]["runtime"] == "onnxruntime-cpu"
    assert "local" in command("targets").out
