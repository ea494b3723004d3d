"""Batches of tensors for training and for scoring, the same for the same seed.

torch is imported when the first batch is made, so that ``import search`` does not need it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from devices import WrongUse, unknown_name
from search.data.augmentation import AUGMENTATIONS, Numbers, Sample
from search.data.labelled import LabelledImages
from search.data.prefetch import ahead

if TYPE_CHECKING:
    from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet, which published weights expect to be taken off."""

DEVIATION = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue over ImageNet."""

CACHE_BYTES = 2**30
"""Decoded images are kept up to this size: 1 GiB is all of CamVid or 14 000 scenes at (96, 192), or 2000 images of
Cityscapes at (256, 512), and leaves room on a machine with 4 GiB."""

# Two streams of random numbers from one seed: whether images are augmented must not change their order.
_ORDER, _AUGMENT = 0, 1


@final
class Batches:
    """Batches of one set of images.

    Attributes:
        images: where they come from.
        batch_size: images in each batch.
        augment: whether training batches are changed at random.
    """

    def __init__(
        self,
        images: LabelledImages,
        batch_size: int,
        *,
        seed: int,
        augment: bool,
        augmentation: str = "zoom",
        workers: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Reads nothing yet.

        Args:
            images: where they come from.
            batch_size: images in each batch, at least 1; it may exceed the number of images.
            seed: decides order and augmentation; at least 0.
            augment: whether training batches are changed at random.
            augmentation: how, one of :data:`AUGMENTATIONS`.
            workers: threads that read ahead; 0 reads when a batch is asked for. They make no other difference.
            share: which of how many processes this is, which share each training batch, and take turns with those
                that are scored; (0, 1) is one that has them to itself.

        Raises:
            WrongUse: the batch size is below 1, the seed is negative, or there is no such augmentation.
        """
        if batch_size < 1:
            raise WrongUse(f"A batch must hold at least 1 image; got {batch_size}. Use 8, say.")
        if seed < 0:
            raise WrongUse(f"The seed of the batches must be at least 0; got {seed}. Use 0, say.")
        if augmentation not in AUGMENTATIONS:
            raise unknown_name("augmentation", augmentation, AUGMENTATIONS)
        self.images = images
        self.batch_size = batch_size
        self.augment = augment
        self._augmentation = AUGMENTATIONS[augmentation if augment else "none"]
        self._seed, self._workers, self._share = seed, workers, share
        self._cache: dict[int, Sample] = {}
        self._cached_bytes = 0
        self._lock = Lock()

    def take(self, steps: int, first_step: int = 0) -> Generator[tuple[Tensor, Tensor], None, None]:
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
            Of a batch that processes share, only this one's part.

        Raises:
            WrongUse: ``first_step`` is not between 0 and ``steps``, there is no image, or a batch cannot be shared
                evenly.
        """
        if not 0 <= first_step <= steps:
            raise WrongUse(
                f"The first step must be between 0 and the {steps} steps of the whole run; got {first_step}. "
                "Give the length of the whole run, not what is left of it."
            )
        if not len(self.images):
            raise WrongUse(f"{self.images.name} holds no image to train on. Choose another --data.")
        if self.batch_size % self._share[1]:
            raise WrongUse(
                f"Each of {self._share[1]} processes takes an equal part of a batch; {self.batch_size} images cannot "
                f"be parted so. Set batch_size to a multiple of {self._share[1]}, or start another number of processes."
            )
        return ahead((partial(self._training_batch, step) for step in range(first_step, steps)), self._workers)

    def all_batches(self) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Every image once, in order and never augmented; the last batch may be smaller.

        Where processes share the images, each batch is one process's, whole.

        Yields:
            Tensors as from :meth:`take`.
        """
        first, step = (self.batch_size * number for number in self._share)
        return ahead((partial(self._plain_batch, at) for at in range(first, len(self.images), step)), self._workers)

    def _plain_batch(self, first: int) -> tuple[Tensor, Tensor]:
        indices = range(first, min(first + self.batch_size, len(self.images)))
        return _tensors([self._read(index) for index in indices])

    def _training_batch(self, step: int) -> tuple[Tensor, Tensor]:
        """This process's part of a batch; what others read has no influence on it."""
        places = self._places(step)
        number, count = self._share
        own = slice(number * len(places) // count, (number + 1) * len(places) // count)
        drawn = zip(places[own], self._numbers(step, places)[own], strict=True)
        return _tensors([self._augmentation.change(self._read(index), numbers) for (_, index), numbers in drawn])

    def _places(self, step: int) -> list[tuple[int, int]]:
        """Epoch and image of each place in a batch, from the endless row of shuffled epochs."""
        count = len(self.images)
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        places = []
        for epoch in range(first // count, (last - 1) // count + 1):
            order = self._generator(_ORDER, epoch).permutation(count)
            own = order[max(first - epoch * count, 0) : last - epoch * count]
            places += [(epoch, int(index)) for index in own]
        return places

    def _numbers(self, step: int, places: Sequence[tuple[int, int]]) -> Sequence[Numbers]:
        """What decides how the images of a batch are changed."""
        kind = self._augmentation
        if kind.by_step:
            return list(self._generator(_AUGMENT, step).random((len(places), kind.numbers)))
        return [self._generator(_AUGMENT, *place).random(kind.numbers) for place in places]

    def _generator(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=stream))

    def _read(self, index: int) -> Sample:
        """From memory where it is there. Nothing is ever dropped: epochs visit all images, so the oldest is next."""
        if index in self._cache:
            return self._cache[index]
        pair = self.images.read(index)
        size_bytes = pair[0].nbytes + pair[1].nbytes
        with self._lock:  # Two threads may have read the same image.
            if index not in self._cache and self._cached_bytes + size_bytes <= CACHE_BYTES:
                self._cache[index] = pair
                self._cached_bytes += size_bytes
        return pair


def _tensors(pairs: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Pictures and labels in one tensor each.

    The sums are numpy's: threads that read ahead and each computed with torch would want all cores for each.
    """
    import torch

    pictures = np.stack([picture for picture, _ in pairs]).transpose(0, 3, 1, 2)
    made = torch.empty(pictures.shape)
    planes = made.numpy()
    np.divide(pictures, 255.0, out=planes, dtype=np.float32)
    planes -= _of_channels(MEAN)
    planes /= _of_channels(DEVIATION)
    labels = np.stack([labels for _, labels in pairs]).astype(np.int64)
    return made, torch.from_numpy(labels)


def _of_channels(values: Sequence[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(1, 3, 1, 1)
