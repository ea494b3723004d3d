from __future__ import annotations

import pytest

from devices.catalog import shipped_targets
from devices.errors import WrongUse
from devices.target import Connection, Peaks, Target
from devices.target_file import parse_targets

ENTRY = '[bench]\nfamily = "cpu"\ndescription = "a bench"\nruntime = "dummy"\nprecision = "fp32"\n'
PEAKS = (
    '[bench.peaks]\noperations_per_s = {fp32 = 1e9}\nbandwidth_bytes_per_s = 2e9\nlaunch_s = 1e-6\nsource = "a book"\n'
)


def one(text: str) -> Target:
    (target,) = parse_targets(text, shipped_targets()).values()
    return target


def test_an_entry_is_a_target() -> None:
    assert one(ENTRY) == Target("bench", "cpu", "a bench", "dummy", "fp32")


def test_peaks_are_read() -> None:
    assert one(ENTRY + PEAKS).peaks == Peaks({"fp32": 1e9}, 2e9, "a book", 1e-6)


def test_the_name_of_a_target_that_ships_adds_to_it() -> None:
    xavier = shipped_targets()["xavier"]
    target = one('[xavier]\nhost = "nvidia@10.0.0.5"\n')
    assert target.connection == Connection("10.0.0.5", user="nvidia")
    assert (target.runtime, target.precision, target.peaks) == (xavier.runtime, xavier.precision, xavier.peaks)


def test_a_device_is_like_one_that_ships() -> None:
    target = one('[desk]\nlike = "xavier"\nhost = "desk"\npower_mode = "MODE_15W"\n')
    assert (target.name, target.family, target.power_mode) == ("desk", "jetson", "MODE_15W")


def test_every_field_of_a_connection_is_read() -> None:
    text = (
        '[desk]\nlike = "ssh"\nhost = "desk"\nport = 22\nuser = "me"\njump = "gate"\nidentity = "~/key"\n'
        'known_hosts = "~/hosts"\npython = "python3.8"\nwork = "/data"\n'
    )
    assert one(text).connection == Connection("desk", 22, "me", "gate", "~/key", "~/hosts", "python3.8", "/data")


def test_what_is_here_can_be_given_another_runtime() -> None:
    target = one('[local]\nruntime = "openvino"\n')
    assert (target.runtime, target.is_here) == ("openvino", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ENTRY.replace('family = "cpu"\n', ""), r"\[bench\]: it lacks family\. .* like = "),
        (ENTRY + "colour = 3\n", r"There is no field 'colour'"),
        (ENTRY + "hots = 'x'\n", r"Did you mean 'host'\?"),
        (ENTRY + 'name = "other"\n', "There is no field 'name'"),
        (ENTRY + "host = 5\n", "host cannot be 5"),
        (ENTRY + 'host = "desk"\nport = "22"\n', "port cannot be '22'"),
        (ENTRY + 'host = "desk"\nport = true\n', "port cannot be True"),
        (ENTRY + "is_here = 1\n", "is_here cannot be 1"),
        (ENTRY + 'host = "a b"\n', "A host is"),
        (ENTRY + 'user = "me"\n', "no host is named"),
        (ENTRY + 'host = "desk"\npassword = "x"\n', "a password is never kept"),
        ("bench = 3\n", "a target is a table"),
        ('[bench]\nlike = "xavir"\n', r"no kind of device 'xavir'\. Did you mean 'xavier'\?"),
        ('[local]\nhost = "desk"\n', "local is this machine"),
        ('[desk]\nlike = "cuda"\nhost = "desk"\n', "desk is this machine"),
        (ENTRY + PEAKS.replace('source = "a book"\n', ""), "its peaks lack source"),
        (ENTRY + PEAKS + "colour = 3\n", "There is no field 'colour'"),
        (ENTRY + PEAKS.replace("1e9", "0"), "above 0"),
        (ENTRY + PEAKS.replace("1e9", '"many"'), "operations_per_s"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_with_its_name(text: str, reason: str) -> None:
    with pytest.raises(WrongUse, match=reason) as caught:
        one(text)
    assert str(caught.value).startswith("[")
