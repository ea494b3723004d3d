"""Identity and state as plain data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from devices import Device, DeviceState

DEVICE = Device("cpu", "Example 3000", "x86_64", "Maker 6 85 4", "0123456789ab", 8, 16 * 2**30, 24 * 2**20, "Linux")
CHANGES: list[dict[str, Any]] = [
    {"kind": "gpu"},
    {"name": "Example 3001"},
    {"architecture": "aarch64"},
    {"family": "Maker 6 85 7"},
    {"features": "ba9876543210"},
    {"cores": 4},
    {"l3_cache_bytes": None},
    {"system": None},
]


def test_the_changes_tried_below_cover_every_field() -> None:
    tried = {name for change in CHANGES for name in change}
    assert tried | {"memory_bytes"} == {field.name for field in fields(Device)}


def test_memory_is_no_part_of_the_fingerprint_because_kernels_reserve_varying_parts_of_it() -> None:
    assert replace(DEVICE, memory_bytes=15 * 2**30).fingerprint == DEVICE.fingerprint


def test_a_field_that_is_not_known_changes_no_fingerprint() -> None:
    assert replace(DEVICE, memory_bytes=None).fingerprint == DEVICE.fingerprint


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_device_that_differs_in_one_field_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert replace(DEVICE, **change).fingerprint != DEVICE.fingerprint


def test_unknown_and_zero_are_not_the_same() -> None:
    assert replace(DEVICE, cores=None).fingerprint != replace(DEVICE, cores=0).fingerprint


def test_equal_devices_have_equal_fingerprints_in_every_process() -> None:
    assert replace(DEVICE).fingerprint == DEVICE.fingerprint
    code = f"from devices import Device; print(Device(**{DEVICE.to_json()}).fingerprint)"
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "17"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == DEVICE.fingerprint


@pytest.mark.parametrize("device", [DEVICE, Device("cpu", "µ-Prozessor 三", "riscv64")])
def test_a_device_survives_json(device: Device) -> None:
    again = Device.from_json(json.loads(json.dumps(device.to_json())))
    assert again == device
    assert again.fingerprint == device.fingerprint


@pytest.mark.parametrize("values", [{"kind": "cpu"}, {**DEVICE.to_json(), "colour": "red"}])
def test_a_device_with_missing_or_unknown_fields_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Device.from_json(values)


def test_a_device_is_described_in_one_line() -> None:
    assert DEVICE.describe() == "Example 3000 (x86_64, 8 cores, 16 GiB)"
    assert Device("cpu", "Example", "x86_64", cores=1).describe() == "Example (x86_64, 1 core)"


def test_what_is_unknown_is_not_described() -> None:
    assert Device("cpu", "Example", "aarch64").describe() == "Example (aarch64)"


def test_a_state_omits_what_is_unknown_and_keeps_zero() -> None:
    state = DeviceState(load_1min=0.0, throttle_count=0)
    assert state.to_json() == {"load_1min": 0.0, "throttle_count": 0}
    assert DeviceState().to_json() == {}


@pytest.mark.parametrize("state", [DeviceState(), DeviceState(1800.5, 47.125, 9.5, 0.25, "performance", 3)])
def test_a_state_survives_json(state: DeviceState) -> None:
    assert DeviceState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_a_row_written_before_there_were_more_fields_is_still_read() -> None:
    old = {"clock_mhz": 1800.5, "load_1min": 0.25, "governor": "performance", "throttle_count": 3}
    state = DeviceState.from_json(old)
    assert (state.clock_mhz, state.boost, state.steal_s) == (1800.5, None, None)
    assert state.to_json() == old


def test_a_switch_that_is_off_is_known_and_nothing_that_throttles_is_too() -> None:
    state = DeviceState(boost=False, throttle_reasons="")
    assert state.to_json() == {"boost": False, "throttle_reasons": ""}
    assert DeviceState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_a_state_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        DeviceState.from_json({"colour": "red"})


@pytest.mark.parametrize(
    ("reasons", "slowed_down"),
    [
        (None, False),
        ("", False),
        ("power limit", False),
        ("power limit, board limit", False),
        ("temperature, by the driver", True),
        ("power limit, power brake", True),
        ("under-voltage, throttled", True),
    ],
)
def test_only_what_comes_and_goes_slows_a_device_down(reasons: str | None, slowed_down: bool) -> None:
    assert DeviceState(throttle_reasons=reasons).is_slowed_down is slowed_down
