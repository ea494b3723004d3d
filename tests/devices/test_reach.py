from __future__ import annotations

import pytest

from devices.catalog import shipped_targets
from devices.errors import NotAvailable
from devices.reach import transport_for
from devices.target import Connection, Target


def test_targets_that_are_here_need_no_network() -> None:
    with transport_for(shipped_targets()["local"]) as transport:
        assert transport.describe() == "this machine"


def test_a_target_with_a_host_is_reached_by_ssh() -> None:
    desk = Target("desk", "jetson", "mine", "trtexec", "fp16", connection=Connection("10.0.0.5", user="nvidia"))
    with transport_for(desk) as transport:
        assert transport.describe() == "nvidia@10.0.0.5"


def test_a_kind_of_device_asks_for_the_host_of_one() -> None:
    with pytest.raises(NotAvailable, match=r"paceline targets add xavier --host USER@ADDRESS"):
        transport_for(shipped_targets()["xavier"])
