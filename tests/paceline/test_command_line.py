from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paceline import command_line
from tests.paceline.conftest import Command

_ROOT = Path(__file__).parents[2]


def test_help_names_every_command_and_the_one_to_begin_with(command: Command) -> None:
    ended = command("--help")
    assert ended.status == 0
    for name in ("profile", "targets", "show", "predict", "search", "compare", "report", "demo", "table"):
        assert name in ended.out
    assert "paceline demo" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("profile-device", "--target", "xavir"),
        ("profile-device", "--space", "squeezenas-smal"),
        ("profile-device", "--runtime", "tensorrtt"),
        ("profile-device", "--input", "256"),
        ("profile-device", "--input", "8x8"),
        ("profile-device", "--interval", "1"),
        ("profile-device", "--threads", "0"),
        ("show", "lat_smal"),
        ("show", "lat_small", "--space", "demo"),
        ("search", "--limit", "10M", "--objective", "energy", "--out", "x.json"),
        ("search", "--limit", "10M", "--objective", "macs", "--data", "nowhere", "--out", "x.json"),
        ("no-such-command",),
    ],
)
def test_wrong_use_ends_with_status_2_and_no_traceback(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command(*arguments)
    assert ended.status == 2, ended
    assert ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_target_is_answered_with_the_known_ones(command: Command) -> None:
    ended = command("profile-device", "--target", "locl")
    assert ended.err.startswith("error: There is no target 'locl'. Did you mean 'local'? Known: a100, cuda, ")


def test_a_missing_runtime_ends_with_status_3_and_the_command_that_installs_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ended = command("profile-device", "--space", "demo", "--out", tmp_path / "t.jsonl")
    assert ended.status == 3
    assert "pip install 'paceline[ort]'" in ended.err


def test_ctrl_c_ends_with_status_130_and_says_how_to_go_on(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paceline.commands.profile_device.fill", interrupted)
    ended = command("profile-device", "--space", "demo", "--runtime", "dummy", "--out", tmp_path / "t.jsonl")
    assert ended.status == 130
    assert "goes on" in ended.err


def test_a_fill_that_is_killed_goes_on_and_measures_nothing_twice(tmp_path: Path) -> None:
    table = tmp_path / "killed.jsonl"
    arguments = [
        *(sys.executable, "-m", "paceline", "profile", "--space", "demo", "--input", "32x32", "--runtime", "dummy"),
        *("--rounds", "1", "--out", str(table), "--json"),
    ]
    for more, how in ((5, signal.SIGKILL), (20, signal.SIGINT)):
        had = _lines(table)
        process = subprocess.Popen(arguments, cwd=_ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while process.poll() is None and _lines(table) < had + more and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(how)
        assert process.wait(timeout=300) in {-signal.SIGKILL, 130, 0}  # 0: it was done before it was told.
    known = _lines(table)
    ended = subprocess.run(arguments, cwd=_ROOT, capture_output=True, check=True, text=True)
    summary = json.loads(ended.stdout)
    rows = [json.loads(line)["workload"] for line in table.read_text().splitlines()]
    different = {json.dumps(row, sort_keys=True) for row in rows}
    assert summary["skipped"] == known
    assert summary["measured"] + known == len(rows) == len(different)
    assert summary["failed"] == 0


def test_output_into_a_closed_pipe_is_no_traceback() -> None:
    script = f"{sys.executable} -m paceline show --space squeezenas-large --units | head -n 1"
    ended = subprocess.run(
        ["bash", "-c", script], cwd=_ROOT, capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr


def test_the_module_is_a_program_too() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "paceline", "show", "--json"], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    assert "lat_small" in json.loads(ended.stdout)["networks"]


def test_both_programs_are_there() -> None:
    assert callable(command_line.main)
    assert callable(command_line.profile_device)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
