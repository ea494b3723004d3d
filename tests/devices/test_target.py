from __future__ import annotations

import pytest

from devices.errors import WrongUse
from devices.target import Connection, Peaks


@pytest.mark.parametrize(
    ("place", "connection"),
    [
        ("xavier", Connection("xavier")),
        ("nvidia@10.0.0.5", Connection("10.0.0.5", user="nvidia")),
        ("nvidia@10.0.0.5:2222", Connection("10.0.0.5", 2222, "nvidia")),
        ("desk.local:22", Connection("desk.local", 22)),
        ("me@[fe80::1]:2222", Connection("fe80::1", 2222, "me")),
        ("[fe80::1]", Connection("fe80::1")),
        ("fe80::1", Connection("fe80::1")),
        ("me@corp@desk", Connection("desk", user="me@corp")),
    ],
)
def test_a_place_is_read(place: str, connection: Connection) -> None:
    assert Connection.parse(place) == connection


@pytest.mark.parametrize(
    "place", ["", "me@", "desk:port", "desk:", "a b", "[fe80::1", "-oProxyCommand=x", "desk:0", "desk:65536"]
)
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(WrongUse):
        Connection.parse(place)


def test_what_is_named_apart_goes_before_what_is_in_the_place() -> None:
    assert Connection.parse("me@desk:22", user="you", jump="gate") == Connection("desk", 22, "you", jump="gate")


@pytest.mark.parametrize("place", ["xavier", "nvidia@10.0.0.5:2222", "me@[fe80::1]:22", "fe80::1"])
def test_a_connection_is_described_as_it_is_read(place: str) -> None:
    assert Connection.parse(place).describe() == place


@pytest.mark.parametrize(("fp32", "bandwidth"), [({}, 1e9), ({"fp32": 0.0}, 1e9), ({"fp32": 1e9}, -1.0)])
def test_peaks_are_above_nothing(fp32: dict[str, float], bandwidth: float) -> None:
    with pytest.raises(WrongUse, match="above 0"):
        Peaks(fp32, bandwidth, "nowhere", 1e-6)


@pytest.mark.parametrize("user", ["nvidia:secret", "a b", "-oProxyCommand", "a/b", ""])
def test_a_user_is_a_plain_name_and_a_password_is_neither_taken_nor_shown(user: str) -> None:
    with pytest.raises(WrongUse, match="key") as refused:
        Connection("10.0.0.5", user=user)
    assert "secret" not in str(refused.value)
