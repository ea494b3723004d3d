from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devices.catalog import find_target, load_catalog, shipped_targets
from devices.errors import WrongUse
from devices.target import Connection, Target
from devices.user_targets import add_target, remove_target, user_targets_file

KEPT = """\
# My devices.

[desk] # by the window
like = "xavier"
host = "desk"
user = "me"
power_mode = "MODE_15W" # it has no fan
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine" / "targets.toml"
    monkeypatch.setenv("PACELINE_TARGETS", str(path))
    return path


def add(name: str, **entry: str | int) -> Target:
    return add_target(name, entry, shipped_targets())


def test_the_file_is_the_named_one_or_in_the_configuration_of_the_user(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user_targets_file() == file
    monkeypatch.delenv("PACELINE_TARGETS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_targets_file() == tmp_path / "paceline" / "targets.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_targets_file() == tmp_path / ".config" / "paceline" / "targets.toml"


def test_without_a_file_there_is_what_ships() -> None:
    assert load_catalog() == shipped_targets()


def test_what_is_added_is_found(file: Path) -> None:
    added = add("xavier", host="nvidia@10.0.0.5", port=2222)
    assert added.connection == Connection("10.0.0.5", 2222, "nvidia")
    assert find_target("xavier") == added
    assert list(load_catalog()) == list(shipped_targets())
    assert file.read_text() == '[xavier]\nhost = "nvidia@10.0.0.5"\nport = 2222\n'


def test_an_unknown_name_is_a_machine_like_any_other() -> None:
    assert add("box", host="box").description == shipped_targets()["ssh"].description


def test_a_device_of_a_kind_is_added_under_its_own_name() -> None:
    add("desk", host="desk", like="xavier", precision="fp32")
    assert (find_target("desk").family, find_target("desk").precision) == ("jetson", "fp32")
    assert find_target("xavier").connection is None


def test_adding_keeps_comments_and_what_is_not_named(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(KEPT)
    add("desk", host="10.0.0.7")
    add("box", host="box")
    text = file.read_text()
    assert "# My devices." in text
    assert "[desk] # by the window" in text
    assert 'power_mode = "MODE_15W" # it has no fan' in text
    assert find_target("desk").connection == Connection("10.0.0.7")  # The user of the other host is forgotten.


def test_what_is_removed_is_gone_and_the_rest_stays(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(KEPT)
    add("box", host="box")
    remove_target("box")
    assert file.read_text().strip() == KEPT.strip()
    remove_target("desk")
    assert "desk" not in load_catalog()


def test_what_is_not_in_the_file_cannot_be_removed(file: Path) -> None:
    with pytest.raises(WrongUse, match=rf"'xavier' is not in {file}"):
        remove_target("xavier")


def test_only_its_owner_can_read_the_file(file: Path) -> None:
    add("box", host="box")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_link_to_a_file_that_is_kept_elsewhere_stays_one(file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "dotfiles.toml"
    elsewhere.write_text(KEPT)
    file.parent.mkdir()
    file.symlink_to(elsewhere)
    add("box", host="box")
    assert file.is_symlink()
    assert "[box]" in elsewhere.read_text()


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("a b", {"host": "desk"}),
        ("", {"host": "desk"}),
        ("-x", {"host": "desk"}),
        ("desk", {"host": "a b"}),
        ("desk", {"host": "desk", "like": "xavir"}),
        ("desk", {"host": "desk", "password": "x"}),
        ("local", {"host": "desk"}),
    ],
)
def test_what_cannot_be_used_is_not_written(file: Path, name: str, entry: dict[str, str | int]) -> None:
    with pytest.raises(WrongUse):
        add(name, **entry)
    assert not file.exists()


@pytest.mark.parametrize("text", ["[desk\n", "desk = 3\n", '[desk]\ncolour = "red"\n'])
def test_a_damaged_file_is_refused_and_left_as_it_is(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(WrongUse, match=str(file)):
        load_catalog()
    with pytest.raises(WrongUse):
        add("desk", host="desk")
    assert file.read_text() == text


def test_a_place_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACELINE_TARGETS", "/proc/none/targets.toml")
    with pytest.raises(WrongUse, match="PACELINE_TARGETS"):
        add("desk", host="desk")
