"""Batches of tensors for training and for scoring, the same for the same seed.

torch is imported when the first batch is made, so that ``import search`` does not need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
from PIL import Image

from devices import WrongUse
from search.data.labelled import LabelledImages, Labels, Picture

if TYPE_CHECKING:
    from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet, which published weights expect to be taken off."""

DEVIATION = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue over ImageNet."""

CACHE_BYTES = 2**30
"""Decoded images are kept up to this size: 1 GiB is all of CamVid or 14 000 scenes at (96, 192), or 2000 images of
Cityscapes at (256, 512), and leaves room on a machine with 4 GiB."""

LARGEST_ZOOM = 1.6
"""How far augmenting zooms in; beyond it a crop often holds nothing but road or wall."""

# Two streams of random numbers from one seed: whether images are augmented must not change their order.
_ORDER, _AUGMENT = 0, 1


@final
class Batches:
    """Batches of one set of images.

    Attributes:
        images: where they come from.
        batch_size: images in each batch.
        augment: whether training batches are flipped and zoomed at random.
    """

    def __init__(self, images: LabelledImages, batch_size: int, *, seed: int, augment: bool) -> None:
        """Reads nothing yet.

        Args:
            images: where they come from.
            batch_size: images in each batch, at least 1; it may exceed the number of images.
            seed: decides order and augmentation; at least 0.
            augment: whether training batches are flipped and zoomed at random.

        Raises:
            WrongUse: the batch size is below 1, or the seed is negative.
        """
        if batch_size < 1:
            raise WrongUse(f"A batch must hold at least 1 image; got {batch_size}. Use 8, say.")
        if seed < 0:
            raise WrongUse(f"The seed of the batches must be at least 0; got {seed}. Use 0, say.")
        self.images = images
        self.batch_size = batch_size
        self.augment = augment
        self._seed = seed
        self._cache: dict[int, tuple[Picture, Labels]] = {}
        self._cached_bytes = 0

    def take(self, steps: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batches of the steps ``first_step`` to ``steps - 1``.

        Epochs follow one another without end, each in an order of its own; a batch may begin in one and end in the
        next. A step's batch depends on the seed and the step alone, so that a run that was cut off goes on with
        ``take(steps, first_step=done)`` as if it had not been.

        Args:
            steps: how many steps the whole run has.
            first_step: how many of them are done already.

        Yields:
            Pictures, normalised, float32 of shape (batch, 3, height, width), and class ids, int64 of shape
            (batch, height, width), 255 where a pixel does not count; (batch,) where pictures have one class each.

        Raises:
            WrongUse: ``first_step`` is not between 0 and ``steps``.
        """
        if not 0 <= first_step <= steps:
            raise WrongUse(
                f"The first step must be between 0 and the {steps} steps of the whole run; got {first_step}. "
                "Give the length of the whole run, not what is left of it."
            )
        return (self._training_batch(step) for step in range(first_step, steps))

    def all_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once, in order and never augmented; the last batch may be smaller.

        Yields:
            Tensors as from :meth:`take`.
        """
        for first in range(0, len(self.images), self.batch_size):
            indices = range(first, min(first + self.batch_size, len(self.images)))
            yield _tensors([self._read(index) for index in indices])

    def _training_batch(self, step: int) -> tuple[Tensor, Tensor]:
        pairs = [self._read(index) for index in self._indices(step)]
        if self.augment:
            generator = self._generator(_AUGMENT, step)
            pairs = [_augmented(pair, generator) for pair in pairs]
        return _tensors(pairs)

    def _indices(self, step: int) -> list[int]:
        """The images of a step, from the endless row of shuffled epochs."""
        count = len(self.images)
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        epochs = range(first // count, (last - 1) // count + 1)
        row = np.concatenate([self._generator(_ORDER, epoch).permutation(count) for epoch in epochs])
        skipped = first - epochs[0] * count
        return [int(index) for index in row[skipped : skipped + self.batch_size]]

    def _generator(self, stream: int, position: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(stream, position)))

    def _read(self, index: int) -> tuple[Picture, Labels]:
        """From memory where it is there. Nothing is ever dropped: epochs visit all images, so the oldest is next."""
        if index in self._cache:
            return self._cache[index]
        pair = self.images.read(index)
        size_bytes = pair[0].nbytes + pair[1].nbytes
        if self._cached_bytes + size_bytes <= CACHE_BYTES:
            self._cache[index] = pair
            self._cached_bytes += size_bytes
        return pair


def _augmented(pair: tuple[Picture, Labels], generator: np.random.Generator) -> tuple[Picture, Labels]:
    """Mirrored in half of the cases, and zoomed into at a random place; the size stays.

    Labels of pixels move along; the class of a whole picture stays what it is.
    """
    picture, labels = pair
    flip, zoom, down, right = generator.random(4)
    if flip < 0.5:
        picture, labels = picture[:, ::-1], labels[..., ::-1] if labels.ndim else labels
    height, width, _ = picture.shape
    share = 1.0 / (1.0 + zoom * (LARGEST_ZOOM - 1.0))
    top, left = down * (1.0 - share) * height, right * (1.0 - share) * width
    box = (left, top, left + share * width, top + share * height)
    zoomed = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box=box))
    if labels.ndim:
        labels = np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST, box=box))
    return zoomed, labels


def _tensors(pairs: Sequence[tuple[Picture, Labels]]) -> tuple[Tensor, Tensor]:
    import torch

    pictures = torch.from_numpy(np.stack([picture for picture, _ in pairs])).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(np.stack([labels for _, labels in pairs]))
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor(DEVIATION).view(1, 3, 1, 1)
    return (pictures.float() / 255 - mean) / deviation, labels.long()
