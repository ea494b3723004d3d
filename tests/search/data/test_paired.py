"""Pairs of files: matching by name, and clear words for every way in which files can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from devices import WrongUse
from search.data.paired import INVALID, Pair, by_frame, label_table, match, read_pair, require_folder, spread

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


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (1, 2, 3, 0)), ("P", 5), ("LA", (9, 0)), ("CMYK", (0, 9, 9, 9))])
def test_pictures_come_in_three_colours_of_8_bits_whatever_their_mode(
    tmp_path: Path, mode: str, colour: int | tuple[int, ...]
) -> None:
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    made = Image.new(mode, (6, 4), colour)
    if mode == "P":
        made.putpalette([0] * 15 + [10, 20, 30])
        made.info["transparency"] = bytes(range(6))
    pair = Pair(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), pair.labels)
    made.save(pair.image)
    expected = {"RGBA": (1, 2, 3), "P": (10, 20, 30), "LA": (9, 9, 9), "CMYK": (246, 237, 237)}[mode]
    assert read_pair(pair, (4, 6), TABLE)[0].tolist() == [[list(expected)] * 6] * 4


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_grey_pictures_of_more_than_8_bits_are_refused_and_not_turned_into_white(tmp_path: Path, kind: type) -> None:
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    wide = Pair(tmp_path / "a.tif", pair.labels)
    Image.fromarray(np.full((4, 6), 20_000, dtype=kind)).save(wide.image)
    with pytest.raises(WrongUse, match=r"a\.tif has the mode .* of more\. Convert it to 8 bits"):
        read_pair(wide, (4, 6), TABLE)


def test_label_files_with_a_palette_hold_ids_whatever_its_colours(tmp_path: Path) -> None:
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    labels = Image.new("P", (6, 4), 2)
    labels.putpalette([200] * 9)
    labels.save(pair.labels)
    assert (read_pair(pair, (4, 6), TABLE)[1] == 2).all()


def test_label_ids_out_of_range_are_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"among 0-2, 9; it also holds 3, 77\. Use"):
        read_pair(written(tmp_path, np.array([[3, 77, 0]] * 2, dtype=np.uint8), (2, 3)), (2, 3), TABLE)


def test_wide_label_files_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="also holds 300"):
        read_pair(written(tmp_path, np.array([[300, 1]] * 2, dtype=np.uint16), (2, 2)), (2, 2), TABLE)


def test_wide_label_files_are_translated_as_narrow_ones(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2, 9, 0, 0]] * 4)
    narrow, wide = (read_pair(written(tmp_path, labels.astype(kind)), (4, 6), TABLE)[1] for kind in ("u1", "u2"))
    np.testing.assert_array_equal(wide, narrow)


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


def test_a_picture_beyond_belief_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow takes it for an attack on its memory."""
    pair = written(tmp_path, np.zeros((4, 6), dtype=np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    with pytest.raises(WrongUse, match=r"a\.png must be a picture; reading it ended with: Image size"):
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


def test_two_pictures_of_one_frame_are_refused() -> None:
    """One of them would have been taken, and nobody told which."""
    with pytest.raises(WrongUse, match=r"x/a\.jpg and a\.png share theirs\. Remove one"):
        by_frame([Path("x/a.png"), Path("x/b.png"), Path("x/a.jpg")], lambda path: path.stem)


def test_hidden_files_are_no_frames() -> None:
    assert by_frame([Path("._a.png"), Path("a.png")], lambda path: path.stem) == {"a": Path("a.png")}


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
