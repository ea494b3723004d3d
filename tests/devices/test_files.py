"""Small files, those that are not there included."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.files import number, numbers, text


def test_a_text_has_no_white_space_and_no_zero_bytes_around_it(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b" Jetson AGX Xavier\0")
    assert text(tmp_path / "model") == "Jetson AGX Xavier"


def test_of_a_long_file_the_beginning_is_read_unless_more_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 10_000)
    assert len(text(tmp_path / "long") or "") == 4096
    assert len(text(tmp_path / "long", 1 << 16) or "") == 10_000


def test_what_is_not_there_or_is_a_folder_is_unknown(tmp_path: Path) -> None:
    assert text(tmp_path / "nothing") is None
    assert text(tmp_path) is None
    assert number(tmp_path / "nothing") is None


@pytest.mark.parametrize(("said", "value"), [("41000\n", 41000.0), ("-1", -1.0), ("<unknown>", None), ("", None)])
def test_a_number_is_read_or_unknown(tmp_path: Path, said: str, value: float | None) -> None:
    (tmp_path / "file").write_text(said)
    assert number(tmp_path / "file") == value


def test_of_many_files_those_with_a_number_count(tmp_path: Path) -> None:
    for name, said in (("a", "1"), ("b", "gone"), ("c", "3")):
        (tmp_path / name).write_text(said)
    assert numbers(tuple(f"{tmp_path}/{name}" for name in "abcd")) == [1, 3]
