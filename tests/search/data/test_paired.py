"""Pairs of files: matching by name, and clear words for every way in which files can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from devices import WrongUse
from search.data.paired import INVALID, Pair, label_table, match, read_pair, require_folder, spread

TABLE = label_table({0: 0, 1: 1, 2: 2, 9: 255})


def written(folder: Path, labels: np.ndarray, picture: tuple[int, int] = (4, 6)) -> Pair:
    """A grey picture of this (height, width) and the label file."""
    pair = Pair(folder / "a.png", folder / "a_labels.png")
    Image.new("RGB", (picture[1], picture[0]), (120, 120, 120)).save(pair.image)
    Image.fromarray(labels).save(pair.labels)
    return pair


def test_label_table_marks_what_is_unknown() -> None:
    assert TABLE[:4].tolist() == [0, 1, 2, INVALID]
    assert TABLE[9] == 255
    assert (TABLE[10:] == INVALID).all()


def test_labels_are_translated(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2, 9, 0, 0]] * 4, dtype=np.uint8)
    picture, ids = read_pair(written(tmp_path, labels), (4, 6), TABLE)
    assert ids.tolist() == [[0, 1, 2, 255, 0, 0]] * 4
    assert (picture == 120).all()


def test_resized_labels_are_never_mixed(tmp_path: Path) -> None:
    labels = np.tile(np.array([[0, 2]], dtype=np.uint8), (4, 3))
    for size in ((2, 3), (9, 13), (1, 1)):
        picture, ids = read_pair(written(tmp_path, labels), size, TABLE)
        assert picture.shape == (*size, 3)
        assert ids.shape == size
        assert set(np.unique(ids)) <= {0, 2}


def test_grey_pictures_become_colour(tmp_path: Path) -> None:
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    Image.new("L", (6, 4), 7).save(pair.image)
    assert read_pair(pair, (4, 6), TABLE)[0].tolist() == [[[7, 7, 7]] * 6] * 4


def test_label_ids_out_of_range_are_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"among 0-2, 9; it also holds 3, 77\. Use"):
        read_pair(written(tmp_path, np.array([[3, 77, 0]] * 2, dtype=np.uint8), (2, 3)), (2, 3), TABLE)


def test_wide_label_files_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="also holds 300"):
        read_pair(written(tmp_path, np.array([[300, 1]] * 2, dtype=np.uint16), (2, 2)), (2, 2), TABLE)


def test_different_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"is 6 x 4 and .* is 5 x 4"):
        read_pair(written(tmp_path, np.zeros((4, 5), dtype=np.uint8)), (4, 6), TABLE)


def test_coloured_label_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="mode RGB"):
        read_pair(written(tmp_path, np.zeros((4, 6, 3), dtype=np.uint8)), (4, 6), TABLE)


@pytest.mark.parametrize("damage", [b"no picture", b""])
def test_damaged_files_are_named(tmp_path: Path, damage: bytes) -> None:
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    pair.labels.write_bytes(damage)
    with pytest.raises(WrongUse, match=r"a_labels\.png must be a picture"):
        read_pair(pair, (4, 6), TABLE)


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(pair.image)
    pair.image.write_bytes(pair.image.read_bytes()[:500])
    with pytest.raises(WrongUse, match=r"a\.png must be a picture"):
        read_pair(pair, (4, 6), TABLE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"gone\.png must be a picture"):
        read_pair(Pair(tmp_path / "gone.png", tmp_path / "gone.png"), (4, 6), TABLE)


def test_match_sorts_by_name() -> None:
    files = {name: Path(name) for name in ("b", "a", "c")}
    assert [pair.image.name for pair in match(files, files, Path("x"))] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("left", "right", "words"), [("ab", "a", "1 of 2 pictures"), ("a", "abc", "2 of 3 label files")]
)
def test_match_refuses_files_without_partner(left: str, right: str, words: str) -> None:
    with pytest.raises(WrongUse, match=f"{words} have no partner: b"):
        match({name: Path(name) for name in left}, {name: Path(name) for name in right}, Path("x"))


def test_match_shows_a_few_names_only() -> None:
    with pytest.raises(WrongUse, match="a, b, c and 3 more"):
        match({name: Path(name) for name in "abcdef"}, {}, Path("x"))


def test_match_refuses_nothing_at_all() -> None:
    with pytest.raises(WrongUse, match="it holds none"):
        match({}, {}, Path("x"))


@given(st.integers(1, 60), st.data())
def test_spread_keeps_order_and_covers_the_whole(length: int, data: st.DataObject) -> None:
    pairs = tuple(Pair(Path(f"{position:03}"), Path("l")) for position in range(length))
    count = data.draw(st.integers(1, length))
    kept = [int(pair.image.name) for pair in spread(pairs, count, Path("x"))]
    assert len(set(kept)) == count
    assert kept == sorted(kept)
    assert max(np.diff([*kept, length])) - min(np.diff([*kept, length])) <= 1


def test_spread_refuses_none_and_takes_all_where_there_are_fewer() -> None:
    pairs = (Pair(Path("a"), Path("b")),) * 3
    with pytest.raises(WrongUse, match="At least 1 of the 3 images in x must be used; got 0"):
        spread(pairs, 0, Path("x"))
    assert spread(pairs, 4, Path("x")) == pairs


def test_require_folder_lists_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "trian").mkdir()
    with pytest.raises(WrongUse, match=r"In .* there is: trian"):
        require_folder(tmp_path / "train", "pictures")
    with pytest.raises(WrongUse, match="there is: nothing"):
        require_folder(tmp_path / "none" / "train", "pictures")
