from __future__ import annotations

from pathlib import Path

import pytest

from paceline.commands.demo import demo_commands
from tests.paceline.conftest import Command


def test_the_demo_is_made_of_commands_a_user_can_type(command: Command) -> None:
    for arguments in demo_commands(Path("d"), "80%", 0, None):
        ended = command(*arguments[: 2 if arguments[0] == "table" else 1], "--help")
        for option in (word for word in arguments if word.startswith("--")):
            assert option in ended.out


def test_the_demo_says_what_it_runs_and_ends_with_the_report(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = list[list[str]]()
    monkeypatch.setattr("paceline.commands.demo._run", lambda main, arguments: ran.append(arguments))
    ended = command("demo", "--out", tmp_path)
    assert [arguments[0] for arguments in ran] == ["profile", "table", "search", "search", "compare"]
    assert f"Open {tmp_path / 'report.html'}" in ended.err
    assert ended.err.count("$ paceline") == 5


def test_ctrl_c_in_one_step_ends_the_demo(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paceline.commands.profile_device.fill", interrupted)
    ended = command("demo", "--out", tmp_path)
    assert ended.status == 130
    assert ended.err.count("$ paceline") == 1
    assert "goes on" in ended.err
