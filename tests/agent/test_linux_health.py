"""Plain values of what bears on times; what they mean is tested in tests/devices/test_linux_health.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.linux_health import read_health
from devices import Health
from tests.agent.boards import AGX_ORIN, AGX_XAVIER, Files, build
from tests.agent.old_pythons import run_alone
from tests.devices.machines import INTEL_LAPTOP, JETSON, VIRTUAL_MACHINE

MACHINES = [INTEL_LAPTOP, VIRTUAL_MACHINE, JETSON, AGX_XAVIER, AGX_ORIN]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_values_are_fields_of_the_host_and_survive_the_wire(tmp_path: Path, machine: Files) -> None:
    found = read_health(build(tmp_path, machine))
    assert Health.from_json(json.loads(json.dumps(found))) == Health.from_json(found)
    assert None not in found.values()


def test_the_modes_of_a_jetson_and_what_slows_it_down_are_told(tmp_path: Path) -> None:
    found = read_health(build(tmp_path, JETSON))
    assert found["power_modes"] == {"0": "MAXN", "2": "MODE_15W"}
    assert found["cooling"] == ["thermal-cpufreq-0"]


@pytest.mark.parametrize("machine", MACHINES)
def test_old_pythons_read_the_same(tmp_path: Path, machine: Files, old_python: Path, copied_agent: Path) -> None:
    root = build(tmp_path, machine)
    code = (
        f"import json\nfrom agent.linux_health import read_health\nsys.stdout.write(json.dumps(read_health({root!r})))"
    )
    done = run_alone(old_python, copied_agent, code)
    assert done.stderr == ""
    assert json.loads(done.stdout) == json.loads(json.dumps(read_health(root)))
