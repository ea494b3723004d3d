from __future__ import annotations

from pathlib import Path

import pytest

from tests.paceline.conftest import Command


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file of targets, which is not there yet."""
    path = tmp_path / "targets.toml"
    monkeypatch.setenv("PACELINE_TARGETS", str(path))
    return path


def test_targets_are_listed_with_their_runtime(command: Command) -> None:
    assert command("targets", "--json").json[0]["runtime"] == "onnxruntime-cpu"
    assert "local" in command("targets").out


def test_the_list_tells_devices_from_kinds_of_devices(command: Command) -> None:
    listed = {target["name"]: target["can_be_reached"] for target in command("targets", "--json").json}
    assert (listed["local"], listed["xavier"]) == (True, False)
    assert "paceline targets add xavier --host USER@ADDRESS" in command("targets").out


def test_a_device_is_added_listed_and_removed(command: Command, file: Path) -> None:
    added = command("targets", "add", "xavier", "--host", "nvidia@10.0.0.5")
    assert added.status == 0
    assert f"nvidia@10.0.0.5, trtexec in fp16; in {file}" in added.out
    assert "Next: paceline targets test xavier" in added.out
    assert "nvidia@10.0.0.5" in command("targets").out
    assert command("targets", "remove", "xavier").status == 0
    assert "nvidia@10.0.0.5" not in command("targets").out


def test_everything_that_is_said_of_a_device_is_kept(command: Command, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a key")
    words = ("--port", 2222, "--jump", "me@gate", "--identity", key, "--python", "python3.8", "--work", "/data")
    kind = ("--like", "xavier", "--runtime", "onnxruntime-cpu", "--precision", "fp32", "--power-mode", "MODE_15W")
    assert command("targets", "add", "desk", "--host", "nvidia@10.0.0.5", *words, *kind).status == 0
    (desk,) = (target for target in command("targets", "--json").json if target["name"] == "desk")
    assert desk["connection"] == {
        "host": "10.0.0.5",
        "port": 2222,
        "user": "nvidia",
        "jump": "me@gate",
        "identity": str(key),
        "known_hosts": None,
        "python": "python3.8",
        "work": "/data",
    }
    assert (desk["family"], desk["runtime"], desk["precision"]) == ("jetson", "onnxruntime-cpu", "fp32")
    assert desk["power_mode"] == "MODE_15W"


def test_a_key_of_the_working_folder_is_found_from_anywhere(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("a key")
    command("targets", "add", "desk", "--host", "desk", "--identity", "key")
    assert f'identity = "{tmp_path}/key"' in file.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("add", "xavier"),
        ("add", "xavier", "--host", "a b"),
        ("add", "xavier", "--host", "desk", "--port", "0"),
        ("add", "xavier", "--host", "desk", "--identity", "/nonexistent/key"),
        ("add", "xavier", "--host", "desk", "--runtime", "tensorrtt"),
        ("add", "xavier", "--host", "desk", "--precision", "fp17"),
        ("add", "desk", "--host", "desk", "--like", "xavir"),
        ("add", "local", "--host", "desk"),
        ("remove", "xavier"),
        ("test", "xavir"),
    ],
)
def test_wrong_use_ends_with_status_2_and_writes_nothing(command: Command, file: Path, words: tuple[str, ...]) -> None:
    ended = command("targets", *words)
    assert ended.status == 2, ended
    assert ended.err
    assert not file.exists()


def test_help_teaches_from_the_first_device_to_its_table(command: Command) -> None:
    shown = " ".join(command("targets", "--help").out.split())
    for example in (
        "targets add xavier --host nvidia@10.0.0.5",
        "targets test xavier",
        "profile-device --target xavier",
    ):
        assert example in shown
    assert "a password is never asked for" in " ".join(command("targets", "add", "--help").out.split())
