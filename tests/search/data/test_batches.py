"""Batches: the same for the same seed, resumable, complete, and normalised."""

from __future__ import annotations

import numpy as np
import pytest

from devices import WrongUse
from search.data import IGNORE, Batches, LabelledImages, Objects, Scenes, batches

torch = pytest.importorskip("torch", reason="torch is not installed; batches are its tensors")


class Numbered(LabelledImages):
    """Images that carry their index in every pixel, and count how often they are read."""

    def __init__(self, count: int, size: tuple[int, int] = (4, 8)) -> None:
        self.name = "numbered images"
        self.classes = tuple(str(index) for index in range(count))
        self.palette = tuple((index, index, index) for index in range(count))
        self.size = size
        self.reads = [0] * count

    def __len__(self) -> int:
        return len(self.reads)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.reads[index] += 1
        return np.full((*self.size, 3), index, dtype=np.uint8), np.full(self.size, index, dtype=np.uint8)


def order(made: Batches, steps: int, first_step: int = 0) -> list[list[int]]:
    """The indices in each batch."""
    return [labels[:, 0, 0].tolist() for _, labels in made.take(steps, first_step=first_step)]


def test_shapes_and_types() -> None:
    pictures, labels = next(iter(Batches(Scenes("train", (32, 64), count=5), 3, seed=0, augment=True).take(1)))
    assert pictures.shape == (3, 3, 32, 64)
    assert pictures.dtype == torch.float32
    assert labels.shape == (3, 32, 64)
    assert labels.dtype == torch.int64


def test_pictures_are_normalised_as_imagenet_is() -> None:
    images = Numbered(256, size=(1, 1))
    pictures, _ = next(Batches(images, 256, seed=0, augment=False).all_batches())
    expected = (128 / 255 - np.array(batches.MEAN)) / np.array(batches.DEVIATION)
    np.testing.assert_allclose(pictures[128, :, 0, 0].numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("first_step", [0, 1, 5, 9])
def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(augment: bool, first_step: int) -> None:
    images = Scenes("train", (16, 32), count=7)
    whole = list(Batches(images, 3, seed=2, augment=augment).take(9))[first_step:]
    rest = list(Batches(images, 3, seed=2, augment=augment).take(9, first_step=first_step))
    assert len(rest) == 9 - first_step
    for (pictures, labels), (other_pictures, other_labels) in zip(whole, rest, strict=True):
        assert torch.equal(pictures, other_pictures)
        assert torch.equal(labels, other_labels)


def test_each_epoch_has_every_image_once_in_another_order() -> None:
    flat = np.array(order(Batches(Numbered(10), 4, seed=0, augment=False), 10)).ravel()
    epochs = flat.reshape(4, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4


def test_a_batch_may_be_larger_than_the_set() -> None:
    batch = order(Batches(Numbered(3), 8, seed=0, augment=False), 1)[0]
    assert sorted(batch[:3]) == sorted(batch[3:6]) == [0, 1, 2]
    assert len(batch) == 8


def test_the_seed_decides_the_order_and_augmenting_does_not() -> None:
    same = [order(Batches(Numbered(20), 4, seed=1, augment=augment), 5) for augment in (False, True)]
    assert same[0] == same[1]
    assert order(Batches(Numbered(20), 4, seed=2, augment=False), 5) != same[0]


def test_all_batches_is_one_ordered_pass_without_augmenting() -> None:
    seen = list(Batches(Numbered(7), 3, seed=5, augment=True).all_batches())
    assert [labels[:, 0, 0].tolist() for _, labels in seen] == [[0, 1, 2], [3, 4, 5], [6]]


def test_augmenting_moves_picture_and_labels_together() -> None:
    """Where a picture is a drawing of its labels, it still is one after flips and zooms."""

    class Drawn(Numbered):
        def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            labels = np.zeros(self.size, dtype=np.uint8)
            labels[8:24, 4:20] = 1
            return np.repeat(200 * labels[..., None], 3, axis=2), labels

    images = Drawn(1, size=(32, 64))
    changed = 0
    for pictures, labels in Batches(images, 1, seed=0, augment=True).take(20):
        bright = pictures[0, 0] > (100 / 255 - batches.MEAN[0]) / batches.DEVIATION[0]
        assert (bright == (labels[0] == 1)).float().mean() > 0.97
        changed += int(not np.array_equal(labels[0].numpy(), images.read(0)[1]))
    assert changed > 15


def test_augmenting_invents_no_labels() -> None:
    images = Scenes("train", (32, 64), count=4)
    for _, labels in Batches(images, 4, seed=0, augment=True).take(3):
        assert int(labels.max()) < len(images.classes) or int(labels.max()) == IGNORE


def test_images_are_read_once_and_then_kept() -> None:
    images = Numbered(6)
    kept = Batches(images, 4, seed=0, augment=False)
    order(kept, 12)
    assert images.reads == [1] * 6


def test_beyond_the_limit_images_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    images = Numbered(6)
    one_image_bytes = 4 * 8 * 4
    monkeypatch.setattr(batches, "CACHE_BYTES", 2 * one_image_bytes)
    kept = Batches(images, 6, seed=0, augment=False)
    first = [labels.tolist() for _, labels in kept.take(4)]
    assert sorted(images.reads) == [1, 1, 4, 4, 4, 4]
    monkeypatch.undo()
    assert first == [labels.tolist() for _, labels in Batches(Numbered(6), 6, seed=0, augment=False).take(4)]


def test_augmenting_leaves_the_kept_images_alone() -> None:
    made = Batches(Scenes("train", (16, 32), count=3), 3, seed=0, augment=True)
    before = [labels.clone() for _, labels in made.all_batches()]
    list(made.take(5))
    assert all(torch.equal(old, new) for old, (_, new) in zip(before, made.all_batches(), strict=True))


def test_wrong_use_is_explained_at_once() -> None:
    images = Numbered(3)
    with pytest.raises(WrongUse, match="at least 1 image; got 0"):
        Batches(images, 0, seed=0, augment=False)
    with pytest.raises(WrongUse, match="at least 0; got -1"):
        Batches(images, 1, seed=-1, augment=False)
    for first_step in (-1, 6):
        with pytest.raises(WrongUse, match=f"0 and the 5 steps of the whole run; got {first_step}"):
            Batches(images, 1, seed=0, augment=False).take(5, first_step=first_step)


@pytest.mark.parametrize("augment", [False, True])
def test_pictures_with_one_class_each_keep_it(augment: bool) -> None:
    images = Objects("train", (16, 24), count=6)
    truth = {int(label) for label in (images.read(index)[1] for index in range(6))}
    for pictures, labels in Batches(images, 6, seed=0, augment=augment).take(3):
        assert (pictures.shape, labels.shape, labels.dtype) == ((6, 3, 16, 24), (6,), torch.int64)
        assert set(labels.tolist()) == truth
    changed, plain = (next(Batches(images, 6, seed=0, augment=kind).take(1)) for kind in (True, False))
    assert torch.equal(changed[1], plain[1])
    assert not torch.equal(changed[0], plain[0])


@pytest.mark.parametrize("augmentation", ["none", "zoom", "full"])
@pytest.mark.parametrize("workers", [1, 3])
def test_reading_ahead_changes_nothing(augmentation: str, workers: int) -> None:
    images = Scenes("train", (16, 32), count=7)
    made = [
        Batches(images, 4, seed=1, augment=True, augmentation=augmentation, workers=count) for count in (0, workers)
    ]
    for batches_of in (lambda each: each.take(6, first_step=1), lambda each: each.all_batches()):
        plain, early = (list(batches_of(each)) for each in made)
        for one, other in zip(plain, early, strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])


def test_images_that_threads_read_are_kept_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    images = Numbered(6)
    monkeypatch.setattr(batches, "CACHE_BYTES", 2 * 4 * 8 * 4)
    made = Batches(images, 6, seed=0, augment=False, workers=3)
    list(made.take(8))
    assert made._cached_bytes == sum(picture.nbytes + labels.nbytes for picture, labels in made._cache.values())
    assert len(made._cache) == 2


@pytest.mark.parametrize("augmentation", ["zoom", "full"])
@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_share_batches_see_together_what_one_would_see(augmentation: str, count: int) -> None:
    images = Scenes("train", (16, 32), count=7)

    def taken(share: tuple[int, int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(Batches(images, 4, seed=3, augment=True, augmentation=augmentation, share=share).take(5))

    parts = [taken((own, count)) for own in range(count)]
    for step, whole in enumerate(taken((0, 1))):
        for which in (0, 1):
            assert torch.equal(torch.cat([part[step][which] for part in parts]), whole[which])


def test_processes_take_turns_with_the_batches_that_are_scored() -> None:
    seen = [
        [labels[:, 0, 0].tolist() for _, labels in Batches(images, 2, seed=0, augment=False, share=share).all_batches()]
        for images in [Numbered(7)]
        for share in [(0, 2), (1, 2), (4, 5)]
    ]
    assert seen == [[[0, 1], [4, 5]], [[2, 3], [6]], []]


def test_full_augmentation_depends_on_epoch_and_image_and_not_on_the_batch() -> None:
    images = Scenes("train", (16, 32), count=6)

    def rows(batch_size: int, steps: int) -> torch.Tensor:
        made = Batches(images, batch_size, seed=5, augment=True, augmentation="full")
        return torch.cat([pictures for pictures, _ in made.take(steps)])

    assert torch.equal(rows(2, 6), rows(4, 3))
    first, second = rows(6, 2).split(6)
    assert not any(torch.equal(one, other) for one in first for other in second), "epochs differ"


def test_without_augmentation_images_are_as_they_are() -> None:
    images = Scenes("train", (16, 32), count=4)
    plain, none = (
        Batches(images, 4, seed=0, augment=augment, augmentation=kind)
        for augment, kind in ((False, "full"), (True, "none"))
    )
    assert torch.equal(next(plain.take(1))[0], next(none.take(1))[0])


def test_normalising_is_what_torch_would_compute_to_the_bit() -> None:
    pictures, _ = next(Batches(Numbered(256, size=(1, 1)), 256, seed=0, augment=False).all_batches())
    levels = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1).expand(256, 3, 1, 1)
    mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in (batches.MEAN, batches.DEVIATION))
    assert torch.equal(pictures, (levels.float() / 255 - mean) / deviation)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    made = Batches(Numbered(3), 8, seed=0, augment=False, share=(0, 3))
    with pytest.raises(WrongUse, match=r"8 images cannot be parted so\. Set batch_size to a multiple of 3"):
        made.take(1)


def test_without_images_there_is_no_batch() -> None:
    with pytest.raises(WrongUse, match="numbered images holds no image to train on"):
        Batches(Numbered(0), 1, seed=0, augment=False).take(1)


def test_an_unknown_augmentation_is_refused() -> None:
    with pytest.raises(WrongUse, match=r"no augmentation 'zooom'\. Did you mean 'zoom'"):
        Batches(Numbered(3), 1, seed=0, augment=True, augmentation="zooom")
