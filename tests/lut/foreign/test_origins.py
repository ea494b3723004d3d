from __future__ import annotations

from devices import Device
from lut.foreign import Origin, Statement

KNOWN = Origin(
    "a.yaml", Device("cpu", "Phone", "aarch64", cores=8), "rt", {"rt": "1"}, 4, {"mode": "x"}, "fp16", "a paper"
)


def test_a_known_origin_lacks_only_what_no_file_says() -> None:
    assert KNOWN.unknown() == ("clocks", "power mode")
    assert KNOWN.environment().runtime.threads == 4


def test_of_an_unknown_origin_all_is_said_to_be_unknown() -> None:
    unknown = Origin("a.yaml")
    assert unknown.unknown() == (
        "device",
        "runtime",
        "runtime version",
        "number of threads",
        "precision (taken as fp32)",
        "clocks",
        "power mode",
    )
    assert unknown.environment().runtime.threads is None


def test_times_of_two_files_from_unknown_devices_do_not_stand_side_by_side() -> None:
    assert Origin("a.yaml").environment().digest != Origin("b.yaml").environment().digest


def test_a_stated_device_or_runtime_takes_what_was_known_of_the_other_with_it() -> None:
    device = KNOWN.stated(Statement(device="Tablet"))
    assert device.device == Device("unknown", "Tablet", "unknown")
    assert (device.runtime, device.evidence) == ("rt", "")
    runtime = KNOWN.stated(Statement(runtime="other"))
    assert (runtime.versions, runtime.options, runtime.threads) == ({}, {}, None)
    assert KNOWN.stated(Statement(precision="int8")).precision == "int8"


def test_nothing_stated_changes_nothing() -> None:
    assert KNOWN.stated(Statement()) == KNOWN
