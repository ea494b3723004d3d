"""Where a command measures: here, on a device behind a real ssh server, or nowhere yet."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from devices import NotAvailable, Target, WrongUse, find_target
from latency import Measurement, SamplingPlan, Workload
from paceline.place import measuring_place
from tests.agent import boards
from tests.sshd import OpenSshServer, ssh_server, sshd_path

__all__ = ["ssh_server"]

_BLOCK = Workload("convolution", ((8, 16, 16),), {"channels": 8, "kernel": 3, "stride": 1})


def loopback(server: OpenSshServer, folder: Path, **changes: object) -> Target:
    connection = server.connection(python=sys.executable, work=str(folder))
    plain = replace(find_target("local"), name="loopback", is_here=False, connection=connection)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_this_machine_is_measured_by_processes_of_its_own() -> None:
    place = measuring_place(find_target("local"), "dummy", 1, [])
    assert "dummy" in place.describe()
    with place.starts() as start, start({}) as process:
        assert isinstance(process.measure(_BLOCK, SamplingPlan()), Measurement)


def test_a_device_behind_ssh_has_the_environment_that_it_has_for_itself(
    ssh_server: OpenSshServer, tmp_path: Path
) -> None:
    here = measuring_place(find_target("local"), "dummy", 1, [])
    there = measuring_place(loopback(ssh_server, tmp_path), "dummy", 1, [])
    assert "127.0.0.1" in there.describe()
    with here.starts() as near, near({}) as local, there.starts() as far, far({}) as remote:
        assert remote.environment.digest == local.environment.digest
        assert isinstance(remote.measure(_BLOCK, SamplingPlan()), Measurement)
    assert not list(tmp_path.glob("paceline-*/*"))


def test_the_device_is_named_and_so_is_what_speaks_against_measuring_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sshd_path()
    server = OpenSshServer(tmp_path / "sshd", {"PACELINE_ROOT": boards.build(tmp_path / "board", boards.AGX_XAVIER)})
    server.start()
    try:
        with measuring_place(loopback(server, tmp_path, power_mode="MODE_10W"), "dummy", 1, []).starts():
            pass
    finally:
        server.power_off()
    said = " ".join(capsys.readouterr().err.split())
    assert "Jetson-AGX" in said
    assert "asks for MODE_10W" in said
    assert "sudo nvpmodel -m 1" in said


def test_what_is_there_is_told_to_whom_it_is_meant_for(
    ssh_server: OpenSshServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    with measuring_place(loopback(ssh_server, tmp_path), "dummy", 1, []).starts(tell=told.append):
        pass
    assert any("dummy" in words for words in told)
    assert "dummy" not in capsys.readouterr().err


def test_a_device_that_is_away_is_not_waited_for_once_all_is_over(tmp_path: Path) -> None:
    sshd_path()
    server, over = OpenSshServer(tmp_path / "sshd"), threading.Event()
    server.start()

    def tell(words: str) -> None:
        if "lost, trying again for 600 s" in words:
            over.set()

    place = measuring_place(loopback(server, tmp_path), "dummy", 1, [])
    with place.starts(tell=tell, is_over=over.is_set) as start, start({}) as process:
        server.power_off()
        with pytest.raises(NotAvailable, match="was away when the run was ended"):
            process.measure(_BLOCK, SamplingPlan())


def test_a_kind_of_device_that_nobody_has_named_is_refused_with_the_way_out() -> None:
    with pytest.raises(NotAvailable, match="paceline targets add xavier --host"):
        measuring_place(find_target("xavier"), None, 1, [])


@pytest.mark.parametrize("option", ["l2", "no_such=1"])
def test_options_are_read_alike_here_and_there(option: str, ssh_server: OpenSshServer, tmp_path: Path) -> None:
    for target in (find_target("local"), loopback(ssh_server, tmp_path)):
        with pytest.raises(WrongUse):
            measuring_place(target, "dummy", 1, [option])


def test_a_runtime_that_measures_only_here_is_refused_there(ssh_server: OpenSshServer, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="measures on other machines"):
        measuring_place(loopback(ssh_server, tmp_path), "openvino", 1, [])
