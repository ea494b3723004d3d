"""Whether a device is in the power mode that it is to be measured in.

Nothing is changed on the device: a remedy is a command, and ``sudo`` is the user's.
"""

from __future__ import annotations

from collections.abc import Mapping

from devices.catalog import Target
from devices.device import Health
from devices.health import Finding

_HOLD_CLOCKS = "sudo jetson_clocks"


def power_mode_findings(target: Target, health: Health) -> tuple[Finding, ...]:
    """Whether a device is in the power mode that its target asks for, and its clocks are held.

    Args:
        target: what is to be measured; asks for nothing where its ``power_mode`` is None.
        health: what was read on the device.

    Returns:
        A finding about the mode, then one about the clocks; none where the target asks for no mode.
    """
    if target.power_mode is None:
        return ()
    return _mode(target.name, target.power_mode, health), _clocks(health.state.clocks_held)


def _mode(target: str, asked: str, health: Health) -> Finding:
    """Modes have a name and a number; a target may ask by either."""
    wanted, modes, mode = health.power_modes.get(asked, asked), health.power_modes, health.state.power_mode
    if mode is None:
        what = f"not readable: the target {target} asks for {wanted}; in another mode its times are another device's"
        return Finding("power mode", "unknown", what, "nvpmodel -q on the device says in which it is.")
    if mode.casefold() == wanted.casefold() or mode == f"mode {asked}":
        return Finding("power mode", "ok", f"{mode}, as the target {target} asks for")
    what = f"{mode}, and the target {target} asks for {wanted}: clocks, processors and times are those of another mode"
    return Finding("power mode", "problem", what, _switch(wanted, modes))


def _switch(wanted: str, modes: Mapping[str, str]) -> str:
    number = next((number for number, name in modes.items() if name.casefold() == wanted.casefold()), None)
    if number is not None:
        return f"sudo nvpmodel -m {number} && {_HOLD_CLOCKS}"
    if modes:
        has = ", ".join(f"{name} ({number})" for number, name in modes.items())
        return f"This device has no mode {wanted}. It has {has}: let the target ask for one of these."
    return f"sudo nvpmodel -m N && {_HOLD_CLOCKS}, N as `nvpmodel -p --verbose` numbers {wanted}."


def _clocks(held: bool | None) -> Finding:
    if held is None:
        what = "not readable: whether jetson_clocks is in force; if not, clocks follow the load, late"
        return Finding("clocks held", "unknown", what, f"{_HOLD_CLOCKS} on the device makes sure.")
    if held:
        return Finding("clocks held", "ok", "jetson_clocks is in force: clocks have one value to choose from")
    return Finding(
        "clocks held", "warning", "jetson_clocks is not in force: clocks follow the load, late", _HOLD_CLOCKS
    )
