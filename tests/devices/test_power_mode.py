"""Whether a device is in the mode its target asks for."""

from __future__ import annotations

import pytest

from devices import DeviceState, Health, Target, read_health
from devices.power_mode import power_mode_findings
from tests.devices.machines import JETSON, Machine

MODES = {"0": "MAXN", "2": "MODE_15W"}


def target(power_mode: str | None) -> Target:
    return Target("xavier", "jetson", "Jetson AGX Xavier", "trtexec", "fp16", power_mode=power_mode)


def health(mode: str | None, held: bool | None = True, modes: dict[str, str] = MODES) -> Health:
    return Health(state=DeviceState(power_mode=mode, clocks_held=held), power_modes=modes)


@pytest.mark.parametrize(
    ("asked", "mode", "modes"),
    [("MAXN", "MAXN", MODES), ("maxn", "MAXN", {}), ("0", "MAXN", MODES), ("3", "mode 3", {})],
)
def test_the_mode_that_is_asked_for_is_fine_by_name_and_by_number(asked: str, mode: str, modes: dict[str, str]) -> None:
    findings = power_mode_findings(target(asked), health(mode, modes=modes))
    assert [finding.severity for finding in findings] == ["ok", "ok"]


def test_another_mode_is_a_problem_with_the_command_that_mends_it() -> None:
    mode, _ = power_mode_findings(target("MAXN"), health("MODE_15W"))
    assert (mode.severity, mode.remedy) == ("problem", "sudo nvpmodel -m 0 && sudo jetson_clocks")
    assert mode.what.startswith("MODE_15W, and the target xavier asks for MAXN")


def test_a_mode_that_the_device_has_not_is_answered_by_those_it_has() -> None:
    mode, _ = power_mode_findings(target("MODE_30W_ALL"), health("MAXN"))
    assert "no mode MODE_30W_ALL. It has MAXN (0), MODE_15W (2)" in mode.remedy


def test_where_no_list_of_modes_can_be_read_the_command_says_where_its_number_comes_from() -> None:
    mode, _ = power_mode_findings(target("MAXN"), health("MODE_15W", modes={}))
    assert mode.remedy.startswith("sudo nvpmodel -m N && sudo jetson_clocks")


@pytest.mark.parametrize(("held", "severity"), [(True, "ok"), (False, "warning"), (None, "unknown")])
def test_clocks_that_follow_the_load_are_told(held: bool | None, severity: str) -> None:
    _, clocks = power_mode_findings(target("MAXN"), health("MAXN", held))
    assert clocks.severity == severity
    assert ("sudo jetson_clocks" in clocks.remedy) is (severity != "ok")


def test_a_mode_that_cannot_be_read_is_unknown() -> None:
    mode, _ = power_mode_findings(target("MAXN"), health(None))
    assert mode.severity == "unknown"
    assert "nvpmodel -q" in mode.remedy


def test_a_target_that_asks_for_none_gets_no_finding() -> None:
    assert power_mode_findings(target(None), health("MODE_15W", held=False)) == ()


def test_a_board_is_judged_by_what_was_read_on_it(machine: Machine) -> None:
    mode, clocks = power_mode_findings(target("MAXN"), read_health(machine(JETSON)))
    assert (mode.severity, clocks.severity) == ("problem", "unknown")
    assert mode.remedy == "sudo nvpmodel -m 0 && sudo jetson_clocks"
