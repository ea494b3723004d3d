"""Plain values of boards and machines; what they mean is tested in tests/devices/test_linux.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent import linux
from agent.throttling import throttle_events
from tests.agent.boards import AGX_ORIN, AGX_XAVIER, NANO, RASPBERRY_PI_5, Files, build
from tests.agent.old_pythons import run_alone
from tests.devices.machines import AMD_DESKTOP, INTEL_LAPTOP, VIRTUAL_MACHINE


@pytest.mark.parametrize(
    ("board", "state"),
    [
        (AGX_XAVIER, {"power_mode": "MAXN", "temperature_c": 41, "throttle_reasons": "", "clocks_held": True}),
        (NANO, {"temperature_c": 41.5, "power_w": 2.056, "clocks_held": False}),
        (AGX_ORIN, {"power_mode": "MODE_30W", "temperature_c": 51.7, "throttle_count": 52, "throttle_reasons": ""}),
        (RASPBERRY_PI_5, {"temperature_c": pytest.approx(48.312), "clock_mhz": 2400, "max_clock_mhz": 2400}),
    ],
)
def test_a_board_tells_its_state(tmp_path: Path, board: Files, state: dict[str, object]) -> None:
    found = linux.read_state(build(tmp_path, board))
    assert {name: found[name] for name in state} == state


def test_a_state_has_no_field_that_is_unknown(tmp_path: Path) -> None:
    assert linux.read_state(str(tmp_path)) == {}
    assert None not in linux.read_state(build(tmp_path, INTEL_LAPTOP)).values()


def test_a_board_is_identified_by_its_model(tmp_path: Path) -> None:
    device = linux.read_device(build(tmp_path, AGX_XAVIER))
    assert (device["kind"], device["name"]) == ("cpu", "Jetson-AGX")


@pytest.mark.parametrize("machine", [INTEL_LAPTOP, AMD_DESKTOP, VIRTUAL_MACHINE, NANO, RASPBERRY_PI_5])
def test_old_pythons_read_the_same(tmp_path: Path, machine: Files, old_python: Path, copied_agent: Path) -> None:
    root = build(tmp_path, machine)
    what = f"[linux.read_device({root!r}), linux.read_state({root!r})]"
    done = run_alone(
        old_python, copied_agent, f"import json\nfrom agent import linux\nsys.stdout.write(json.dumps({what}))"
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [linux.read_device(root), linux.read_state(root)]


def test_the_files_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = build(tmp_path, AGX_XAVIER)
    before = linux.read_state(root)

    def refuse(*_: object) -> None:
        raise AssertionError("looked for files again")

    monkeypatch.setattr(Path, "glob", refuse)
    assert linux.read_state(root) == before
    assert throttle_events(root) == 0
