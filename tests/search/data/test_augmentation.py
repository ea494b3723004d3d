"""Changed images: the size stays, labels move along, light changes no label, and what goes in stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data import IGNORE
from search.data.augmentation import AUGMENTATIONS, GREY, OUTSIDE, lit, mirrored, scaled_and_lit, zoomed
from search.data.labelled import class_label

SHAPE = (20, 32)
STILL = (0.5, 0.5, 0.5)
"""Numbers that leave the light as it is."""


def drawing() -> tuple[np.ndarray, np.ndarray]:
    """A bright block on black, whose labels say which is which."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[4:16, 6:18] = 1
    return np.repeat(200 * labels[..., None], 3, axis=2), labels


def agreement(picture: np.ndarray, labels: np.ndarray) -> float:
    """Share of the pixels that count whose label is what the picture shows."""
    counts = labels != IGNORE
    return float(((picture[..., 0] > 100) == (labels == 1))[counts].mean())


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
@given(data=st.data())
def test_size_and_kinds_stay_and_labels_move_along(name: str, data: st.DataObject) -> None:
    kind = AUGMENTATIONS[name]
    numbers = np.array(data.draw(st.lists(st.floats(0, 1), min_size=kind.numbers, max_size=kind.numbers)))
    # Light could turn the block dark; it has a test of its own.
    numbers[4:] = 0.5
    before = drawing()
    picture, labels = kind.change(drawing(), numbers)
    assert (picture.shape, picture.dtype) == ((*SHAPE, 3), np.uint8)
    assert (labels.shape, labels.dtype) == (SHAPE, np.uint8)
    assert set(np.unique(labels)) <= {0, 1, IGNORE}
    # A pixel at the border of the block may be taken for its neighbour, on each of four sides.
    assert agreement(picture, labels) > 0.85
    np.testing.assert_array_equal(before[0], drawing()[0])


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_what_goes_in_stays_as_it_is(name: str) -> None:
    kind, (picture, labels) = AUGMENTATIONS[name], drawing()
    picture.flags.writeable = labels.flags.writeable = False
    for seed in range(20):
        kind.change((picture, labels), np.random.default_rng(seed).random(kind.numbers))


def test_mirrored_twice_is_the_picture_itself() -> None:
    picture, labels = drawing()
    once = mirrored((picture, labels))
    assert not np.array_equal(once[1], labels)
    for first, second in zip(mirrored(once), (picture, labels), strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_middle_of_all_numbers_changes_little() -> None:
    """Neither mirrored nor scaled nor lit: a third of the way from 0.5 to 2 is 1."""
    picture, labels = scaled_and_lit(drawing(), np.array([1.0, 1 / 3, 0.5, 0.5, *STILL]))
    np.testing.assert_array_equal(picture, drawing()[0])
    np.testing.assert_array_equal(labels, drawing()[1])


def test_around_a_smaller_picture_no_pixel_counts() -> None:
    picture, labels = scaled_and_lit(drawing(), np.array([1.0, 0.0, 0.0, 1.0, *STILL]))
    inside = np.zeros(SHAPE, dtype=bool)
    inside[: SHAPE[0] // 2, SHAPE[1] // 2 :] = True  # Half the size, at the top and to the right.
    assert (labels[~inside] == IGNORE).all()
    assert (labels[inside] != IGNORE).all()
    assert (picture[~inside] == OUTSIDE).all()


def test_scaled_by_two_a_quarter_of_the_picture_is_left() -> None:
    _, labels = scaled_and_lit(drawing(), np.array([1.0, 1.0, 0.0, 0.0, *STILL]))
    np.testing.assert_array_equal(labels, drawing()[1][:10, :16].repeat(2, axis=0).repeat(2, axis=1))


def test_zooming_shows_more_than_a_third_of_a_picture_always() -> None:
    rows = np.arange(SHAPE[0], dtype=np.uint8)[:, None].repeat(SHAPE[1], axis=1)
    for seed in range(50):
        _, labels = zoomed((np.zeros((*SHAPE, 3), dtype=np.uint8), rows), np.random.default_rng(seed).random(4))
        assert 1 + int(labels.max()) - int(labels.min()) >= SHAPE[0] / 1.6 - 1


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_a_picture_with_one_class_keeps_it_and_gets_no_frame(name: str) -> None:
    kind, white = AUGMENTATIONS[name], np.full((*SHAPE, 3), 255, dtype=np.uint8)
    for seed in range(20):
        numbers = np.random.default_rng(seed).random(kind.numbers)
        numbers[4:] = 0.5
        picture, label = kind.change((white, class_label(7)), numbers)
        assert (int(label), label.shape) == (7, ())
        assert (picture == 255).all()


def grey(picture: np.ndarray) -> np.ndarray:
    return picture.astype(float) @ np.array(GREY)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 160, (*SHAPE, 3), dtype=np.uint8)


def test_brightness_multiplies(noise: np.ndarray) -> None:
    np.testing.assert_allclose(lit(noise, 1.25, 1.0, 1.0), 1.25 * noise, atol=1)


def test_contrast_keeps_the_mean_and_multiplies_the_distance_from_it(noise: np.ndarray) -> None:
    changed = lit(noise, 1.0, 0.5, 1.0)
    assert grey(changed).mean() == pytest.approx(grey(noise).mean(), abs=1)
    assert grey(changed).std() == pytest.approx(0.5 * grey(noise).std(), rel=0.03)


def test_saturation_keeps_what_is_bright_and_takes_the_colour(noise: np.ndarray) -> None:
    np.testing.assert_allclose(grey(lit(noise, 1.0, 1.0, 1.3)), grey(noise), atol=1.5)
    colourless = lit(noise, 1.0, 1.0, 0.0)
    np.testing.assert_allclose(colourless, grey(noise)[..., None].repeat(3, axis=2), atol=1)


def test_light_ends_at_black_and_white() -> None:
    steps = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    bright = lit(steps, 1.4, 1.4, 1.0).astype(int)
    assert bright.min() == 0
    assert bright.max() == 255
    assert (np.diff(bright[..., 0].ravel()) >= 0).all()
