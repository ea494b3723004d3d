"""``paceline baseline`` and ``paceline export --measure`` for a device that is not this machine.

A real ssh server on loopback plays a Xavier: the files of its board, a stand-in for trtexec of TensorRT 8.5, and an
agent that is run by the oldest Python that is found.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from latency import Measurement
from lut import Table
from tests.agent import boards
from tests.agent.old_pythons import find_python
from tests.paceline.conftest import Command
from tests.sshd import OpenSshServer, sshd_path
from tests.stand_ins import trtexec

pytestmark = pytest.mark.slow

SIZE = ("--input", "32x64", "--classes", 3)
AFAR = ("--target", "far", "--rounds", 1)


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenSshServer]:
    """The target ``far``: a Xavier behind ssh."""
    sshd_path()
    programs = tmp_path / "bin"
    programs.mkdir()
    python = find_python("3.6") or find_python("3.8") or Path(sys.executable)
    (programs / "python3").symlink_to(python)
    trtexec.install(str(programs), 8502, python=str(python))
    board = boards.build(tmp_path / "board", boards.AGX_XAVIER)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "PACELINE_ROOT": board, "TMPDIR": str(tmp_path)}
    server = OpenSshServer(tmp_path / "sshd", environment)
    server.start()
    way = server.connection(work=str(tmp_path))
    fields = ("host", "port", "user", "identity", "known_hosts", "work")
    lines = "".join(f"{field} = {json.dumps(getattr(way, field))}\n" for field in fields)
    (tmp_path / "targets.toml").write_text(f'[far]\nlike = "xavier"\n{lines}')
    monkeypatch.setenv("PACELINE_TARGETS", str(tmp_path / "targets.toml"))
    yield server
    server.power_off()


def test_a_network_is_measured_whole_on_a_device_behind_ssh(
    command: Command, far: OpenSshServer, tmp_path: Path
) -> None:
    table, network, out = tmp_path / "far.jsonl", tmp_path / "mobilenetv2.json", tmp_path / "shipped"
    filled = command("profile-device", "--space", "mobilenetv2-0.1", *SIZE, *AFAR, "--out", table)
    assert filled.status == 0, filled.err
    blocks = len(Table.read(table))
    made = command("baseline", "--width", 0.1, *SIZE, *AFAR, "--table", table, "--out", network, "--json")
    assert (made.status, made.json["objective"]) == (0, "latency"), made.err
    (whole,) = (row for row in Table.read(table).values() if row.workload.operator == "network")
    assert isinstance(whole, Measurement)
    assert made.json["cost"] == whole.time_s
    assert len(Table.read(table)) == blocks + 1, "its blocks were known"

    export = ("export", network, "--table", table, "--no-engine", "--json")
    forgot = command(*export, "--measure", "--out", out)
    assert forgot.status == 2
    assert "was filled with --target far --runtime trtexec" in forgot.err
    shipped = command(*export, "--measure", "--again", *AFAR, "--limit", "1min", "--out", out)
    assert shipped.status == 0, shipped.err
    delivery = shipped.json["delivery"]
    assert delivery["verdict"] == "met"
    assert "Jetson-AGX" in delivery["device"]
    assert delivery["environment"]["runtime"]["versions"]["tensorrt"] == "8.5.2"
    assert delivery["predicted"]["mean_s"] > 0
    again = Table.read(table).outcome(whole.workload, whole.environment)
    assert isinstance(again, Measurement)
    assert again.time_s == delivery["measured"]["mean_s"]
    assert again.bursts != whole.bursts
    assert [file["name"] for file in shipped.json["files"]] == ["mobilenetv2.onnx", "mobilenetv2.fp16.onnx"]

    far.power_off()
    known = command(*export, "--limit", "1us", "--out", out)
    assert (known.status, known.json["delivery"]["verdict"]) == (1, "missed"), "what the table knows needs no device"
    away = command(*export, "--measure", "--again", *AFAR, "--out", tmp_path / "nothing")
    assert away.status == 3
    assert not list((tmp_path / "nothing").iterdir())
